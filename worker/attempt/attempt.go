package attempt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/shuffle"
	"fletch/shuffle/spill"
	"fletch/storage"
)

// Job is what all attempts of one job share. It is not changed while attempts run.
type Job struct {
	Program exec.Program
	Stages  []plan.Stage           // with their partitions
	Outputs map[int]storage.Output // by sink
	Shuffle *shuffle.Store
	// Pool is the memory of this process. An attempt waits for a seat in it before it does anything.
	Pool   *budget.Pool
	Memory memory.Allocator // under the attempts' shares of Pool
	// TempDir is where attempts put what memory does not hold.
	TempDir string
	// MaxLineBytes is the length of the longest line of text that is accepted.
	MaxLineBytes int
}

// Spec orders one attempt.
type Spec struct {
	Name      string // unique, and safe as a file name
	Task      plan.Task
	Producers map[int][]shuffle.Producer // by exchange: whose blocks the task reads, in the order of their blocks
	Log       *slog.Logger
	Progress  *exec.Progress
}

// Run runs an attempt on coroutine c and calls done with its outcome, once, even if user code ends the goroutine. After
// an error nothing of the attempt is left. The context ends when the attempt is cancelled; it is what user code sees.
func (j *Job) Run(ctx context.Context, c *coro.Coroutine, spec Spec, done func(plan.Result, error)) {
	a := &attempt{job: j, spec: spec, coroutine: c, stage: &j.Stages[spec.Task.Stage], task: &exec.Task{
		Context: ctx, Coroutine: c, Log: spec.Log, MaxLineBytes: j.MaxLineBytes, Sampled: j.Stages[spec.Task.Stage].Thin,
		Ordinal: spec.Task.Index, Partitions: j.partitions, Progress: spec.Progress,
		Weight: cmp.Or(spec.Task.Weight, 1),
	}}
	a.task.Writer = func(exchange int) int { return plan.Writer(j.Stages, a.stage, exchange) }
	a.task.Side, a.task.Again = a.side, plan.Again(j.Stages, a.stage)
	result, err := plan.Result{}, error(nil)
	ended := false
	defer func() {
		if !ended {
			err = cmp.Or(a.task.Failure(), errUnwound)
		}
		if err != nil {
			result, err = plan.Result{}, errors.Join(err, a.discard())
		}
		if a.task.Share != nil {
			a.task.Share.Close()
		}
		done(result, err)
	}()
	result, err = a.run()
	ended = true
}

// errUnwound is the outcome of an attempt that was unwound by something other than user code.
var errUnwound = errors.New("the attempt was unwound by a fault of the engine")

// attempt is one attempt at work.
type attempt struct {
	job       *Job
	spec      Spec
	coroutine *coro.Coroutine
	stage     *plan.Stage
	task      *exec.Task
	ports     map[int]exec.Port // of the exchanges that the stage writes
	spill     *spill.File       // nil before there is a share
	blocks    *shuffle.Writer   // nil where it writes none
	parts     []*part           // all that were created
}

func (a *attempt) run() (plan.Result, error) {
	if err := a.join(); err != nil {
		return plan.Result{}, err
	}
	if err := a.openBlocks(); err != nil {
		return plan.Result{}, err
	}
	if err := a.work(); err != nil {
		return plan.Result{}, err
	}
	return a.commit()
}

// join waits for a share of the memory.
func (a *attempt) join() error {
	a.spec.Progress.Waits.Store(true)
	share, err := a.job.Pool.Join(a.coroutine)
	a.spec.Progress.Waits.Store(false)
	if err != nil {
		return err
	}
	a.spill = spill.New(a.coroutine, share, filepath.Join(a.job.TempDir, spill.FileName(a.spec.Name)))
	a.task.Share, a.task.Spill = share, spillFile{a.spill}
	a.task.Memory = exec.Counted(a.job.Memory, share)
	return nil
}

// openBlocks creates the shuffle file with a port for each exchange.
func (a *attempt) openBlocks() error {
	a.ports = map[int]exec.Port{}
	for i, node := range a.stage.Outputs {
		if a.job.Program[node].Kind != plan.Exchange {
			continue
		}
		if a.blocks == nil {
			w, err := a.job.Shuffle.NewWriter(a.coroutine, a.task.Share, a.spec.Name)
			if err != nil {
				return err
			}
			a.blocks = w
		}
		port, err := a.blocks.Port(node, a.job.Program[node].Moved, a.stage.OutputPartitions[i])
		if err != nil {
			return fmt.Errorf("%v: %w", a.job.Program[node], err)
		}
		a.ports[node] = port
	}
	return nil
}

// partitions returns the number of partitions of an exchange that some stage writes.
func (j *Job) partitions(exchange int) int {
	for i := range j.Stages {
		if k := slices.Index(j.Stages[i].Outputs, exchange); k >= 0 {
			return j.Stages[i].OutputPartitions[k]
		}
	}
	return 0
}

// work runs the stage over the task's split, or over each of its partitions.
func (a *attempt) work() error {
	t := a.spec.Task
	root := a.job.Program[a.stage.Root]
	if t.Split != nil {
		return a.through(t.Index, func() (srcs []exec.Source, err error) {
			err = a.job.Program.Guard(a.task, root.ID, func() error {
				src, err := root.Open(a.task, *t.Split)
				srcs = []exec.Source{src}
				return err
			})
			return srcs, err
		})
	}
	inputs := []int{root.ID}
	if root.Kind == plan.Meet {
		inputs = root.Inputs
	}
	for p := t.Lo; p < t.Hi; p++ {
		a.task.Ordinal = p
		if err := a.through(p, func() (srcs []exec.Source, err error) {
			for _, exchange := range inputs {
				srcs = append(srcs, a.read(exchange, p, p+1))
			}
			return srcs, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// read opens the partitions lo to hi-1 of an exchange.
func (a *attempt) read(exchange, lo, hi int) exec.Source {
	r := a.job.Shuffle.NewReader(a.coroutine, a.spec.Producers[exchange], exchange, a.job.Program[exchange].Moved, lo, hi)
	a.task.Share.Must(shuffle.ReadBytes)
	return &blockSource{Reader: r, share: a.task.Share, partition: lo}
}

// side opens an exchange that the stage reads whole.
func (a *attempt) side(exchange int) (exec.Source, error) {
	if !slices.Contains(a.stage.Sides, exchange) {
		return nil, fmt.Errorf("%v is no side of stage %d", a.job.Program[exchange], a.stage.ID)
	}
	return a.read(exchange, 0, a.job.partitions(exchange)), nil
}

// through drives the sources of one split or partition through the stage. The parts that come of it have the given number.
func (a *attempt) through(partition int, open func() ([]exec.Source, error)) (err error) {
	srcs, err := open()
	if err != nil {
		return err
	}
	for _, src := range srcs {
		defer func() { err = errors.Join(err, a.job.Program.Guard(a.task, a.stage.Root, src.Close)) }()
	}
	ports := maps.Clone(a.ports)
	var parts []*part
	for _, node := range a.stage.Outputs {
		if a.job.Program[node].Kind != plan.Sink {
			continue
		}
		p, err := a.openPart(node, partition)
		if err != nil {
			return err
		}
		parts = append(parts, p)
		ports[node] = p
	}
	if err := a.job.Program.Run(a.task, a.stage, ports, srcs...); err != nil {
		return err
	}
	for _, p := range parts {
		if err := a.job.Program.Guard(a.task, p.sink, p.writer.Close); err != nil {
			return err
		}
	}
	return nil
}

// commit makes what the attempt wrote count as its own.
func (a *attempt) commit() (plan.Result, error) {
	if err := a.spill.Close(); err != nil {
		return plan.Result{}, err
	}
	result := plan.Result{Counters: a.task.Counters(), Metrics: a.task.Metrics()}
	m := &result.Metrics
	m.Add(a.spill.Metrics())
	if a.blocks == nil {
		a.task.Share.Close() // what is left waits for the disk: the next attempt computes meanwhile
	}
	for _, p := range a.parts {
		out, err := p.commit(a.coroutine)
		if err != nil {
			return plan.Result{}, err
		}
		result.Parts = append(result.Parts, out)
		m.BytesOut += out.Bytes
	}
	if a.blocks != nil {
		if err := a.commitBlocks(&result); err != nil {
			return plan.Result{}, err
		}
	}
	m.GrantedBytes, m.PeakBytes = a.task.Share.Granted(), a.task.Share.Peak()
	return result, nil
}

func (a *attempt) commitBlocks(result *plan.Result) error {
	shuffles, err := a.blocks.Commit()
	if err != nil {
		return err
	}
	result.Shuffles = shuffles
	m := &result.Metrics
	for _, s := range shuffles {
		for _, n := range s.Bytes {
			m.ShuffleBytes += n
		}
	}
	m.BytesOut += m.ShuffleBytes
	written := a.blocks.Metrics()
	m.SpilledBytes += written.SpilledBytes
	m.Spills += written.Spills
	m.SpillWaitNanos += written.SpillWaitNanos
	return nil
}

// discard removes what the attempt wrote. Parts may be committed by then, but not the blocks: they are the last.
func (a *attempt) discard() error {
	var errs []error
	if a.spill != nil {
		errs = append(errs, a.spill.Close())
	}
	for _, p := range a.parts {
		errs = append(errs, p.file.Discard())
	}
	if a.blocks != nil {
		errs = append(errs, a.blocks.Discard())
	}
	return errors.Join(errs...)
}

// blockSource reads partitions as a Source.
type blockSource struct {
	*shuffle.Reader
	share     *budget.Share // of which it holds what the Reader takes
	partition int           // the first
	rows      int64         // of the batches before the last one
	last      int64         // rows of that
	bytes     int64         // of all batches
}

func (s *blockSource) Next() (arrow.Record, error) {
	rec, err := s.Reader.Next()
	s.rows += s.last
	s.last = 0
	if err == nil {
		s.last = rec.NumRows()
		s.bytes += batch.SizeOf(rec)
	}
	return rec, err
}

func (s *blockSource) Close() error {
	s.share.Give(shuffle.ReadBytes)
	return s.Reader.Close()
}

// BytesRead counts the bytes of the columns, without the frames around them.
func (s *blockSource) BytesRead() int64 { return s.bytes }

func (s *blockSource) Position(row int) string {
	return fmt.Sprintf("%d of partition %d", s.rows+int64(row), s.partition)
}
