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
		`two columns of the file would have the name "At.X"`: func(job *engine.Job) {
			Write(engine.FromSlice(job, []clash{}), "out")
		},
		"the records have no fields": func(job *engine.Job) { Write(engine.FromSlice(job, []struct{}{}), "out") },
	} {
		job := engine.NewJob("test")
		build(job)
		err := job.Err()
		if err == nil || !strings.Contains(err.Error(), "csvio.Write (") || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Permanent {
			t.Errorf("error %v, want one of csvio.Write with %q", err, want)
		}
	}
	job := engine.NewJob("test")
	Write(engine.Count(engine.Range(job, 0, 1)), "out")
	if err := job.Err(); err != nil {
		t.Errorf("error %v of a job without a mistake", err)
	}
}
