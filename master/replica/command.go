package replica

import (
	"fmt"
	"math"
	"time"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/state"
)

// commandOf returns the message of a command. Text that is not UTF-8 is mended.
func commandOf(c state.Command) (*api.LogCommand, error) {
	switch c := c.(type) {
	case state.Submit:
		submit := &api.LogCommand_Submit{
			Id: api.Text(c.ID), Graph: api.GraphOf(c.Graph), Splits: splitsOf(c.Splits), Settings: settingsOf(c.Settings),
			Plugin: api.Text(c.Plugin), Args: bytesOf(c.Args), User: api.Text(c.User),
		}
		return &api.LogCommand{Command: &api.LogCommand_Submit_{Submit: submit}, AtUnixNanos: nanos(c.At)}, nil
	case state.Plan:
		plan := &api.LogCommand_Plan{Job: api.Text(c.Job)}
		for i := range c.Tasks {
			plan.Tasks = append(plan.Tasks, api.TaskOf(&c.Tasks[i]))
		}
		for _, stage := range c.Skip {
			plan.Skip = append(plan.Skip, narrow(stage))
		}
		return &api.LogCommand{Command: &api.LogCommand_Plan_{Plan: plan}, AtUnixNanos: nanos(c.At)}, nil
	case state.Commit:
		commit := &api.LogCommand_Commit{
			Attempt: attemptOf(c.Attempt), Result: api.ResultOf(&c.Result), Worker: api.Text(c.Worker), Epoch: c.Epoch,
		}
		return &api.LogCommand{Command: &api.LogCommand_Commit_{Commit: commit}, AtUnixNanos: nanos(c.At)}, nil
	case state.Fail:
		fail := &api.LogCommand_Fail{
			Attempt: attemptOf(c.Attempt), Class: uint32(c.Class), Message: api.Text(c.Message), Worker: api.Text(c.Worker),
		}
		for _, lost := range c.Lost {
			fail.Lost = append(fail.Lost, attemptOf(lost))
		}
		return &api.LogCommand{Command: &api.LogCommand_Fail_{Fail: fail}, AtUnixNanos: nanos(c.At)}, nil
	case state.Publish:
		publish := &api.LogCommand_Publish{Job: api.Text(c.Job)}
		return &api.LogCommand{Command: &api.LogCommand_Publish_{Publish: publish}, AtUnixNanos: nanos(c.At)}, nil
	case state.Published:
		published := &api.LogCommand_Published{Job: api.Text(c.Job)}
		return &api.LogCommand{Command: &api.LogCommand_Published_{Published: published}, AtUnixNanos: nanos(c.At)}, nil
	case state.Abort:
		abort := &api.LogCommand_Abort{Job: api.Text(c.Job), Class: uint32(c.Class), Message: api.Text(c.Message)}
		return &api.LogCommand{Command: &api.LogCommand_Abort_{Abort: abort}, AtUnixNanos: nanos(c.At)}, nil
	case state.Cancel:
		cancel := &api.LogCommand_Cancel{Job: api.Text(c.Job), Reason: api.Text(c.Reason), User: api.Text(c.User)}
		return &api.LogCommand{Command: &api.LogCommand_Cancel_{Cancel: cancel}, AtUnixNanos: nanos(c.At)}, nil
	case state.Register:
		register := &api.LogCommand_Register{
			Worker: api.Text(c.Worker), Incarnation: api.Text(c.Incarnation), Address: api.Text(c.Address),
		}
		return &api.LogCommand{Command: &api.LogCommand_Register_{Register: register}, AtUnixNanos: nanos(c.At)}, nil
	case state.Lose:
		lose := &api.LogCommand_Lose{Worker: api.Text(c.Worker), Epoch: c.Epoch}
		return &api.LogCommand{Command: &api.LogCommand_Lose_{Lose: lose}, AtUnixNanos: nanos(c.At)}, nil
	case state.Audit:
		audit := &api.LogCommand_Audit{User: api.Text(c.User), Action: api.Text(c.Action), Subject: api.Text(c.Subject)}
		return &api.LogCommand{Command: &api.LogCommand_Audit_{Audit: audit}, AtUnixNanos: nanos(c.At)}, nil
	}
	return nil, fmt.Errorf("a command of type %T can't be replicated", c)
}

// stateCommand returns the command of a message.
func stateCommand(m *api.LogCommand) (state.Command, error) {
	at := timeOf(m.GetAtUnixNanos())
	switch c := m.GetCommand().(type) {
	case *api.LogCommand_Submit_:
		return submit(c.Submit, at)
	case *api.LogCommand_Plan_:
		tasks := make([]plan.Task, len(c.Plan.GetTasks()))
		for i, t := range c.Plan.GetTasks() {
			task, err := t.Plan()
			if err != nil {
				return nil, err
			}
			tasks[i] = *task
		}
		var skip []int
		for _, stage := range c.Plan.GetSkip() {
			skip = append(skip, int(stage))
		}
		return state.Plan{Job: c.Plan.GetJob(), Tasks: tasks, Skip: skip, At: at}, nil
	case *api.LogCommand_Commit_:
		result, err := c.Commit.GetResult().Plan()
		if err != nil {
			return nil, err
		}
		return state.Commit{
			Attempt: attempt(c.Commit.GetAttempt()), Result: *result, Worker: c.Commit.GetWorker(), Epoch: c.Commit.GetEpoch(), At: at,
		}, nil
	case *api.LogCommand_Fail_:
		class, err := classOf(c.Fail.GetClass())
		fail := state.Fail{
			Attempt: attempt(c.Fail.GetAttempt()), Class: class, Message: c.Fail.GetMessage(), Worker: c.Fail.GetWorker(), At: at,
		}
		for _, lost := range c.Fail.GetLost() {
			fail.Lost = append(fail.Lost, attempt(lost))
		}
		return fail, err
	case *api.LogCommand_Publish_:
		return state.Publish{Job: c.Publish.GetJob(), At: at}, nil
	case *api.LogCommand_Published_:
		return state.Published{Job: c.Published.GetJob(), At: at}, nil
	case *api.LogCommand_Abort_:
		class, err := classOf(c.Abort.GetClass())
		return state.Abort{Job: c.Abort.GetJob(), Class: class, Message: c.Abort.GetMessage(), At: at}, err
	case *api.LogCommand_Cancel_:
		return state.Cancel{Job: c.Cancel.GetJob(), Reason: c.Cancel.GetReason(), User: c.Cancel.GetUser(), At: at}, nil
	case *api.LogCommand_Register_:
		r := c.Register
		return state.Register{Worker: r.GetWorker(), Incarnation: r.GetIncarnation(), Address: r.GetAddress(), At: at}, nil
	case *api.LogCommand_Lose_:
		return state.Lose{Worker: c.Lose.GetWorker(), Epoch: c.Lose.GetEpoch(), At: at}, nil
	case *api.LogCommand_Audit_:
		return state.Audit{User: c.Audit.GetUser(), Action: c.Audit.GetAction(), Subject: c.Audit.GetSubject(), At: at}, nil
	}
	return nil, errUnknownKind
}

func submit(m *api.LogCommand_Submit, at time.Time) (state.Command, error) {
	graph, err := m.GetGraph().Plan()
	if err != nil {
		return nil, err
	}
	splits, err := planSplits(m.GetSplits())
	if err != nil {
		return nil, err
	}
	return state.Submit{
		ID: m.GetId(), Graph: graph, Splits: splits, Settings: settings(m.GetSettings()), Plugin: m.GetPlugin(),
		Args: textsOf(m.GetArgs()), User: m.GetUser(), At: at,
	}, nil
}

func classOf(n uint32) (fault.Class, error) {
	if n > uint32(fault.Permanent) {
		return 0, fmt.Errorf("a failure's class is %d: %w", n, errUnknownKind)
	}
	return fault.Class(n), nil
}

func attemptOf(a state.AttemptID) *api.ReplicatedAttempt {
	return &api.ReplicatedAttempt{
		Job: api.Text(a.Job), Stage: narrow(a.Stage), StageAttempt: narrow(a.StageAttempt), Task: narrow(a.Task), Term: a.Term, Number: a.Number,
	}
}

func attempt(m *api.ReplicatedAttempt) state.AttemptID {
	return state.AttemptID{
		Job: m.GetJob(), Stage: int(m.GetStage()), StageAttempt: int(m.GetStageAttempt()), Task: int(m.GetTask()), Term: m.GetTerm(), Number: m.GetNumber(),
	}
}

func settingsOf(s state.Settings) *api.ReplicatedSettings {
	return &api.ReplicatedSettings{
		Partitions: narrow(s.Partitions), MaxRetryable: narrow(s.MaxRetryable), MaxUser: narrow(s.MaxUser), MaxLost: narrow(s.MaxLost),
		MaxLineBytes: s.MaxLineBytes,
	}
}

func settings(m *api.ReplicatedSettings) state.Settings {
	return state.Settings{
		Partitions: int(m.GetPartitions()), MaxRetryable: int(m.GetMaxRetryable()), MaxUser: int(m.GetMaxUser()), MaxLost: int(m.GetMaxLost()),
		MaxLineBytes: m.GetMaxLineBytes(),
	}
}

// bytesOf carries arguments of a command line, which may have any bytes.
func bytesOf(texts []string) [][]byte {
	var out [][]byte
	for _, t := range texts {
		out = append(out, []byte(t))
	}
	return out
}

func textsOf(list [][]byte) []string {
	var out []string
	for _, b := range list {
		out = append(out, string(b))
	}
	return out
}

// narrow makes an int fit for a message. One that does not fit is one that nothing has as its index.
func narrow(n int) int32 {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return -1
	}
	return int32(n)
}

// nanos returns a time's nanoseconds since 1970, zero for no time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOf(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
