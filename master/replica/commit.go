package replica

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"
)

// entriesInFlight is how many entries may be on their way to a quorum: while one is written, the next is sent.
const entriesInFlight = 4

// proposal is a piece of a call of Apply: commands that go into one entry.
type proposal struct {
	payload  []byte // a LogEntry
	commands int

	done     chan struct{} // closed by the committer, once outcomes or err is set
	outcomes []Outcome     // one for each command
	err      error
}

func (p *proposal) answer(outcomes []Outcome, err error) {
	p.outcomes, p.err = outcomes, err
	close(p.done)
}

// committer packs what callers propose into entries of the log. The first proposal goes at once; those that arrive while
// raft writes an entry go into the next one together, so a busy leader writes large entries and an idle one waits for
// nobody.
type committer struct {
	wake chan struct{} // capacity 1: there are proposals waiting

	mu struct {
		sync.Mutex
		waiting []*proposal
		stopped error // why nothing is taken any more
	}
}

func newCommitter() *committer { return &committer{wake: make(chan struct{}, 1)} }

// propose hands a proposal over. It is answered in any case.
func (c *committer) propose(p *proposal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stopped != nil {
		p.answer(nil, c.mu.stopped)
		return
	}
	c.mu.waiting = append(c.mu.waiting, p)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take returns the waiting proposals that fit into one entry; more tells whether others are left.
func (c *committer) take() (batch []*proposal, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, bytes, commands := 0, 0, 0
	for _, p := range c.mu.waiting {
		bytes += len(p.payload)
		commands += p.commands
		if n > 0 && (bytes > packBytes || commands > packCommands) {
			break
		}
		n++
	}
	batch, c.mu.waiting = c.mu.waiting[:n:n], c.mu.waiting[n:]
	return batch, len(c.mu.waiting) > 0
}

// stop refuses what waits and what comes.
func (c *committer) stop(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.stopped = why
	for _, p := range c.mu.waiting {
		p.answer(nil, why)
	}
	c.mu.waiting = nil
}

// flight is an entry that was handed to raft.
type flight struct {
	future raft.ApplyFuture
	batch  []*proposal
}

// run proposes entries until ctx ends, then waits for those in flight and refuses the rest. wait waits for a future.
func (c *committer) run(ctx context.Context, r *raft.Raft, wait func(raft.Future) error) {
	flights := make(chan flight, entriesInFlight-1) // closed by this goroutine
	landed := make(chan struct{})
	go func() {
		defer close(landed)
		for f := range flights {
			f.land(wait(f.future))
		}
	}()
	defer func() {
		close(flights)
		<-landed
		c.stop(raft.ErrNotLeader)
	}()
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		for more := true; more && ctx.Err() == nil; {
			var batch []*proposal
			if batch, more = c.take(); len(batch) > 0 {
				flights <- flight{future: c.send(r, batch), batch: batch}
			}
		}
	}
}

// send hands an entry to raft, which takes it when it has written the one before.
func (c *committer) send(r *raft.Raft, batch []*proposal) raft.ApplyFuture {
	payloads := make([][]byte, len(batch))
	for i, p := range batch {
		payloads[i] = p.payload
	}
	return r.Apply(encodeEntry(payloads...), 0)
}

// land answers the proposals of an entry.
func (f flight) land(err error) {
	var outcomes []Outcome
	if err == nil {
		var applied bool
		if outcomes, applied = f.future.Response().([]Outcome); !applied {
			err = ErrUnknown // the machine has failed
		}
	}
	for _, p := range f.batch {
		if err != nil {
			p.answer(nil, err)
			continue
		}
		p.answer(outcomes[:p.commands:p.commands], nil)
		outcomes = outcomes[p.commands:]
	}
}
