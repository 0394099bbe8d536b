package attempt

import (
	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/storage"
)

// part is a part of a sink at work: the port that encodes batches into its file.
type part struct {
	sink   int
	file   *storage.PartWriter
	writer exec.Writer
}

func (a *attempt) openPart(sink, partition int) (*part, error) {
	file, err := a.job.Outputs[sink].Create(a.spec.Name, partition)
	if err != nil {
		return nil, err
	}
	p := &part{sink: sink, file: file}
	a.parts = append(a.parts, p)
	return p, a.job.Program.Guard(a.task, sink, func() error {
		p.writer, err = a.job.Program[sink].Encode(a.task, file)
		return err
	})
}

// Write encodes a batch into the part.
func (p *part) Write(rec arrow.Record, _ []uint32) error {
	if err := p.writer.Write(rec); err != nil {
		return err
	}
	p.file.AddRows(rec.NumRows())
	return nil
}

// commit makes the file durable, off the runner, as that waits for the disk. The file is not let go of before that has
// ended, even if the attempt is cancelled meanwhile.
func (p *part) commit(c *coro.Coroutine) (plan.Part, error) {
	out, err := coro.Join(c, coro.Go(c, p.file.Commit))
	out.Sink = p.sink
	return out, err
}
