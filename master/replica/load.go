package replica

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/master/state"
)

// errOrder means that a record stands where it can't belong to anything.
var errOrder = errors.New("a record is out of order")

// loader puts a snapshot together from its records.
type loader struct {
	snapshot state.Snapshot
	saved    *state.Saved // the job that the records belong to
	tasks    []*state.Task
}

// readSnapshot reads what writeSnapshot wrote, and returns its size.
func readSnapshot(from io.Reader) (*state.Machine, int64, error) {
	r, err := newFrameReader(from)
	if err != nil {
		return nil, 0, err
	}
	var l loader
	for {
		record, err := r.next()
		if err != nil {
			return nil, 0, err
		}
		if record == nil {
			break
		}
		if err := l.add(record); err != nil {
			return nil, 0, fmt.Errorf("record %d: %w", r.records, err)
		}
	}
	if err := l.endJob(); err != nil {
		return nil, 0, err
	}
	m, err := state.Restore(l.snapshot)
	return m, r.bytes, err
}

func (l *loader) add(record *api.SnapshotRecord) error {
	switch m := record.GetRecord().(type) {
	case *api.SnapshotRecord_Head_:
		l.snapshot.Epoch = m.Head.GetEpoch()
	case *api.SnapshotRecord_Worker_:
		w := m.Worker
		l.snapshot.Workers = append(l.snapshot.Workers, state.Worker{
			ID: w.GetId(), Incarnation: w.GetIncarnation(), Address: w.GetAddress(), Epoch: w.GetEpoch(), Lost: w.GetLost(),
		})
	case *api.SnapshotRecord_Audit_:
		e := m.Audit
		l.snapshot.Audit = append(l.snapshot.Audit, state.AuditEntry{
			User: e.GetUser(), Action: e.GetAction(), Subject: e.GetSubject(), At: timeOf(e.GetAtUnixNanos()),
		})
	case *api.SnapshotRecord_Job_:
		return l.job(m.Job)
	case *api.SnapshotRecord_Splits:
		return l.splits(m.Splits)
	case *api.SnapshotRecord_Stage_:
		return l.stage(m.Stage)
	case *api.SnapshotRecord_Tasks_:
		return l.addTasks(m.Tasks.GetTasks())
	case *api.SnapshotRecord_Exchange_:
		return l.exchange(m.Exchange)
	default:
		return errUnknownKind
	}
	return nil
}

// job begins a job.
func (l *loader) job(m *api.SnapshotRecord_Job) error {
	if err := l.endJob(); err != nil {
		return err
	}
	graph, err := m.GetGraph().Plan()
	if err != nil {
		return err
	}
	if m.GetStatus() > uint32(state.Cancelled) {
		return fmt.Errorf("a job's status is %d: %w", m.GetStatus(), errUnknownKind)
	}
	failure, err := failureFrom(m.GetFailure())
	if err != nil {
		return err
	}
	l.saved = &state.Saved{
		Job: state.Job{
			ID: m.GetId(), Graph: graph, Settings: settings(m.GetSettings()), Plugin: m.GetPlugin(), Args: textsOf(m.GetArgs()), User: m.GetUser(),
			Status: state.Status(m.GetStatus()), Decided: m.GetDecided(), Failure: failure,
			Submitted: timeOf(m.GetSubmittedUnixNanos()), Started: timeOf(m.GetStartedUnixNanos()), Finished: timeOf(m.GetFinishedUnixNanos()),
		},
		Splits:   make(map[int][]plan.Split),
		Bytes:    make(map[int][]int64),
		Counters: m.GetCounters(),
	}
	for _, o := range m.GetOutputs() {
		l.saved.Outputs = append(l.saved.Outputs, state.Output{Sink: int(o.GetSink()), Parts: int(o.GetParts()), Rows: o.GetRows(), Bytes: o.GetBytes()})
	}
	return nil
}

func (l *loader) splits(m *api.NodeSplits) error {
	if l.saved == nil || len(l.saved.Stages) > 0 {
		return errOrder
	}
	more, err := planSplits([]*api.NodeSplits{m})
	if err != nil {
		return err
	}
	for node, splits := range more {
		if have, ok := l.saved.Splits[node]; ok {
			splits = append(have, splits...)
		}
		l.saved.Splits[node] = splits
	}
	return nil
}

// stage begins a stage.
func (l *loader) stage(m *api.SnapshotRecord_Stage) error {
	if l.saved == nil {
		return errOrder
	}
	l.endStage()
	planned, err := m.GetStage().Plan()
	if err != nil {
		return err
	}
	metrics, err := m.GetMetrics().Plan()
	if err != nil {
		return err
	}
	skew, err := m.GetSkew().Plan()
	if err != nil {
		return err
	}
	l.saved.Stages = append(l.saved.Stages, state.SavedStage{
		Stage: state.Stage{
			Stage: *planned, Committed: int(m.GetCommitted()), Failed: int(m.GetFailed()), InputBytes: m.GetInputBytes(), Metrics: metrics, Skew: skew, Skipped: m.GetSkipped(),
			Started: timeOf(m.GetStartedUnixNanos()), Finished: timeOf(m.GetFinishedUnixNanos()),
		},
		Len: int(m.GetTasks()),
	})
	return nil
}

func (l *loader) addTasks(list []*api.SnapshotRecord_Task) error {
	if l.saved == nil || len(l.saved.Stages) == 0 {
		return errOrder
	}
	splits := l.saved.Splits[l.saved.Stages[len(l.saved.Stages)-1].Stage.Root]
	for _, m := range list {
		t, err := taskFrom(m, splits)
		if err != nil {
			return err
		}
		l.tasks = append(l.tasks, t)
	}
	return nil
}

func (l *loader) exchange(m *api.SnapshotRecord_Exchange) error {
	if l.saved == nil || len(l.saved.Stages) == 0 {
		return errOrder
	}
	l.saved.Bytes[int(m.GetNode())] = m.GetBytes()
	return nil
}

// endStage gives the stage that ends its tasks.
func (l *loader) endStage() {
	if n := len(l.saved.Stages); n > 0 {
		l.saved.Stages[n-1].Tasks = slices.Values(l.tasks)
	}
	l.tasks = nil
}

// endJob puts the job that ends together.
func (l *loader) endJob() error {
	if l.saved == nil {
		return nil
	}
	l.endStage()
	j, err := state.Load(*l.saved)
	if err != nil {
		return err
	}
	l.snapshot.Jobs = append(l.snapshot.Jobs, j)
	l.saved = nil
	return nil
}

func taskFrom(m *api.SnapshotRecord_Task, splits []plan.Split) (*state.Task, error) {
	planned, err := m.GetTask().Plan()
	if err != nil {
		return nil, err
	}
	if m.GetSubmittedSplit() {
		if planned.Index >= len(splits) {
			return nil, fmt.Errorf("task %d has no split: there are %d", planned.Index, len(splits))
		}
		planned.Split = &splits[planned.Index]
	}
	t := &state.Task{Task: *planned, StageAttempt: int(m.GetStageAttempt()), Committed: m.GetCommitted(), Measured: m.GetMeasured(),
		RetryAt: timeOf(m.GetRetryAtUnixNanos())}
	if t.Committed {
		result, err := m.GetResult().Plan()
		if err != nil {
			return nil, err
		}
		t.Winner, t.Holder = attempt(m.GetWinner()), holder(m.GetHolder())
		t.Parts, t.Counters, t.Metrics = result.Parts, result.Counters, result.Metrics
	}
	for _, h := range m.GetLost() {
		t.Lost = append(t.Lost, holder(h))
	}
	for _, f := range m.GetFailures() {
		failure, err := failureFrom(f)
		if err != nil {
			return nil, err
		}
		t.Failures = append(t.Failures, *failure)
	}
	return t, nil
}

func holder(m *api.SnapshotRecord_Holder) state.Holder {
	return state.Holder{Worker: m.GetWorker(), Epoch: m.GetEpoch()}
}

func failureFrom(m *api.SnapshotRecord_Failure) (*state.Failure, error) {
	if m == nil {
		return nil, nil
	}
	class, err := classOf(m.GetClass())
	return &state.Failure{
		Attempt: attempt(m.GetAttempt()), Worker: m.GetWorker(), Class: class, Message: m.GetMessage(), At: timeOf(m.GetAtUnixNanos()),
	}, err
}
