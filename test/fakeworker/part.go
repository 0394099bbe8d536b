package fakeworker

import (
	"fmt"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/storage"
)

// WritePart writes a part of a sink of one row, as an executor does.
func WritePart(job *api.JobOrder, attempt string, sink, partition int, text string) (*api.Part, error) {
	graph, err := job.GetGraph().Plan()
	if err != nil {
		return nil, err
	}
	o, err := storage.JoinOutput(fmt.Sprintf("%s-%d", job.GetJob(), sink), *graph.Nodes[sink].Sink)
	if err != nil {
		return nil, err
	}
	w, err := o.Create(attempt, partition)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return nil, err
	}
	w.AddRows(1)
	part, err := w.Commit()
	part.Sink = sink
	return api.ResultOf(&plan.Result{Parts: []plan.Part{part}}).GetParts()[0], err
}
