package state

import (
	"strings"
	"testing"

	"fletch/engine/plan"
	"fletch/fault"
)

// chain returns a job of two splits, four partitions and a sink on each side, with its first stage planned.
func chain(t *testing.T) (*Machine, *Job) {
	m := New()
	g, splits := parseGraph(t, "read 2\nshuffle 4 0\nwrite 1\nwrite 0")
	o, err := m.Apply(Submit{ID: "a", Graph: g, Splits: splits})
	if err != nil {
		t.Fatal(err)
	}
	if o, err = m.Apply(Plan{Job: "a", Tasks: nextTasks(t, o.Job)}); err != nil {
		t.Fatal(err)
	}
	return m, o.Job
}

func commitAll(t *testing.T, m *Machine, stage int) *Job {
	j := m.Job("a")
	for task := range j.Stages[stage].Tasks() {
		id := AttemptID{Job: "a", Stage: stage, Task: task.Index, Term: 1, Number: 1}
		if _, err := m.Apply(Commit{Attempt: id, Result: fittingResult(j, id, nil)}); err != nil {
			t.Fatal(err)
		}
	}
	return m.Job("a")
}

func TestPlanIsRefused(t *testing.T) {
	read := func(lo, hi int) plan.Task { return plan.Task{Stage: 1, Lo: lo, Hi: hi} }
	number := func(tasks ...plan.Task) []plan.Task {
		for i := range tasks {
			tasks[i].Index = i
		}
		return tasks
	}
	split := &plan.Split{}
	first := &plan.Split{Files: []plan.FileRange{{Path: "0", Length: 8, Size: 8}}, Bytes: 8}
	tests := []struct {
		name  string
		tasks []plan.Task
		want  string
	}{
		{"no such stage", []plan.Task{{Stage: 2}}, "it has no stage 2"},
		{"negative stage", []plan.Task{{Stage: -1}}, "it has no stage -1"},
		{"planned otherwise", []plan.Task{{Stage: 0, Split: split}}, "stage 0 is planned already"},
		{"planned with more", []plan.Task{{Stage: 0, Split: first}}, "stage 0 is planned already"},
		{"planned with other splits", []plan.Task{{Split: split}, {Index: 1, Split: split}}, "stage 0 is planned already"},
		{"index", []plan.Task{{Stage: 1, Index: 1, Hi: 4}}, "stage 1 has task 1 at 0"},
		{"split", number(plan.Task{Stage: 1, Hi: 4, Split: split}), "a source's task, and only that, has a split"},
		{"gap", number(read(0, 2), read(3, 4)), "task 1 reads partitions [3, 4) after 2"},
		{"overlap", number(read(0, 2), read(1, 4)), "task 1 reads partitions [1, 4) after 2"},
		{"empty", number(read(0, 0), read(0, 4)), "task 0 reads partitions [0, 0) after 0"},
		{"too few", number(read(0, 3)), "stage 1 reads 3 of 4 partitions"},
		{"too many", number(read(0, 5)), "stage 1 reads 5 of 4 partitions"},
		{"twice at once", append(number(read(0, 4)), plan.Task{Stage: 0, Split: split}), "stage 0 is planned already"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, _ := chain(t)
			j := commitAll(t, m, 0)
			after, err := m.Apply(Plan{Job: "a", Tasks: test.tasks})
			if err == nil || !strings.Contains(err.Error(), test.want) || after.Job != j {
				t.Errorf("Plan: %v, want %q; changed: %v", err, test.want, after.Job != j)
			}
		})
	}
	skips := []struct {
		name  string
		after int // stages that are complete
		skip  []int
		want  string
	}{
		{"no such stage", 0, []int{5}, "it has no stage 5"},
		{"negative stage", 0, []int{-1}, "it has no stage -1"},
		{"needed", 1, []int{4}, "no other stage does what stage 4 does"},
		{"unknown yet", 0, []int{1}, "whether stage 1 is needed can't be known yet"},
		{"after another", 1, []int{3}, "whether stage 3 is needed can't be known yet"},
	}
	for _, test := range skips {
		t.Run("skip "+test.name, func(t *testing.T) {
			m := New()
			g, splits := parseGraph(t, "read 3\nshuffle 2 0\nread 1\nshuffle 2 2\nlookup 1 3\nshuffle 2 4\nwrite 5")
			o, err := m.Apply(Submit{ID: "a", Graph: g, Splits: splits})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Apply(Plan{Job: "a", Tasks: nextTasks(t, o.Job)}); err != nil {
				t.Fatal(err)
			}
			if test.after > 0 {
				commitAll(t, m, 0)
			}
			j := m.Job("a")
			after, err := m.Apply(Plan{Job: "a", Skip: test.skip})
			if err == nil || !strings.Contains(err.Error(), test.want) || after.Job != j {
				t.Errorf("Plan: %v, want %q; changed: %v", err, test.want, after.Job != j)
			}
		})
	}
	t.Run("too early", func(t *testing.T) {
		m, _ := chain(t)
		if _, err := m.Apply(Plan{Job: "a", Tasks: number(read(0, 4))}); err == nil || !strings.Contains(err.Error(), "what stage 1 reads is not complete") {
			t.Errorf("Plan: %v", err)
		}
	})
}

func TestCommitRefusesResultsThatDoNotFit(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(r *plan.Result)
	}{
		{"no shuffle", func(r *plan.Result) { r.Shuffles = nil }},
		{"shuffle twice", func(r *plan.Result) { r.Shuffles = append(r.Shuffles, r.Shuffles[0]) }},
		{"another exchange", func(r *plan.Result) { r.Shuffles[0].Exchange = 2 }},
		{"too few partitions", func(r *plan.Result) { r.Shuffles[0].Bytes = r.Shuffles[0].Bytes[1:] }},
		{"no part", func(r *plan.Result) { r.Parts = nil }},
		{"part twice", func(r *plan.Result) { r.Parts = append(r.Parts, r.Parts[0]) }},
		{"another sink", func(r *plan.Result) { r.Parts[0].Sink = 2 }},
		{"another partition", func(r *plan.Result) { r.Parts[0].Partition++ }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, j := chain(t)
			id := AttemptID{Job: "a", Term: 1, Number: 1}
			r := fittingResult(j, id, nil)
			test.spoil(&r)
			o, err := m.Apply(Commit{Attempt: id, Result: r})
			if j = o.Job; fault.ClassOf(err) != fault.Fenced || j.Status != Failed || fault.ClassOf(j.Err()) != fault.Permanent {
				t.Errorf("Commit: %v; the job has %s: %v", err, j.Status, j.Err())
			}
		})
	}
}

// TestFailuresOfOneSnapshotAreApart fails a task in two ways from the same snapshot: neither may show in the other, as
// a reader may hold either.
func TestFailuresOfOneSnapshotAreApart(t *testing.T) {
	_, j := chain(t)
	j.Settings.MaxUser = 100
	fail := func(j *Job, number uint64, message string) *Job {
		j, err := Fail{Attempt: AttemptID{Job: "a", Number: number}, Class: fault.User, Message: message}.change(j, nil)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	for n := range uint64(3) { // leaves room in the slice
		j = fail(j, n, "before")
	}
	one, two := fail(j, 10, "one"), fail(j, 11, "two")
	for want, j := range map[string]*Job{"one": one, "two": two} {
		if have := j.Stages[0].Task(0).Failures[3].Message; have != want {
			t.Errorf("the message is %q, want %q", have, want)
		}
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	m, _ := chain(t)
	o, err := m.Apply(Fail{Attempt: AttemptID{Job: "a", Number: 1}, Message: strings.Repeat("x", maxMessage+1)})
	if err != nil {
		t.Fatal(err)
	}
	if have := len(o.Job.Stages[0].Task(0).Failures[0].Message); have != maxMessage+len(" ...") {
		t.Errorf("the message has %d bytes", have)
	}
}

func TestPauseGrowsToTheLongest(t *testing.T) {
	for n, want := range map[int]int64{1: 100, 2: 200, 3: 400, 7: 6400, 8: 10_000, 9: 10_000, 1000: 10_000} {
		if have := pause(n).Milliseconds(); have != want {
			t.Errorf("pause(%d) = %d ms, want %d", n, have, want)
		}
	}
}

func TestSubmitRefusesWhatIsTooLarge(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*Submit)
		want  string
	}{
		{"arguments", func(c *Submit) { c.Args = []string{strings.Repeat("x", maxArgs), "y"} }, "1048577 bytes of arguments"},
		{"many arguments", func(c *Submit) { c.Args = make([]string, 65_537) }, "65537 arguments"},
		{"user", func(c *Submit) { c.User = strings.Repeat("x", 301) }, "301 bytes"},
		{"plugin", func(c *Submit) { c.Plugin = "../../etc/passwd" }, `"../../etc/passwd" is no SHA-256`},
		{"plugin's digits", func(c *Submit) { c.Plugin = strings.Repeat("G", 64) }, "is no SHA-256"},
		{"limit", func(c *Submit) { c.Settings.MaxRetryable = 101 }, "it takes 1 to 100"},
		{"operators", func(c *Submit) { c.Graph.Nodes = make([]plan.Node, 10_001) }, "10001 operators"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Submit{ID: "a", Plugin: strings.Repeat("0a", 32)}
			c.Graph, c.Splits = parseGraph(t, "read 1\nwrite 0")
			if _, err := New().Apply(c); err != nil {
				t.Fatal(err)
			}
			test.spoil(&c)
			m := New()
			_, err := m.Apply(c)
			if err == nil || !strings.Contains(err.Error(), test.want) || fault.ClassOf(err) != fault.Permanent || len(m.Jobs()) > 0 {
				t.Errorf("Submit: %v, want %q", err, test.want)
			}
		})
	}
}

// TestManyLongMessagesAreCut fails many tasks with long messages: the first are kept, of the others the beginning.
func TestManyLongMessagesAreCut(t *testing.T) {
	m := New()
	g, splits := parseGraph(t, "read 1100\nwrite 0")
	o, err := m.Apply(Submit{ID: "a", Graph: g, Splits: splits})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Apply(Plan{Job: "a", Tasks: nextTasks(t, o.Job)}); err != nil {
		t.Fatal(err)
	}
	for i := range 1100 {
		if o, err = m.Apply(Fail{Attempt: AttemptID{Job: "a", Task: i}, Message: strings.Repeat("x", maxMessage)}); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for task := range o.Job.Stages[0].Tasks() {
		kept += len(task.Failures[0].Message)
	}
	if want := maxLong*maxMessage + 100*(maxShortMessage+len(" ...")); kept != want {
		t.Errorf("%d bytes are kept, want %d", kept, want)
	}
	o, err = m.Apply(Fail{Attempt: AttemptID{Job: "a", Number: 1}, Class: fault.Permanent, Message: strings.Repeat("y", maxMessage)})
	if err != nil || o.Job.Failure == nil || len(o.Job.Failure.Message) < maxMessage {
		t.Errorf("the failure that ends the job: %v, %v", err, o.Job.Failure)
	}
}
