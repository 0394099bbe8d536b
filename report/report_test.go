package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts runs the golden scripts. A script shows one job:
//
//	display [columns=N rows=N] [ascii] [color]   what is shown on; without a size, a plain file
//	update TIME                                  lines of "job JSON" and "stage ID JSON": what has changed
//	log [part]                                   lines of a log; a part is without its line's end
//	resize columns=N rows=N                      the window has changed
//	raw                                          the last write, byte for byte
//	done, summary, json
//
// The answer is what the screen shows then or, on a plain file, what was added.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, file string) {
		s := &session{start: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			if err := s.run(t, d); err != nil {
				d.Fatalf(t, "%v", err)
			}
			if strings.Contains(s.plain.String(), " \n") {
				d.Fatalf(t, "trailing space:\n%s", s.plain.String())
			}
			if s.screen != nil && s.screen.wrapped > 0 {
				d.Fatalf(t, "a line is too long:\n%s", s.screen)
			}
			return s.answer()
		})
	})
}

// session is one script's job and what it is shown on.
type session struct {
	start    time.Time
	job      Job
	plain    strings.Builder
	screen   *screen
	progress *Progress
}

func (s *session) run(t *testing.T, d *datadriven.TestData) error {
	var size [2]int
	for i, key := range []string{"columns", "rows"} {
		if d.HasArg(key) {
			d.ScanArgs(t, key, &size[i])
		}
	}
	switch d.Cmd {
	case "display":
		s.display(size, Display{Color: d.HasArg("color"), Unicode: !d.HasArg("ascii")})
	case "update":
		at, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			return err
		}
		s.job.Seconds = at.Seconds()
		if err := change(&s.job, d.Input); err != nil {
			return err
		}
		if s.progress != nil {
			s.progress.Update(s.start.Add(at), s.job)
		}
	case "log":
		if d.HasArg("part") {
			_, err := fmt.Fprint(s.progress, d.Input)
			return err
		}
		_, err := fmt.Fprintln(s.progress, d.Input)
		return err
	case "resize":
		s.screen.resize(size[0], size[1])
	case "raw":
		s.plain.WriteString(strings.ReplaceAll(strings.ReplaceAll(s.screen.raw, "\x1b", `\e`), "\r", `\r`))
	case "done":
		s.progress.Done()
	case "summary":
		Summary(&s.plain, s.job)
	case "json":
		return JSON(&s.plain, s.job)
	default:
		return fmt.Errorf("unknown command %s", d.Cmd)
	}
	return nil
}

func (s *session) display(size [2]int, d Display) {
	if size[0] == 0 {
		s.progress = NewProgress(&s.plain, d)
		return
	}
	s.screen = newScreen(size[0], size[1])
	d.Size = s.screen.size
	s.progress = NewProgress(s.screen, d)
}

func (s *session) answer() string {
	if out := s.plain.String(); out != "" || s.screen == nil {
		s.plain.Reset()
		return out
	}
	return s.screen.String()
}

// change applies what has changed to a job.
func change(j *Job, input string) error {
	for l := range strings.SplitSeq(input, "\n") {
		var to any = j
		what, text, _ := strings.Cut(l, " ")
		if what == "stage" {
			var id int
			if _, err := fmt.Sscan(text, &id); err != nil {
				return fmt.Errorf("%s: %w", l, err)
			}
			for len(j.Stages) <= id {
				j.Stages = append(j.Stages, Stage{ID: len(j.Stages)})
			}
			_, text, _ = strings.Cut(text, " ")
			to = &j.Stages[id]
		}
		if l == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), to); err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
	}
	return nil
}
