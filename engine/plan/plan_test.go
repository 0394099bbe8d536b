package plan

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts runs the golden scripts. A script is one job:
//
//	graph            the job, in the language of parseGraph; the answer is what is wrong with it
//	facts            lines of "splits NODE SIZE...", "partitions N", "bytes EXCHANGE SIZE..." and "complete STAGE..."
//	explain          the plan as its author sees it
//	next             the tasks that can be planned; they count as planned from then on
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, file string) {
		s := &session{}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			out, err := s.run(d.Cmd, d.Input)
			if err != nil {
				return "error: " + strings.ReplaceAll(err.Error(), "\n", "\nerror: ") + "\n"
			}
			return out
		})
	})
}

// session is one script's job and what is known of it.
type session struct {
	graph  *Graph
	stages []Stage
	facts  Facts
}

func (s *session) run(cmd, input string) (string, error) {
	switch cmd {
	case "graph":
		g, err := parseGraph(input)
		if err != nil {
			return "", err
		}
		*s = session{graph: g}
		if err := g.Validate(); err != nil {
			return "", err
		}
		s.stages, err = Stages(g)
		return "ok\n", err
	case "facts":
		for l := range strings.SplitSeq(input, "\n") {
			if err := s.fact(strings.Fields(l)); err != nil {
				return "", fmt.Errorf("%s: %w", l, err)
			}
		}
		stages, err := Stages(s.graph)
		if err == nil {
			s.stages, err = Settle(s.graph, stages, s.facts)
		}
		return "ok\n", err
	case "explain":
		return Explain(s.graph, s.stages, s.facts), nil
	case "next":
		tasks, skip, err := Next(s.graph, s.stages, s.facts)
		var b strings.Builder
		for _, t := range tasks {
			s.facts.Tasks = extend(s.facts.Tasks, t.Stage)
			s.facts.Tasks[t.Stage]++
			b.WriteString(show(t))
		}
		for _, stage := range skip {
			s.complete(stage)
			fmt.Fprintf(&b, "stage %d is skipped\n", stage)
		}
		return b.String(), err
	}
	return "", fmt.Errorf("unknown command %s", cmd)
}

func (s *session) fact(words []string) error {
	sizes := make([]int64, 0, len(words))
	for _, w := range words[1:] {
		n, err := parseSize(w)
		if err != nil {
			return err
		}
		sizes = append(sizes, n)
	}
	switch words[0] {
	case "splits":
		if s.facts.Splits == nil {
			s.facts.Splits = make(map[int][]Split)
		}
		splits := []Split{}
		for i, n := range sizes[1:] {
			splits = append(splits, Split{Files: []FileRange{{Path: fmt.Sprintf("%d.txt", i), Length: n, Size: n}}, Bytes: n})
		}
		s.facts.Splits[int(sizes[0])] = splits
	case "partitions":
		s.facts.Partitions = int(sizes[0])
	case "bytes":
		if s.facts.Bytes == nil {
			s.facts.Bytes = make(map[int][]int64)
		}
		s.facts.Bytes[int(sizes[0])] = sizes[1:]
	case "complete":
		for _, stage := range sizes {
			s.complete(int(stage))
		}
	default:
		return fmt.Errorf("unknown fact")
	}
	return nil
}

func (s *session) complete(stage int) {
	s.facts.Complete = extend(s.facts.Complete, stage)
	s.facts.Complete[stage] = true
}

// extend makes a list long enough for an index.
func extend[T any](list []T, i int) []T {
	return append(list, make([]T, max(0, i+1-len(list)))...)
}

// parseSize reads 12, 12K, 12M or 12G.
func parseSize(w string) (int64, error) {
	digits := strings.TrimRight(w, "KMG")
	n, err := strconv.ParseInt(digits, 10, 64)
	if unit := w[len(digits):]; unit != "" {
		n <<= 10 * (1 + strings.Index("KMG", unit))
	}
	return n, err
}

func show(t Task) string {
	switch s := t.Split; {
	case s == nil:
		return fmt.Sprintf("stage %d, task %d: partitions %d to %d\n", t.Stage, t.Index, t.Lo, t.Hi-1)
	case s.Files != nil:
		return fmt.Sprintf("stage %d, task %d: %s, %s\n", t.Stage, t.Index, s.Files[0].Path, size(s.Bytes))
	case s.Count == 0:
		return fmt.Sprintf("stage %d, task %d: nothing\n", t.Stage, t.Index)
	default:
		return fmt.Sprintf("stage %d, task %d: items %d to %d, %s\n", t.Stage, t.Index, s.First, s.First+s.Count-1, size(s.Bytes))
	}
}
