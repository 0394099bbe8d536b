package worker

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"fletch/api"
	"fletch/fault"
)

// verdict is why the loop ends an executor before its job has ended. What its attempts end with depends on them: those
// that were stopped have a reason of their own.
type verdict struct {
	what  string
	class fault.Class // of the error of attempts that were not stopped
}

// respawnAfter is how long the agent waits before it replaces a spare that has died.
const respawnAfter = time.Second

// keepSpare starts a spare executor if there is none.
func (a *agent) keepSpare() {
	if a.spare == nil && time.Now().After(a.spareAt) && !a.loading() {
		a.spare = a.spawn()
	}
}

// loading tells whether an executor loads a job just now. Starting another one beside it would make the job wait.
func (a *agent) loading() bool {
	for c := range a.children {
		if !c.loadBy.IsZero() && c.verdict == nil {
			return true
		}
	}
	return false
}

// spawn starts an executor.
func (a *agent) spawn() *child {
	c := newChild(a.directory("executor"))
	a.children[c] = true
	a.meter.executors.Inc()
	a.group.Go(func() error {
		x := c.run(a.ctx, a.Worker, a)
		a.post(func() { a.exited(c, x) })
		return nil
	})
	return c
}

// heard implements executorHost: it is called by the executor's receiver.
func (a *agent) heard(c *child, m *api.ExecutorMessage) {
	switch m := m.GetMessage().(type) {
	case *api.ExecutorMessage_Log:
		if log := c.printed.log(); log != nil {
			log.append(logLine{
				Time: time.Unix(0, m.Log.GetTimeUnixNanos()), Attempt: m.Log.GetAttempt(), Level: m.Log.GetLevel(), Text: m.Log.GetText(),
			})
		}
	case *api.ExecutorMessage_Loaded:
		a.post(func() {
			if c.verdict == nil {
				a.loaded(c, m.Loaded)
			}
		})
	case *api.ExecutorMessage_Ended:
		a.post(func() { a.ended(c, m.Ended) })
	case *api.ExecutorMessage_Progress:
		a.post(func() { a.progressed(c, m.Progress) })
	}
}

// reserve implements executorHost.
func (a *agent) reserve(c *child, attempt string, bytes int64) (*os.File, error) {
	outputs := c.outputs.Load()
	if outputs == nil {
		return nil, errEnded
	}
	return outputs.reserve(attempt, bytes)
}

// openOutput implements executorHost.
func (a *agent) openOutput(c *child, attempt string) (*os.File, error) {
	outputs := c.outputs.Load()
	if outputs == nil {
		return nil, errEnded
	}
	return outputs.open(attempt)
}

// exited takes the end of an executor.
func (a *agent) exited(c *child, x exit) {
	delete(a.children, c)
	j := c.job
	if j == nil {
		what, _, _ := x.cause()
		a.config.Log.Error("the spare executor has died", "cause", what)
		a.spare, a.spareAt = nil, time.Now().Add(respawnAfter)
		return
	}
	j.child = nil
	if j.ended {
		a.clear(j)
		return
	}
	a.blame(c, x)
	a.warn("sweep a job's directory", j.outputs.sweep())
	a.share()
	a.advance(j)
	a.keepSpare()
}

// blame ends the attempts that an executor took with it.
func (a *agent) blame(c *child, x exit) {
	j, v := c.job, c.verdict
	var victims []*attempt
	for _, t := range j.attempts {
		if t.sent || !c.loaded && (v == nil || v.what != "") {
			victims = append(victims, t)
		}
	}
	slices.SortFunc(victims, func(s, t *attempt) int { return strings.Compare(s.name, t.name) })
	death := &deathError{}
	if v == nil {
		v = &verdict{}
		v.what, death.frames, v.class = x.cause()
		v.what = fmt.Sprintf("the executor died %s: %s", j.scene(victims), v.what)
	} else {
		d := parseDump(x.dump)
		death.frames = d.atWork()
	}
	death.text = v.what
	if v.what != "" {
		a.config.Log.Warn("an executor died", "job", j.order.GetJob(), "cause", v.what)
		j.log.add("ERROR", v.what)
	}
	for _, t := range victims {
		err := fault.As(v.class, death)
		if !t.stopBy.IsZero() {
			err = t.disobeyed(death.frames)
		}
		a.fail(t, err)
	}
}

// maxNamed is how many attempts and operators an error names.
const maxNamed = 6

// scene says what ran in the executor.
func (j *job) scene(victims []*attempt) string {
	if len(victims) == 0 {
		return "between attempts"
	}
	if !victims[0].sent {
		return "while it loaded the job (init functions, and the function Job)"
	}
	names := make([]string, len(victims))
	stages := map[int32]bool{}
	for i, t := range victims {
		names[i] = t.name
		stages[t.order.GetTask().GetStage()] = true
	}
	return fmt.Sprintf("while it ran %s (%s)", some(names), some(j.operators(stages)))
}

// operators names the operators of stages, with the lines that made them.
func (j *job) operators(stages map[int32]bool) []string {
	var names []string
	nodes := j.order.GetGraph().GetNodes()
	for _, s := range j.order.GetStages() {
		if !stages[s.GetId()] {
			continue
		}
		for _, id := range s.GetNodes() {
			if int(id) < len(nodes) {
				names = append(names, nodes[id].GetOp()+" at "+nodes[id].GetSite())
			}
		}
	}
	return names
}

func some(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}

// condemn ends an executor, which shows its stacks before.
func (a *agent) condemn(c *child, v *verdict) {
	c.verdict = v
	c.dumpAndKill(a.config.waits.dump)
}

// checkLoading ends executors whose job does not get loaded.
func (a *agent) checkLoading(now time.Time) {
	for c := range a.children {
		if c.verdict == nil && !c.loadBy.IsZero() && now.After(c.loadBy) {
			a.condemn(c, &verdict{
				what:  fmt.Sprintf("the job was not loaded within %v: does an init function or the function Job hang?", a.config.waits.load),
				class: fault.User,
			})
		}
	}
}

// checkAttempts stops attempts that finish no record, and ends the executors of those that do not obey.
func (a *agent) checkAttempts(now time.Time) {
	for _, t := range a.attempts {
		c := t.job.child
		switch {
		case !t.sent || c.verdict != nil:
		case t.stopBy.IsZero() && now.Sub(t.grew) > a.config.StuckAfter:
			t.stuck = true
			operators := some(t.job.operators(map[int32]bool{t.order.GetTask().GetStage(): true}))
			a.halt(t, fmt.Sprintf("no record was finished for %v: does the function ever return? It is one of %s", a.config.StuckAfter, operators))
		case !t.stopBy.IsZero() && now.After(t.stopBy):
			a.condemn(c, &verdict{what: fmt.Sprintf("the executor was killed, as its attempt %s did not stop: %s", t.name, t.reason)})
		}
	}
}
