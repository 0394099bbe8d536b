package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"fletch/engine/plan"
	"fletch/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts runs the golden scripts. Each command is a second later than the one before it and is applied twice: the
// second time it must change nothing and give the same answer. The commands of a script:
//
//	submit ID [user=N] [retryable=N] [lost=N] [by=USER]    a job, in the language of parseGraph
//	plan ID                                                what plan.Next returns
//	commit ATTEMPT [bytes=(N, ...)] [on=WORKER] [epoch=N]  a fitting result, with these bytes in each exchange
//	fail ATTEMPT CLASS [lost=(ATTEMPT, ...)] [on=WORKER]   the message is the input
//	cancel ID [by=USER], publish|published|abort ID        the reason is the input
//	register WORKER [as=INCARNATION], lose WORKER [epoch=N]
//	audit USER ACTION SUBJECT
//	show|facts|parts|outputs|counters|explain ID, producers ID STAGE
//	active, jobs, workers, entries
//
// An epoch that is not given is the worker's own. Commands that change a job answer with its status and duty.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, file string) {
		s := &script{m: New()}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			s.now = s.now.Add(time.Second)
			if c := s.command(t, d); c != nil {
				return s.apply(t, c)
			}
			return s.show(t, d)
		})
	})
}

type script struct {
	m   *Machine
	now time.Time
}

func (s *script) apply(t *testing.T, c Command) string {
	o, err := s.m.Apply(c)
	j := o.Job
	again, err2 := s.m.Apply(c)
	if o != again || fmt.Sprint(err) != fmt.Sprint(err2) {
		t.Fatalf("applied again: %v instead of %v", err2, err)
	}
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "%s error: %v\n", fault.ClassOf(err), err)
	}
	if o.Worker.ID != "" {
		showWorker(&b, o.Worker)
	}
	if j != nil {
		duties := [...]string{"no duty", "plan", "commit", "publish"}
		fmt.Fprintf(&b, "%s, %s\n", j.Status, duties[j.Duty])
		if j.Err() != nil {
			fmt.Fprintf(&b, "%s: %v\n", fault.ClassOf(j.Err()), j.Err())
		}
	}
	return b.String()
}

// command returns the command of a directive, nil where it only shows something.
func (s *script) command(t *testing.T, d *datadriven.TestData) Command {
	first := ""
	if len(d.CmdArgs) > 0 {
		first = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "submit":
		g, splits := parseGraph(t, d.Input)
		c := Submit{ID: first, Graph: g, Splits: splits, At: s.now}
		d.MaybeScanArgs(t, "user", &c.Settings.MaxUser)
		d.MaybeScanArgs(t, "retryable", &c.Settings.MaxRetryable)
		d.MaybeScanArgs(t, "lost", &c.Settings.MaxLost)
		d.MaybeScanArgs(t, "by", &c.User)
		return c
	case "plan":
		c := Plan{Job: first}
		if j := s.m.Job(first); j != nil {
			c = nextPlan(t, j)
		}
		c.At = s.now
		return c
	case "commit":
		id := parseAttempt(t, first)
		var bytes []int64
		if arg, ok := d.Arg("bytes"); ok {
			for i := range arg.Vals {
				var n int64
				arg.Scan(t, i, &n)
				bytes = append(bytes, n)
			}
		}
		c := Commit{Attempt: id, Result: fittingResult(s.m.Job(id.Job), id, bytes), At: s.now}
		d.MaybeScanArgs(t, "on", &c.Worker)
		c.Epoch = s.epoch(t, d, c.Worker)
		return c
	case "fail":
		c := Fail{Attempt: parseAttempt(t, first), Class: parseClass(t, d.CmdArgs[1].Key), Message: d.Input, At: s.now}
		if arg, ok := d.Arg("lost"); ok {
			for _, id := range arg.Vals {
				c.Lost = append(c.Lost, parseAttempt(t, id))
			}
		}
		d.MaybeScanArgs(t, "on", &c.Worker)
		return c
	case "cancel":
		c := Cancel{Job: first, Reason: d.Input, At: s.now}
		d.MaybeScanArgs(t, "by", &c.User)
		return c
	case "register":
		c := Register{Worker: first, Incarnation: "one", Address: first + ":1", At: s.now}
		d.MaybeScanArgs(t, "as", &c.Incarnation)
		return c
	case "lose":
		return Lose{Worker: first, Epoch: s.epoch(t, d, first), At: s.now}
	case "audit":
		return Audit{User: first, Action: d.CmdArgs[1].Key, Subject: d.CmdArgs[2].Key, At: s.now}
	case "publish":
		return Publish{Job: first, At: s.now}
	case "published":
		return Published{Job: first, At: s.now}
	case "abort":
		return Abort{Job: first, Class: fault.Permanent, Message: d.Input, At: s.now}
	}
	return nil
}

func (s *script) epoch(t *testing.T, d *datadriven.TestData, worker string) uint64 {
	w, _ := s.m.Worker(worker)
	d.MaybeScanArgs(t, "epoch", &w.Epoch)
	return w.Epoch
}

func showWorker(b *strings.Builder, w Worker) {
	lost := ""
	if w.Lost {
		lost = ", lost"
	}
	fmt.Fprintf(b, "%s at %s: epoch %d%s\n", w.ID, w.Address, w.Epoch, lost)
}

// lists shows what is not of one job.
func (s *script) lists(b *strings.Builder, what string) bool {
	jobs := s.m.Active()
	switch what {
	case "active":
	case "jobs":
		jobs = s.m.Jobs()
	case "workers":
		for _, w := range s.m.Workers() {
			showWorker(b, w)
		}
		return true
	case "entries":
		for _, e := range s.m.Audit() {
			fmt.Fprintf(b, "%s: %s %s %s\n", e.At.Sub(time.Time{}), e.User, e.Action, e.Subject)
		}
		return true
	default:
		return false
	}
	for _, j := range jobs {
		fmt.Fprintln(b, j.ID, j.Name(), j.Status)
	}
	return true
}

func (s *script) show(t *testing.T, d *datadriven.TestData) string {
	var b strings.Builder
	if s.lists(&b, d.Cmd) {
		return b.String()
	}
	j := s.m.Job(d.CmdArgs[0].Key)
	switch d.Cmd {
	case "show":
		showJob(&b, j)
	case "facts":
		f := j.Facts()
		fmt.Fprintf(&b, "tasks %v, complete %v, bytes %v\n", f.Tasks, f.Complete, f.Bytes)
	case "explain":
		b.WriteString(plan.Explain(j.Graph, j.Plan(), j.Facts()))
	case "outputs":
		for _, o := range j.Outputs() {
			fmt.Fprintf(&b, "sink %d: %d parts\n", o.Sink, o.Parts)
		}
	case "counters":
		fmt.Fprintf(&b, "%v, %d rows in, %d rows out\n", j.Counters(), j.Metrics().RowsIn, j.Metrics().RowsOut)
	case "producers":
		var stage int
		if _, err := fmt.Sscan(d.CmdArgs[1].Key, &stage); err != nil {
			t.Fatal(err)
		}
		producers := j.Producers(stage)
		for _, x := range slices.Sorted(maps.Keys(producers)) {
			fmt.Fprintf(&b, "exchange %d:\n", x)
			for _, p := range producers[x] {
				fmt.Fprintln(&b, strings.TrimRight("  "+p.Attempt.String()+" "+p.Worker, " "))
			}
		}
	case "parts":
		for sink := range j.Graph.Nodes {
			for i, p := range j.Parts()[sink] {
				fmt.Fprintf(&b, "sink %d, part %d: %s\n", sink, i, p.Name)
			}
		}
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return b.String()
}

// showJob prints all that a snapshot holds, so that two prints differ if anything does.
func showJob(b *strings.Builder, j *Job) {
	offset := func(at time.Time) string {
		if at.IsZero() {
			return "never"
		}
		return at.Sub(time.Time{}).String()
	}
	fmt.Fprintf(b, "%s, submitted %s, started %s, finished %s\n", j.Status, offset(j.Submitted), offset(j.Started), offset(j.Finished))
	for i, s := range j.Stages {
		skew := ""
		if s.Skipped {
			fmt.Fprintf(b, "stage %d: skipped\n", i)
			continue
		}
		if s.Skew != nil {
			skew = fmt.Sprintf(", partition %d has %d bytes of a mean of %d", s.Skew.Partition, s.Skew.Bytes, s.Skew.MeanBytes)
		}
		fmt.Fprintf(b, "stage %d: %d of %d committed, %d failed, started %s, finished %s%s\n",
			i, s.Committed, s.Len(), s.Failed, offset(s.Started), offset(s.Finished), skew)
		for t := range s.Tasks() {
			fmt.Fprintf(b, "  task %d: ", t.Index)
			if t.Committed {
				on := ""
				if t.Holder.Worker != "" {
					on = fmt.Sprintf(" on %s in epoch %d", t.Holder.Worker, t.Holder.Epoch)
				}
				fmt.Fprintf(b, "won by %s%s, %d parts\n", t.Winner, on, len(t.Parts))
			} else {
				fmt.Fprintf(b, "pending, stage attempt %d, retry %s\n", t.StageAttempt, offset(t.RetryAt))
			}
			for _, f := range t.Failures {
				fmt.Fprintf(b, "    %s at %s: %s: %s\n", strings.TrimSpace(f.Attempt.String()+" "+f.Worker), offset(f.At), f.Class, f.Message)
			}
		}
	}
}
