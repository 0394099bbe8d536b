// Package view describes jobs for people: it turns the state of a job, and what is known of its running attempts, into a
// report.Job. It is pure; the embedded engine and the masters share it.
package view

import (
	"strings"
	"time"

	"fletch/engine/plan"
	"fletch/master/state"
	"fletch/report"
)

// Attempt is one that is at work.
type Attempt struct {
	Stage       int
	Rows, Bytes int64 // read so far
}

// Job describes a job as it stands at a moment.
func Job(j *state.Job, running []Attempt, now time.Time) report.Job {
	out := report.Job{ID: j.ID, Name: j.Name(), State: report.State(j.Status.String()), Seconds: between(j.Submitted, j.Finished, now)}
	input := make(map[int]int64) // by source, which several stages may read
	for _, s := range j.Stages {
		input[s.Root] = max(input[s.Root], s.InputBytes)
		if !s.Skipped {
			out.Stages = append(out.Stages, stage(j, s, running, now))
		}
	}
	for _, bytes := range input {
		out.InputBytes += bytes
	}
	if j.Status == state.Succeeded {
		out.Counters = j.Counters()
		out.Outputs = outputs(j)
	}
	if err := j.Err(); err != nil {
		out.Error = err.Error()
	}
	return out
}

func stage(j *state.Job, s *state.Stage, running []Attempt, now time.Time) report.Stage {
	out := report.Stage{
		ID: s.ID, Name: name(j.Graph, &s.Stage), Tasks: s.Len(), Completed: s.Committed,
		Attempts: s.Committed + s.Failed, Metrics: s.Metrics, ExpectedBytes: s.InputBytes, Skew: s.Skew,
	}
	for _, a := range running {
		if a.Stage == s.ID {
			out.Running++
			out.Attempts++
			out.Metrics.RowsIn += a.Rows
			out.Metrics.BytesIn += a.Bytes
		}
	}
	if !s.Started.IsZero() {
		out.Seconds = between(s.Started, s.Finished, now)
	}
	return out
}

// between is how long something has taken; a zero end means that it goes on.
func between(start, end, now time.Time) float64 {
	if end.IsZero() {
		end = now
	}
	return max(end.Sub(start).Seconds(), 0)
}

// name is the stage's operators in the order of the data.
func name(g *plan.Graph, s *plan.Stage) string {
	var names []string
	for _, n := range s.Nodes {
		names = append(names, g.Nodes[n].Op)
	}
	return strings.Join(names, " → ")
}

func outputs(j *state.Job) []report.Output {
	var out []report.Output
	for _, o := range j.Outputs() {
		out = append(out, report.Output{Path: j.Graph.Nodes[o.Sink].Sink.Path, Parts: o.Parts, Rows: o.Rows, Bytes: o.Bytes})
	}
	return out
}
