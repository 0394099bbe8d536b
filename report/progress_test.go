package report

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fletch/engine/plan"
)

// TestLogsAreWhole has several goroutines write a log, one of them piece by piece, while the job goes on.
func TestLogsAreWhole(t *testing.T) {
	const writers, lines = 4, 200
	for _, terminal := range []bool{true, false} {
		t.Run(fmt.Sprintf("terminal=%t", terminal), func(t *testing.T) {
			s := newScreen(80, 2000)
			d := Display{Unicode: true, Color: true}
			if terminal {
				d.Size = s.size
			}
			p := NewProgress(s, d)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := range lines {
						fmt.Fprintf(p, "writer %d, line %d\nits second line\n", w, i)
					}
				})
			}
			for i := range lines {
				p.Update(time.UnixMilli(int64(i)*110), runningJob(i))
			}
			wg.Wait()
			for _, piece := range []string{"pie", "ce by ", "piece\nand", " more"} {
				fmt.Fprint(p, piece)
				p.Update(time.UnixMilli(lines*1000), runningJob(lines))
			}
			p.Done()
			checkLog(t, s, writers, lines)
		})
	}
}

func runningJob(n int) Job {
	return Job{Name: "wordcount", State: Running, Stages: []Stage{
		{Name: "textio.Read → Reduce", Tasks: 1000, Completed: n, Attempts: n + 1, Seconds: float64(n) / 10, Metrics: plan.Metrics{BytesIn: int64(n) << 20}},
		{ID: 1, Name: "Reduce → csvio.Write", Tasks: 2, Running: n % 2},
	}}
}

// checkLog looks for every line of the log, each writer's in order and with its second line, and on a terminal for
// nothing else.
func checkLog(t *testing.T, s *screen, writers, lines int) {
	t.Helper()
	shown := strings.Split(strings.TrimSuffix(s.String(), "\n"), "\n")
	shown = slices.DeleteFunc(shown, func(l string) bool { return strings.HasPrefix(l, "stage ") })
	next := make([]int, writers)
	for len(shown) > 2 {
		var w, i int
		if _, err := fmt.Sscanf(shown[0], "writer %d, line %d", &w, &i); err != nil || i != next[w] || shown[1] != "its second line" {
			t.Fatalf("torn: %q, %q", shown[0], shown[1])
		}
		next[w]++
		shown = shown[2:]
	}
	for w, n := range next {
		if n != lines {
			t.Errorf("writer %d: %d lines of %d", w, n, lines)
		}
	}
	if !slices.Equal(shown, []string{"piece by piece", "and more"}) {
		t.Errorf("the last lines are %q", shown)
	}
}

// TestFrames draws jobs of all kinds on windows of changing width. No line of a frame may be wrapped; log lines stay, and
// nothing else does.
func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScreen(rapid.IntRange(1, 200).Draw(t, "columns"), 1000)
		p := NewProgress(s, Display{Size: s.size, Unicode: rapid.Bool().Draw(t, "unicode"), Color: rapid.Bool().Draw(t, "color")})
		var now time.Duration
		var log []string
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				s.resize(rapid.IntRange(1, 200).Draw(t, "columns"), 1000)
			case 1:
				l := rapid.StringMatching(`[a-z]{1,30}`).Draw(t, "line")
				log = append(log, l)
				fmt.Fprintln(p, l)
			default:
				now += time.Duration(rapid.IntRange(0, 1000).Draw(t, "milliseconds")) * time.Millisecond
				wrapped := s.wrapped
				p.Update(time.Time{}.Add(time.Hour+now), drawJob(t))
				if s.wrapped > wrapped {
					t.Fatalf("a line is longer than %d columns:\n%s", s.columns, s)
				}
			}
		}
		p.Done()
		s.resize(200, 1000)
		want := strings.Join(append(log, ""), "\n")
		if got := s.String(); got != want && len(log) > 0 {
			t.Fatalf("shown after Done:\n%s\nwant\n%s", got, want)
		}
	})
}

func drawJob(t *rapid.T) Job {
	j := Job{Name: rapid.StringN(0, 20, -1).Draw(t, "job"), State: Running}
	number := rapid.Int64Range(0, 1<<62)
	for i := range rapid.IntRange(0, 5).Draw(t, "stages") {
		tasks := rapid.IntRange(0, 100000).Draw(t, "tasks")
		s := Stage{ID: i, Tasks: tasks, Completed: rapid.IntRange(0, tasks).Draw(t, "completed"), Attempts: rapid.IntRange(0, 1).Draw(t, "attempts")}
		s.Name = rapid.StringMatching(`([A-Za-z.]{1,12} → ){0,6}[A-Za-zé]{0,30}`).Draw(t, "name")
		s.Seconds = rapid.Float64Range(0, 1e6).Draw(t, "seconds")
		s.Metrics.RowsIn, s.Metrics.BytesIn, s.ExpectedBytes = number.Draw(t, "rows"), number.Draw(t, "bytes"), number.Draw(t, "expected")
		j.Stages = append(j.Stages, s)
	}
	return j
}
