package master

import (
	"context"
	"errors"
	"slices"
	"time"

	"fletch/master/replica"
	"fletch/master/state"
)

// commands are the loop's proposals. One batch is under way at a time; what is proposed meanwhile makes the next, so that
// batches grow with the load.
type commands struct {
	queue    []proposal
	applying bool
}

type proposal struct {
	command state.Command
	then    func(replica.Outcome) // on the loop
}

// propose has a command applied; then runs on the loop with its outcome, once that is known. Neither happens if the term
// ends before.
func (l *leader) propose(c state.Command, then func(replica.Outcome)) {
	l.queue = append(l.queue, proposal{c, then})
}

// flush sends the proposals off.
func (l *leader) flush() {
	if l.applying || len(l.queue) == 0 {
		return
	}
	batch := l.queue
	l.queue, l.applying = nil, true
	l.work.Go(func() error {
		commands := make([]state.Command, len(batch))
		for i, p := range batch {
			commands[i] = p.command
		}
		began := time.Now()
		outcomes := l.replica.Apply(l.ctx, commands...)
		l.metrics.applied.Observe(time.Since(began).Seconds())
		if slices.ContainsFunc(outcomes, func(o replica.Outcome) bool { return undecided(o.Err) }) {
			select {
			case <-time.After(undecidedPause):
			case <-l.ctx.Done():
			}
		}
		l.post(func() { l.land(batch, outcomes) })
		return nil
	})
}

// undecidedPause is the wait before a command is proposed again.
const undecidedPause = 50 * time.Millisecond

// land hands on what became of a batch. What is undecided is proposed again: where the term has not ended, as after a
// transfer of leadership that came to nothing, somebody waits for it. Commands are idempotent.
func (l *leader) land(batch []proposal, outcomes []replica.Outcome) {
	l.applying = false
	var again []proposal
	for i, p := range batch {
		if undecided(outcomes[i].Err) {
			again = append(again, p)
			continue
		}
		p.then(outcomes[i])
	}
	l.queue = append(again, l.queue...)
}

// undecided tells whether it is open what became of a command. Mostly the term is over: the next leader finds out.
func undecided(err error) bool {
	var notLeader *replica.NotLeaderError
	return errors.As(err, &notLeader) || errors.Is(err, replica.ErrUnknown) || errors.Is(err, context.Canceled)
}

// apply applies a command for a caller outside of the loop.
func (l *leader) apply(ctx context.Context, c state.Command) error {
	result := make(chan error, 1)
	if err := l.do(ctx, func() { l.propose(c, func(o replica.Outcome) { result <- o.Err }) }); err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-l.ctx.Done():
		return l.notLeader()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
