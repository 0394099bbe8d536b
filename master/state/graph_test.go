package state

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fletch/engine/plan"
	"fletch/fault"
)

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// parseGraph reads a job of one node a line, numbered from 0:
//
//	read N             a source of N splits
//	map IN...          a narrow operator
//	shuffle N IN...    an exchange with N partitions
//	write IN           a sink
//	meet IN IN         two exchanges that meet
//	lookup IN IN       two exchanges that meet, unless one of them is small
//	row N IN           an exchange into N partitions in turn
//	thin IN            an exchange into one partition, of a sample
//
// A side follows the inputs of a node behind a plus sign, such as "map 1 +0".
func parseGraph(t fataler, text string) (*plan.Graph, map[int][]plan.Split) {
	g := &plan.Graph{Job: "test"}
	splits := make(map[int][]plan.Split)
	for i, l := range strings.Split(text, "\n") {
		words := strings.Fields(l)
		var args, sides []int
		for _, w := range words[1:] {
			if side, ok := strings.CutPrefix(w, "+"); ok {
				n, err := strconv.Atoi(side)
				if err != nil {
					t.Fatal(err)
				}
				sides = append(sides, n)
				continue
			}
			n, err := strconv.Atoi(w)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, n)
		}
		n := plan.Node{ID: i, Op: words[0], Site: "job.go:" + strconv.Itoa(i+1), Sides: sides}
		switch words[0] {
		case "read":
			n.Source = &plan.Input{Patterns: []string{"in"}}
			splits[i] = []plan.Split{}
			for s := range args[0] {
				splits[i] = append(splits[i], plan.Split{Files: []plan.FileRange{{Path: fmt.Sprint(s), Length: 8, Size: 8}}, Bytes: 8})
			}
		case "map":
			n.Kind, n.Inputs = plan.Narrow, args
		case "shuffle":
			n.Kind, n.Inputs, n.Exchange = plan.Exchange, args[1:], &plan.Shuffle{Partitions: args[0]}
		case "meet":
			n.Kind, n.Order, n.Inputs = plan.Meet, plan.LosesOrder, args
		case "lookup":
			n.Kind, n.Order, n.Inputs, n.Lookup = plan.Meet, plan.LosesOrder, args, []int{0, 1}
		case "row":
			n.Kind, n.Order, n.Inputs = plan.Exchange, plan.UsesOrder, args[1:]
			n.Exchange = &plan.Shuffle{Partitioning: plan.ByRow, Partitions: args[0]}
		case "thin":
			n.Kind, n.Order, n.Inputs = plan.Exchange, plan.UsesOrder, args
			n.Exchange = &plan.Shuffle{Partitioning: plan.ByNothing, Thin: true}
		case "write":
			n.Kind, n.Inputs, n.Sink = plan.Sink, args, &plan.Location{Path: fmt.Sprintf("out/%d", i)}
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g, splits
}

func parseAttempt(t fataler, s string) AttemptID {
	id, err := ParseAttemptID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func parseClass(t fataler, s string) fault.Class {
	for c := fault.Retryable; c <= fault.Permanent; c++ {
		if strings.ReplaceAll(c.String(), " ", "-") == s {
			return c
		}
	}
	t.Fatalf("unknown class %s", s)
	return 0
}

func nextTasks(t fataler, j *Job) []plan.Task { return nextPlan(t, j).Tasks }

// nextPlan returns the command that the job's facts ask for.
func nextPlan(t fataler, j *Job) Plan {
	c := Plan{Job: j.ID}
	if j.Status.Ended() {
		return c // its inputs are not kept
	}
	var err error
	if c.Tasks, c.Skip, err = plan.Next(j.Graph, j.Plan(), j.Facts()); err != nil {
		t.Fatal(err)
	}
	return c
}

// fittingResult returns what an attempt would report: bytes in the partitions of each exchange (1 each, if nil), a part
// of each sink for each partition, one row, one tick of a counter. It is empty where the attempt's task is unknown.
func fittingResult(j *Job, id AttemptID, bytes []int64) plan.Result {
	var r plan.Result
	if j == nil || j.task(id) == nil {
		return r
	}
	t := j.task(id)
	lo, hi := t.Lo, t.Hi
	if t.Split != nil {
		lo, hi = t.Index, t.Index+1
	}
	for i, out := range j.Stages[id.Stage].Outputs {
		if j.Graph.Nodes[out].Kind == plan.Exchange {
			sizes := bytes
			if sizes == nil {
				sizes = slices.Repeat([]int64{1}, j.Stages[id.Stage].OutputPartitions[i])
			}
			r.Shuffles = append(r.Shuffles, plan.ShuffleOutput{Exchange: out, Bytes: sizes})
			continue
		}
		for p := lo; p < hi; p++ {
			r.Parts = append(r.Parts, plan.Part{Sink: out, Partition: p, Name: fmt.Sprintf("%s-%d-%d", id, out, p)})
		}
	}
	// Reports come in any order.
	slices.Reverse(r.Shuffles)
	slices.Reverse(r.Parts)
	r.Counters = map[string]int64{"ticks": 1}
	r.Metrics = plan.Metrics{RowsIn: 1, RowsOut: int64(len(r.Parts))}
	return r
}
