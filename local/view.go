package local

import (
	"time"

	"fletch/internal/machine"
	"fletch/master/state"
	"fletch/master/view"
	"fletch/report"
)

// view describes the job as it stands, with what this process has used for it.
func (l *loop) view() report.Job {
	job := l.job()
	if job == nil {
		return report.Job{ID: l.id, Name: l.graph.Job, State: report.State(state.Waiting.String())}
	}
	var running []view.Attempt
	for id, r := range l.running {
		running = append(running, view.Attempt{Stage: id.Stage, Rows: r.progress.Rows.Load(), Bytes: r.progress.Bytes.Load()})
	}
	out := view.Job(job, running, time.Now())
	out.Parallelism, out.Seconds = l.config.Parallelism, time.Since(l.started).Seconds()
	out.CPUSeconds, out.PeakMemoryBytes = (machine.CPUTime() - l.startedCPU).Seconds(), machine.PeakMemory()
	return out
}
