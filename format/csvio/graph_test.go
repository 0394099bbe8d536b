package csvio

import (
	"strings"
	"testing"

	"fletch/engine"
	"fletch/fault"
)

// TestMistakesAreToldWithTheGraph sees that what no file could hold is found before the job runs.
func TestMistakesAreToldWithTheGraph(t *testing.T) {
	type clash struct {
		Flat int   `fletch:"At.X"`
		At   point // its fields are the columns At.X and At.Y
	}
	for want, build := range map[string]func(*engine.Job){
		`csvio.Write two columns of the file would have the name "At.X"`: func(job *engine.Job) {
			Write(engine.FromSlice(job, []clash{}), "out")
		},
		"csvio.Write the records have no fields":                        func(job *engine.Job) { Write(engine.FromSlice(job, []struct{}{}), "out") },
		`csvio.Read two columns of the file would have the name "At.X"`: func(job *engine.Job) { Read[clash](job, "in.csv") },
		"csvio.Read the records have no fields":                         func(job *engine.Job) { Read[struct{}](job, "in.csv") },
		"csvio.Read type chan int is not supported":                     func(job *engine.Job) { Read[chan int](job, "in.csv") },
		`csvio.Read the delimiter is '"': it must be`:                   func(job *engine.Job) { Read[point](job, "in.csv", Delimiter('"')) },
		"csvio.Read the delimiter is '§'":                               func(job *engine.Job) { Read[point](job, "in.csv", Delimiter('§')) },
		"csvio.Read the path to read is empty":                          func(job *engine.Job) { Read[point](job, "") },
	} {
		job := engine.NewJob("test")
		build(job)
		err := job.Err()
		op, what, _ := strings.Cut(want, " ")
		if err == nil || !strings.Contains(err.Error(), op+" (") || !strings.Contains(err.Error(), what) || fault.ClassOf(err) != fault.Permanent {
			t.Errorf("error %v, want one of %s with %q", err, op, what)
		}
		if err != nil && strings.Contains(err.Error(), "Open") {
			t.Errorf("error %v tells of what no user has written", err)
		}
	}
	job := engine.NewJob("test")
	Write(engine.Count(engine.Range(job, 0, 1)), "out")
	Write(Read[nested](job, "in.csv", NoHeader(), Delimiter(';'), Also("a.csv", "b.csv")), "out2")
	if err := job.Err(); err != nil {
		t.Errorf("error %v of a job without a mistake", err)
	}
}
