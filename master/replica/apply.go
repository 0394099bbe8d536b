package replica

import (
	"context"
	"fmt"

	"fletch/fault"
	"fletch/master/state"
)

// Apply appends commands to the log and returns what became of each, once it is durable on a quorum and applied here.
// They are applied in this order, but others may come between them. An Outcome.Err is a *NotLeaderError or ErrTooLarge
// where the command was not taken, wraps ErrUnknown where its fate is not known, or is what the state says of it.
func (r *Replica) Apply(ctx context.Context, commands ...state.Command) []Outcome {
	outcomes := make([]Outcome, len(commands))
	var sent []*proposal
	var places []int // of the sent commands, among outcomes
	for i, c := range commands {
		payload, err := encodeCommand(c)
		if err != nil {
			outcomes[i].Err = fault.As(fault.Permanent, err)
			continue
		}
		places = append(places, i)
		if n := len(sent); n > 0 && sent[n-1].fits(payload) {
			sent[n-1].payload = append(sent[n-1].payload, payload...)
			sent[n-1].commands++
			continue
		}
		sent = append(sent, &proposal{payload: payload, commands: 1, done: make(chan struct{})})
	}
	for _, p := range sent {
		r.committer.propose(p)
	}
	for _, p := range sent {
		answers, err := r.await(ctx, p)
		for i, place := range places[:p.commands] {
			if err != nil {
				outcomes[place].Err = err
			} else {
				outcomes[place] = answers[i]
			}
		}
		places = places[p.commands:]
	}
	return outcomes
}

// fits tells whether a further command belongs into the proposal.
func (p *proposal) fits(payload []byte) bool {
	return p.commands < packCommands && len(p.payload)+len(payload) <= packBytes
}

// await waits for a proposal's answer.
func (r *Replica) await(ctx context.Context, p *proposal) ([]Outcome, error) {
	select {
	case <-p.done:
		return p.outcomes, r.explain(p.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}
