package local

import (
	"maps"
	"slices"
	"strings"
	"time"

	"fletch/engine/plan"
	"fletch/master/state"
	"fletch/report"
)

// view describes the job as it stands.
func (l *loop) view() report.Job {
	job := l.job()
	if job == nil {
		return report.Job{ID: l.id, Name: l.graph.Job, State: report.State(state.Waiting.String())}
	}
	out := report.Job{
		ID: l.id, Name: job.Name(), State: report.State(job.Status.String()), Parallelism: l.config.Parallelism,
		Seconds: time.Since(l.started).Seconds(), CPUSeconds: (cpuTime() - l.startedCPU).Seconds(), PeakMemoryBytes: peakMemory(),
	}
	for _, s := range job.Stages {
		out.Stages = append(out.Stages, l.viewStage(job, s))
	}
	for _, splits := range l.splits {
		out.InputBytes += inputBytes(splits)
	}
	if job.Status == state.Succeeded {
		out.Counters = job.Counters()
		out.Outputs = viewOutputs(job)
	}
	if err := job.Err(); err != nil {
		out.Error = err.Error()
	}
	return out
}

func (l *loop) viewStage(job *state.Job, s *state.Stage) report.Stage {
	out := report.Stage{
		ID: s.ID, Name: stageName(job.Graph, &s.Stage), Tasks: s.Len(), Completed: s.Committed,
		Attempts: s.Committed + s.Failed, Metrics: s.Metrics, ExpectedBytes: inputBytes(l.splits[s.Root]),
	}
	for id, r := range l.running {
		if id.Stage == s.ID {
			out.Running++
			out.Attempts++
			out.Metrics.RowsIn += r.progress.Rows.Load()
			out.Metrics.BytesIn += r.progress.Bytes.Load()
		}
	}
	switch {
	case s.Started.IsZero():
	case s.Finished.IsZero():
		out.Seconds = time.Since(s.Started).Seconds()
	default:
		out.Seconds = s.Finished.Sub(s.Started).Seconds()
	}
	return out
}

// stageName is the stage's operators in the order of the data.
func stageName(g *plan.Graph, s *plan.Stage) string {
	var names []string
	for _, n := range s.Nodes {
		names = append(names, g.Nodes[n].Op)
	}
	return strings.Join(names, " → ")
}

// inputBytes is the size of the files' ranges.
func inputBytes(splits []plan.Split) (n int64) {
	for _, s := range splits {
		for _, f := range s.Files {
			n += f.Length
		}
	}
	return n
}

func viewOutputs(job *state.Job) []report.Output {
	var out []report.Output
	parts := job.Parts()
	for _, sink := range slices.Sorted(maps.Keys(parts)) {
		o := report.Output{Path: job.Graph.Nodes[sink].Sink.Path, Parts: len(parts[sink])}
		for _, p := range parts[sink] {
			o.Rows += p.Rows
			o.Bytes += p.Bytes
		}
		out = append(out, o)
	}
	return out
}
