// Package report shows how a job goes and what came of it: Progress while it runs, Summary and JSON at the end. The
// owner of the job calls Update with a snapshot several times a second; the package starts no goroutine and reads no
// clock. It knows jobs as the plain values below, whoever runs them: the embedded engine or a cluster.
//
// On a terminal, Progress redraws a line for each stage in place; elsewhere it prints plain lines. Sizes are decimal: a
// MB is 10^6 bytes.
package report

import (
	"encoding/json"
	"io"

	"fletch/engine/plan"
)

// State says how far a job is.
type State string

// The states of a job.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Job is a snapshot of a job.
type Job struct {
	ID              string           `json:"id"`
	Name            string           `json:"name"`
	State           State            `json:"state"`
	Stages          []Stage          `json:"stages"`
	Outputs         []Output         `json:"outputs"`
	Counters        map[string]int64 `json:"counters"` // the user's own
	Error           string           `json:"error,omitempty"`
	Seconds         float64          `json:"seconds"` // by the clock
	CPUSeconds      float64          `json:"cpu_seconds"`
	InputBytes      int64            `json:"input_bytes"`
	PeakMemoryBytes int64            `json:"peak_memory_bytes"`
	Parallelism     int              `json:"parallelism"` // cores that the job may use
}

// Stage is a snapshot of one stage.
type Stage struct {
	ID            int          `json:"id"`
	Name          string       `json:"name"`  // its operators, such as "textio.Read → FlatMap → Reduce"
	Tasks         int          `json:"tasks"` // as far as they are planned
	Completed     int          `json:"completed"`
	Running       int          `json:"running"`
	Attempts      int          `json:"attempts"` // started so far
	Metrics       plan.Metrics `json:"metrics"`
	Seconds       float64      `json:"seconds"`                  // from its first attempt's start to now or to its end
	ExpectedBytes int64        `json:"expected_bytes,omitempty"` // of input; zero: unknown
	Skew          *plan.Skew   `json:"skew,omitempty"`           // the partition that is much larger than the others it reads
}

// Output is what one sink published.
type Output struct {
	Path  string `json:"path"`
	Parts int    `json:"parts"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// JSON writes the job as indented JSON. What is empty is an empty list or object, never null.
func JSON(w io.Writer, j Job) error {
	if j.Stages == nil {
		j.Stages = []Stage{}
	}
	if j.Outputs == nil {
		j.Outputs = []Output{}
	}
	if j.Counters == nil {
		j.Counters = map[string]int64{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(j)
}

func (s *Stage) started() bool { return s.Attempts > 0 || s.Running > 0 || s.Completed > 0 }

func (s *Stage) ended() bool { return s.Tasks > 0 && s.Completed >= s.Tasks }

// done returns the share of the stage that is done; it is one only at the stage's end. Finished tasks count where the
// bytes read lag behind or are unknown.
func (s *Stage) done() float64 {
	if s.ended() {
		return 1
	}
	var share float64
	if s.Tasks > 0 {
		share = float64(s.Completed) / float64(s.Tasks)
	}
	if s.ExpectedBytes > 0 {
		share = max(share, float64(s.Metrics.BytesIn)/float64(s.ExpectedBytes))
	}
	return min(share, 0.99)
}
