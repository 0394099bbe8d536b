package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts runs the golden scripts, whose commands are:
//
//	job ID SPLITS PARTITIONS...     a chain of a source and a shuffle for each number of partitions, planned
//	branches ID                     stages 0 and 1 are a chain, stage 2 stands alone; two tasks each
//	commit ATTEMPT...               at the time of the last turn
//	fail ATTEMPT... [on=WORKER]     likewise
//	lose READER ATTEMPT...          the reader could not fetch these attempts' output
//	cancel JOB
//	assign [now=DURATION] [next=N]  a turn of term 1; a line of input is a worker: ID SLOTS ATTEMPT...
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, file string) {
		s := &script{m: state.New()}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			var args []string
			for _, a := range d.CmdArgs {
				args = append(args, a.Key)
			}
			switch d.Cmd {
			case "job":
				numbers := make([]int, len(args)-1)
				for i, a := range args[1:] {
					numbers[i], _ = strconv.Atoi(a)
				}
				addJob(t, s.m, args[0], numbers[0], numbers[1:]...)
			case "branches":
				addBranches(t, s.m, args[0])
			case "commit":
				for _, a := range args {
					commit(t, s.m, parse(t, a), s.now)
				}
			case "fail":
				worker := ""
				d.MaybeScanArgs(t, "on", &worker)
				for _, a := range args {
					if a != "on" {
						mustApply(t, s.m, state.Fail{Attempt: parse(t, a), Worker: worker, Message: "broken", At: s.now})
					}
				}
			case "lose":
				c := state.Fail{Attempt: parse(t, args[0]), Class: fault.FetchFailed, Message: "gone", At: s.now}
				for _, a := range args[1:] {
					c.Lost = append(c.Lost, parse(t, a))
				}
				mustApply(t, s.m, c)
			case "cancel":
				mustApply(t, s.m, state.Cancel{Job: args[0], Reason: "interrupted", At: s.now})
			case "assign":
				return s.assign(t, d)
			default:
				t.Fatalf("unknown command %s", d.Cmd)
			}
			return ""
		})
	})
}

type script struct {
	m   *state.Machine
	now time.Time
}

func (s *script) assign(t *testing.T, d *datadriven.TestData) string {
	now, next := "0s", 1
	d.MaybeScanArgs(t, "now", &now)
	d.MaybeScanArgs(t, "next", &next)
	offset, err := time.ParseDuration(now)
	if err != nil {
		t.Fatal(err)
	}
	s.now = time.Time{}.Add(offset)
	var workers []Worker
	for l := range strings.SplitSeq(d.Input, "\n") {
		words := strings.Fields(l)
		slots, err := strconv.Atoi(words[1])
		if err != nil {
			t.Fatal(err)
		}
		w := Worker{ID: words[0], Slots: slots}
		for _, a := range words[2:] {
			w.Running = append(w.Running, parse(t, a))
		}
		workers = append(workers, w)
	}
	return show(Assign(s.m.Active(), workers, Turn{Now: s.now, Term: 1, Next: uint64(next)}))
}

func show(d Decision) string {
	var b strings.Builder
	for _, s := range d.Stops {
		fmt.Fprintf(&b, "%s stops %s: %v\n", s.Worker, s.Attempt, s.Cause)
	}
	for _, s := range d.Starts {
		what := fmt.Sprintf("partitions [%d, %d)", s.Task.Lo, s.Task.Hi)
		if s.Task.Split != nil {
			what = "a split"
		}
		fmt.Fprintf(&b, "%s starts %s: %s\n", s.Worker, s.Attempt, what)
	}
	if !d.Wake.IsZero() {
		fmt.Fprintf(&b, "wake at %s\n", d.Wake.Sub(time.Time{}))
	}
	return b.String()
}

// fataler is a *testing.T, a *testing.B or a *rapid.T.
type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func parse(t fataler, s string) state.AttemptID {
	id, err := state.ParseAttemptID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustApply(t fataler, m *state.Machine, c state.Command) *state.Job {
	o, err := m.Apply(c)
	if err != nil {
		t.Fatal(err)
	}
	return o.Job
}

// addJob submits a chain of a source and shuffles to one sink, and plans its first stage.
func addJob(t fataler, m *state.Machine, id string, splits int, partitions ...int) *state.Job {
	return submit(t, m, id, addChain(nil, partitions...), splits)
}

// addBranches submits a job of two chains: stages 0 and 1, and stage 2.
func addBranches(t fataler, m *state.Machine, id string) *state.Job {
	return submit(t, m, id, addChain(addChain(nil, 2)), 2)
}

// addChain appends a source, an exchange for each number of partitions, and a sink.
func addChain(nodes []plan.Node, partitions ...int) []plan.Node {
	nodes = append(nodes, plan.Node{ID: len(nodes), Op: "Read", Source: &plan.Input{Patterns: []string{"in"}}})
	for _, n := range partitions {
		id := len(nodes)
		nodes = append(nodes, plan.Node{ID: id, Kind: plan.Exchange, Op: "Reduce", Inputs: []int{id - 1}, Exchange: &plan.Shuffle{Partitions: n}})
	}
	id := len(nodes)
	return append(nodes, plan.Node{ID: id, Kind: plan.Sink, Op: "Write", Inputs: []int{id - 1}, Sink: &plan.Location{Path: fmt.Sprint("out", id)}})
}

// submit submits a job whose sources have a number of splits each.
func submit(t fataler, m *state.Machine, id string, nodes []plan.Node, splits int) *state.Job {
	all := make(map[int][]plan.Split)
	for _, n := range nodes {
		if n.Kind == plan.Source {
			all[n.ID] = make([]plan.Split, splits)
		}
	}
	return planNext(t, m, mustApply(t, m, state.Submit{ID: id, Graph: &plan.Graph{Job: id, Nodes: nodes}, Splits: all}))
}

func planNext(t fataler, m *state.Machine, j *state.Job) *state.Job {
	tasks, skip, err := plan.Next(j.Graph, j.Plan(), j.Facts())
	if err != nil {
		t.Fatal(err)
	}
	return mustApply(t, m, state.Plan{Job: j.ID, Tasks: tasks, Skip: skip})
}

// commit commits an attempt with large partitions, so that each becomes a task, and plans what follows.
func commit(t fataler, m *state.Machine, id state.AttemptID, at time.Time) *state.Job {
	j := m.Job(id.Job)
	s := j.Stages[id.Stage]
	var r plan.Result
	for _, out := range s.Outputs {
		if j.Graph.Nodes[out].Kind == plan.Exchange {
			sizes := make([]int64, j.Stages[id.Stage+1].Partitions)
			for p := range sizes {
				sizes[p] = 5 << 20
			}
			r.Shuffles = append(r.Shuffles, plan.ShuffleOutput{Exchange: out, Bytes: sizes})
			continue
		}
		task := s.Task(id.Task)
		lo, hi := task.Lo, task.Hi
		if task.Split != nil {
			lo, hi = task.Index, task.Index+1
		}
		for p := lo; p < hi; p++ {
			r.Parts = append(r.Parts, plan.Part{Sink: out, Partition: p})
		}
	}
	j = mustApply(t, m, state.Commit{Attempt: id, Result: r, At: at})
	if j.Duty == state.DutyPlan {
		j = planNext(t, m, j)
	}
	return j
}
