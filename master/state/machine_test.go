package state

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fletch/engine/plan"
	"fletch/fault"
)

// shapes are the jobs of the random tests.
var shapes = []string{
	"read 1\nwrite 0",
	"read 3\nshuffle 4 0\nwrite 1",
	"read 2\nshuffle 3 0\nshuffle 2 1\nmap 2\nwrite 3\nwrite 1",
	"read 2\nshuffle 2 0\nmap 0 1\nshuffle 1 2\nwrite 3\nwrite 2",
	"read 0\nread 70\nmap 0 1\nwrite 2\nshuffle 2 2\nwrite 4",
	"read 2\nshuffle 3 0\nread 1\nshuffle 3 2\nmeet 1 3\nwrite 4",
	"read 2\nshuffle 1 0\nshuffle 1 1\nmap 0 +2\nwrite 3\nshuffle 2 3\nwrite 5",
	"read 2\nshuffle 3 0\nread 1\nshuffle 3 2\nlookup 3 1\nshuffle 2 4\nwrite 5",
	"read 2\nthin 0\nshuffle 1 1\nshuffle 3 0 +2\nwrite 3\nshuffle 2 3 +1\nwrite 5",
	"read 2\nshuffle 2 0\nread 1\nshuffle 2 2\nmeet 1 3\nrow 2 4\nshuffle 2 5\nrow 2 6\nwrite 7\nwrite 5",
	"read 2\nshuffle 2 0\nread 1\nshuffle 2 2\nmeet 1 3\nthin 4\nshuffle 1 5\nshuffle 3 4 +6\nwrite 7\nrow 2 7\nshuffle 2 9\nwrite 10",
	"read 2\nshuffle 2 0\nread 1\nshuffle 2 2\nlookup 3 1\nrow 2 4\nshuffle 2 5\nread 1\nshuffle 2 7\nmeet 6 8\nrow 3 9\nwrite 10",
}

// world drives one machine with random commands and checks each step. From some step on a twin, restored from a snapshot,
// gets the same commands and must give the same answers.
type world struct {
	m, twin   *Machine
	calm      bool // most commands bring the job on
	now       time.Time
	accepted  []Command
	bytes     map[int][]int64 // by exchange: what first winners wrote
	read      map[attempted]string
	snapshots []snapshot
}

// attempted is a task under a stage attempt.
type attempted struct{ stage, task, stageAttempt int }

type snapshot struct {
	job  *Job
	text string
}

func TestRandomCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{m: New(), now: time.Unix(1, 0).UTC(), bytes: make(map[int][]int64), read: make(map[attempted]string)}
		g, splits := parseGraph(t, rapid.SampledFrom(shapes).Draw(t, "shape"))
		w.apply(t, Submit{ID: "a", Graph: g, Splits: splits, Settings: Settings{MaxLost: rapid.IntRange(0, 9).Draw(t, "lost")}})
		b, _ := w.m.Apply(Submit{ID: "b", Graph: g, Splits: splits})
		if w.calm = rapid.Bool().Draw(t, "calm"); w.calm {
			for _, worker := range []string{"w1", "w2", "w3"} {
				w.apply(t, Register{Worker: worker, Incarnation: "one", Address: "host:1", At: w.now})
			}
		}
		steps := rapid.IntRange(0, 120).Draw(t, "steps")
		restore := rapid.IntRange(0, steps).Draw(t, "restore")
		for i := range steps {
			if i == restore {
				w.twin = copyOf(t, w.m)
			}
			w.apply(t, w.draw(t))
		}
		w.finish(t)
		if w.twin != nil && !reflect.DeepEqual(w.m, w.twin) {
			t.Fatal("the restored machine holds something else in the end")
		}
		ended := w.m.Job("a")
		for _, c := range w.accepted {
			if _, _ = w.m.Apply(c); w.m.Job("a") != ended {
				t.Fatalf("%#v changed a job that has ended", c)
			}
		}
		for _, s := range w.snapshots {
			if text := fullText(s.job); text != s.text {
				t.Fatalf("a snapshot has changed from\n%s\nto\n%s", s.text, text)
			}
		}
		if w.m.Job("b") != b.Job {
			t.Fatal("another job has changed")
		}
	})
}

// draw draws a command of any kind, sensible or not.
func (w *world) draw(t *rapid.T) Command {
	w.now = w.now.Add(time.Second)
	if w.calm && rapid.IntRange(0, 7).Draw(t, "calm") > 0 {
		return w.drawAdvance(t)
	}
	kinds := []string{
		"commit", "commit", "commit", "advance", "advance", "advance", "advance", "advance", "advance", "advance", "fail",
		"unread", "plan", "publish", "published", "again", "register", "register", "lose", "end",
	}
	j := w.m.Job("a")
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "commit":
		id := drawAttempt(t, j)
		if !w.mayRun(j, id) {
			return w.drawAdvance(t)
		}
		return w.drawCommit(t, j, id)
	case "advance":
		return w.drawAdvance(t)
	case "register":
		return Register{
			Worker: drawWorker(t), Incarnation: rapid.SampledFrom([]string{"one", "two"}).Draw(t, "incarnation"), Address: "host:1", At: w.now,
		}
	case "lose":
		h := w.drawHolder(t)
		return Lose{Worker: h.Worker, Epoch: h.Epoch, At: w.now}
	case "fail":
		class := rapid.SampledFrom([]fault.Class{fault.Retryable, fault.User, fault.Cancelled, fault.Fenced, fault.FetchFailed}).Draw(t, "class")
		return Fail{Attempt: drawAttempt(t, j), Worker: drawWorker(t), Class: class, Message: "it broke", At: w.now}
	case "unread":
		c := Fail{Attempt: drawAttempt(t, j), Class: fault.FetchFailed, Message: "it is gone", At: w.now}
		if task := firstRunnable(j); task != nil {
			c.Attempt.Stage, c.Attempt.Task, c.Attempt.StageAttempt = task.Stage, task.Index, task.StageAttempt
			if producers := slices.Concat(slices.Collect(maps.Values(j.Producers(task.Stage)))...); len(producers) > 0 {
				slices.SortFunc(producers, func(a, b Producer) int { return a.Attempt.Compare(b.Attempt) })
				for _, p := range rapid.SliceOfN(rapid.SampledFrom(producers), 1, 2).Draw(t, "lost") {
					c.Lost = append(c.Lost, p.Attempt)
				}
			}
		}
		return c
	case "plan":
		c := nextPlan(t, j)
		c.At = w.now
		return c
	case "publish":
		return Publish{Job: "a", At: w.now}
	case "published":
		return Published{Job: "a", At: w.now}
	case "end":
		if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
			return Plan{Job: "a", At: w.now}
		}
		if rapid.Bool().Draw(t, "abort") {
			return Abort{Job: "a", Class: fault.Permanent, Message: "no", At: w.now}
		}
		return Cancel{Job: "a", Reason: "no", At: w.now}
	}
	return rapid.SampledFrom(w.accepted).Draw(t, "again")
}

// drawAdvance draws what brings the job on.
func (w *world) drawAdvance(t *rapid.T) Command {
	j := w.m.Job("a")
	if task := firstRunnable(j); task != nil && j.Duty == NoDuty {
		number := rapid.Uint64Range(1, 5).Draw(t, "number")
		return w.drawCommit(t, j, AttemptID{Job: "a", Stage: task.Stage, StageAttempt: task.StageAttempt, Task: task.Index, Term: 1, Number: number})
	}
	return w.duty(t, j)
}

// mayRun tells whether there can be such an attempt: not if its stage was never runnable under its stage attempt.
func (w *world) mayRun(j *Job, id AttemptID) bool {
	task := j.task(id)
	_, runnable := w.read[attempted{id.Stage, id.Task, id.StageAttempt}]
	return task == nil || task.StageAttempt != id.StageAttempt || runnable
}

// drawAttempt draws an attempt: most often a current one of some task.
func drawAttempt(t *rapid.T, j *Job) AttemptID {
	id := AttemptID{Job: j.ID, Term: rapid.Uint64Range(1, 2).Draw(t, "term"), Number: rapid.Uint64Range(1, 5).Draw(t, "number")}
	id.Stage = rapid.IntRange(0, len(j.Stages)-1).Draw(t, "stage")
	id.Task = rapid.IntRange(0, j.Stages[id.Stage].Len()).Draw(t, "task")
	if task := j.task(id); task != nil {
		id.StageAttempt = max(0, task.StageAttempt-rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "behind"))
	}
	return id
}

func drawWorker(t *rapid.T) string {
	return rapid.SampledFrom([]string{"w1", "w2", "w3"}).Draw(t, "worker")
}

// drawHolder draws a worker in an epoch, most often its current one.
func (w *world) drawHolder(t *rapid.T) Holder {
	h := Holder{Worker: drawWorker(t)}
	h.Epoch = w.m.workers[h.Worker].Epoch
	if rapid.IntRange(0, 9).Draw(t, "late") == 0 {
		h.Epoch = rapid.Uint64Range(0, h.Epoch+1).Draw(t, "epoch")
	}
	return h
}

func (w *world) drawCommit(t *rapid.T, j *Job, id AttemptID) Commit {
	r := fittingResult(j, id, nil)
	for i := range r.Shuffles {
		n := len(r.Shuffles[i].Bytes)
		r.Shuffles[i].Bytes = rapid.SliceOfN(rapid.Int64Range(0, 8<<20), n, n).Draw(t, "bytes")
	}
	h := w.drawHolder(t)
	if !w.m.workers.hold(h) && rapid.Bool().Draw(t, "none") {
		h = Holder{} // as in one process
	}
	return Commit{Attempt: id, Result: r, Worker: h.Worker, Epoch: h.Epoch, At: w.now}
}

// apply applies a command twice and checks the change against what the command may do.
func (w *world) apply(t *rapid.T, c Command) {
	before := w.m.Job("a")
	resent := w.wasAccepted(c)
	o, err := w.m.Apply(c)
	j := w.m.Job("a")
	again, err2 := w.m.Apply(c)
	if o != again || w.m.Job("a") != j || fmt.Sprint(err) != fmt.Sprint(err2) {
		t.Fatalf("%#v: %v, applied again: %v", c, err, err2)
	}
	if w.twin != nil {
		o2, err2 := w.twin.Apply(c)
		if !reflect.DeepEqual(o, o2) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("%#v: %v, on the restored machine: %v\n%s\n%s", c, err, err2, fullText(j), fullText(w.twin.Job("a")))
		}
		if again, _ := w.twin.Apply(c); again != o2 {
			t.Fatalf("%#v changed the restored machine when it came again", c)
		}
	}
	if _, register := c.(Register); resent && !register && j != before {
		t.Fatalf("%#v changed the job when it came again", c)
	}
	if err != nil && j != before {
		t.Fatalf("%#v was refused, but it changed the job: %v", c, err)
	}
	if err == nil && !resent {
		w.accepted = append(w.accepted, c)
	}
	if before != nil && j != before {
		w.checkStep(t, before, j, c)
	}
	w.checkJob(t, j)
	if j != before {
		w.snapshots = append(w.snapshots, snapshot{j, fullText(j)})
	}
}

func (w *world) wasAccepted(c Command) bool {
	for _, a := range w.accepted {
		if reflect.DeepEqual(a, c) {
			return true
		}
	}
	return false
}

// checkStep checks what happened to each task.
func (w *world) checkStep(t *rapid.T, before, after *Job, c Command) {
	if before.Status.Ended() || after.Status < before.Status {
		t.Fatalf("%#v took the job from %s to %s", c, before.Status, after.Status)
	}
	for i, s := range before.Stages {
		if after.Status.Ended() {
			break // the tasks are not kept
		}
		anew := beginsAnew(before, after, i)
		for was := range s.Tasks() {
			now := after.Stages[i].Task(was.Index)
			if again := was.Committed && !now.Committed; (now.StageAttempt > was.StageAttempt) != (anew || again) || now.StageAttempt > was.StageAttempt+1 {
				t.Fatalf("%#v took stage %d, task %d from stage attempt %d to %d", c, i, was.Index, was.StageAttempt, now.StageAttempt)
			}
			commit, committed := c.(Commit)
			fail, failed := c.(Fail)
			switch {
			case was.Committed && now.Committed:
				if was != now {
					t.Fatalf("%#v changed a committed task", c)
				}
			case was.Committed:
				reported := failed && slices.Contains(fail.Lost, was.Winner)
				if !anew && (!reported && w.m.workers.hold(was.Holder) || !after.needs(&s.Stage)) {
					t.Fatalf("%#v took %s its win", c, was.Winner)
				}
			case now.Committed:
				if !committed || commit.Attempt != now.Winner || now.StageAttempt != was.StageAttempt || !w.m.workers.hold(now.Holder) {
					t.Fatalf("%#v made %s win", c, now.Winner)
				}
				if !was.Measured {
					w.measure(commit.Result.Shuffles)
				}
			}
		}
	}
}

// beginsAnew tells whether the tasks of a stage have to begin anew after a change, as a stage that they read has whose output
// depends on order, or what that comes from.
func beginsAnew(before, after *Job, stage int) bool {
	return slices.ContainsFunc(after.writersFor(stage), func(writer int) bool {
		reopened := false
		for was := range before.Stages[writer].Tasks() {
			reopened = reopened || after.Stages[writer].Task(was.Index).StageAttempt > was.StageAttempt
		}
		return reopened && after.Stages[writer].OrderDependent || beginsAnew(before, after, writer)
	})
}

// writersFor returns the stages that write what a stage reads.
func (j *Job) writersFor(stage int) (writers []int) {
	reads := j.Stages[stage].Reads(j.Graph)
	for i, s := range j.Stages {
		if slices.ContainsFunc(s.Outputs, func(out int) bool { return slices.Contains(reads, out) }) {
			writers = append(writers, i)
		}
	}
	return writers
}

// source says what a stage reads, as far as it may be another when it is made again: the winners of the stages whose output
// depends on order, directly or not.
func (j *Job) source(stage int) string {
	var b strings.Builder
	for _, writer := range j.writersFor(stage) {
		if j.Stages[writer].OrderDependent {
			for task := range j.Stages[writer].Tasks() {
				fmt.Fprint(&b, task.Winner, " ")
			}
		}
		b.WriteString(j.source(writer))
	}
	return b.String()
}

// checkRead checks that an attempt reads the same whenever it can begin, and that this stands once it has won.
func (w *world) checkRead(t *rapid.T, j *Job) {
	for i, s := range j.Stages {
		if j.Status.Ended() || s.Committed == 0 && !j.Runnable(i) {
			continue
		}
		source := j.source(i)
		for task := range s.Tasks() {
			if !task.Committed && !j.Runnable(i) {
				continue
			}
			at := attempted{i, task.Index, task.StageAttempt}
			if read, known := w.read[at]; known && read != source {
				t.Fatalf("stage %d, task %d has read %s, which is now %s", i, task.Index, read, source)
			}
			w.read[at] = source
		}
	}
}

func (w *world) measure(outputs []plan.ShuffleOutput) {
	for _, out := range outputs {
		if w.bytes[out.Exchange] == nil {
			w.bytes[out.Exchange] = make([]int64, len(out.Bytes))
		}
		for p, b := range out.Bytes {
			w.bytes[out.Exchange][p] += b
		}
	}
}

// checkJob checks a snapshot's invariants.
func (w *world) checkJob(t *rapid.T, j *Job) {
	for _, s := range j.Stages {
		if j.Status.Ended() {
			break // the tasks are not kept
		}
		committed := 0
		var metrics plan.Metrics
		for task := range s.Tasks() {
			if task.Committed {
				committed++
				metrics.Add(task.Metrics)
			}
			won := task.Winner != AttemptID{}
			if won != task.Committed || won && task.Winner.StageAttempt != task.StageAttempt || task.failed(task.Winner) != nil {
				t.Fatalf("task %+v", task)
			}
			if len(task.Failures) > 5 {
				t.Fatalf("%d failures", len(task.Failures))
			}
		}
		if s.Skipped {
			if s.Len() > 0 || len(s.If) == 0 || !s.Complete() {
				t.Fatalf("stage %d is skipped: %+v", s.ID, s)
			}
			continue
		}
		if s.Committed != committed || s.Metrics != metrics || s.Complete() != (committed == s.Len() && s.Len() > 0) || s.Complete() == s.Finished.IsZero() {
			t.Fatalf("stage %d has %d tasks committed with %+v: %+v", s.ID, committed, metrics, s)
		}
		if j.Decided && !s.Complete() {
			t.Fatalf("the commit is decided, but stage %d is not complete", s.ID)
		}
		for _, parent := range s.Parents {
			for task := range j.Stages[parent].Tasks() {
				if !s.Complete() && task.Committed && !w.m.workers.hold(task.Holder) {
					t.Fatalf("stage %d is to read %s, which %+v does not hold any more", s.ID, task.Winner, task.Holder)
				}
			}
		}
	}
	w.checkRead(t, j)
	if have := j.Facts().Bytes; !j.Status.Ended() && !reflect.DeepEqual(have, w.bytes) {
		t.Fatalf("the exchanges have %v bytes, want %v", have, w.bytes)
	}
	if !j.Status.Ended() && j.Duty == NoDuty && firstRunnable(j) == nil {
		t.Fatalf("nothing can bring the job on: %s", fullText(j))
	}
	if j.Duty != j.duty() || j.Status.Ended() == j.Finished.IsZero() || (j.Failure != nil) != (j.Status == Failed || j.Status == Cancelled) {
		t.Fatalf("job %+v", j)
	}
	if active := len(w.m.Active()); j.Status.Ended() && active > 1 {
		t.Fatalf("%d jobs are active", active)
	}
}

// finish brings the job to its end by paying its duties and committing what can run.
func (w *world) finish(t *rapid.T) {
	number := uint64(100)
	for j := w.m.Job("a"); !j.Status.Ended(); j = w.m.Job("a") {
		if number++; number > 1000 {
			t.Fatalf("the job does not end: %s", fullText(j))
		}
		if task := firstRunnable(j); j.Duty == NoDuty && task != nil {
			id := AttemptID{Job: "a", Stage: task.Stage, StageAttempt: task.StageAttempt, Task: task.Index, Term: 3, Number: number}
			w.apply(t, Commit{Attempt: id, Result: fittingResult(j, id, nil), At: w.now})
			continue
		}
		w.apply(t, w.duty(t, j))
	}
}

// duty returns what the job asks for.
func (w *world) duty(t *rapid.T, j *Job) Command {
	switch j.Duty {
	case DutyCommit:
		return Publish{Job: "a", At: w.now}
	case DutyPublish:
		checkParts(t, j)
		return Published{Job: "a", At: w.now}
	default:
		c := nextPlan(t, j)
		c.At = w.now
		return c
	}
}

func firstRunnable(j *Job) *Task {
	for i, s := range j.Stages {
		if task := s.NextPending(0); task != nil && j.Runnable(i) {
			return task
		}
	}
	return nil
}

// checkParts checks that a job whose commit is decided publishes each part of each task's winner once and in order.
func checkParts(t *rapid.T, j *Job) {
	want := make(map[int][]string)
	for i, s := range j.Stages {
		if !s.Complete() {
			t.Fatalf("the commit is decided without stage %d", i)
		}
		for task := range s.Tasks() {
			lo, hi := task.Lo, task.Hi
			if task.Split != nil {
				lo, hi = task.Index, task.Index+1
			}
			for _, out := range s.Outputs {
				for p := lo; p < hi && j.Graph.Nodes[out].Kind == plan.Sink; p++ {
					want[out] = append(want[out], fmt.Sprintf("%s-%d-%d", task.Winner, out, p))
				}
			}
		}
	}
	have := make(map[int][]string)
	for sink, parts := range j.Parts() {
		for _, p := range parts {
			have[sink] = append(have[sink], p.Name)
		}
	}
	if !reflect.DeepEqual(have, want) {
		t.Fatalf("parts %v, want %v", have, want)
	}
}

func fullText(j *Job) string {
	var b strings.Builder
	showJob(&b, j)
	fmt.Fprintf(&b, "%d %v %v %+v %v %v %v", j.Duty, j.Decided, j.Failure, j.Facts(), j.Parts(), j.Counters(), j.Metrics())
	return b.String()
}

// TestSnapshotsAreReadWhileCommandsApply is for the race detector.
func TestSnapshotsAreReadWhileCommandsApply(t *testing.T) {
	m := New()
	g, splits := parseGraph(t, "read 300\nshuffle 3 0\nwrite 1")
	o, err := m.Apply(Submit{ID: "a", Graph: g, Splits: splits})
	if err != nil {
		t.Fatal(err)
	}
	snapshots := make(chan *Job, 1) // closed by this test after the last command
	joined := make(chan struct{})   // closed by the reader
	go func() {
		defer close(joined)
		for j := range snapshots {
			fullText(j)
		}
	}()
	o, _ = m.Apply(Plan{Job: "a", Tasks: nextTasks(t, o.Job)})
	for i := range 300 {
		id := AttemptID{Job: "a", Task: i, Term: 1, Number: 1}
		if i%3 == 0 {
			_, _ = m.Apply(Fail{Attempt: id, Message: "broke"})
			id.Number++
		}
		snapshots <- o.Job
		if o, err = m.Apply(Commit{Attempt: id, Result: fittingResult(o.Job, id, nil)}); err != nil {
			t.Error(err)
		}
	}
	close(snapshots)
	<-joined
	if o.Job.Duty != DutyPlan {
		t.Errorf("duty %d after the last commit", o.Job.Duty)
	}
}
