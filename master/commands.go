package master

import (
	"context"
	"errors"
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

// propose has a command applied; then runs on the loop with its outcome. Neither happens if the term ends before.
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
		l.post(func() {
			l.applying = false
			for i, p := range batch {
				if !undecided(outcomes[i].Err) {
					p.then(outcomes[i])
				}
			}
		})
		return nil
	})
}

// undecided tells whether an error is of the end of the term: the next leader finds out what became of the command.
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
