package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fletch/api"
)

// NoLeaderError means that no master that leads was found within the timeout.
type NoLeaderError struct {
	Tried []string // addresses
	Last  error    // of the last try; may be nil
}

func (e *NoLeaderError) Error() string {
	text := "no master that leads was found at " + strings.Join(e.Tried, ", ")
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	return text
}

func (e *NoLeaderError) Unwrap() error { return e.Last }

const (
	firstProbe = 700 * time.Millisecond // how long masters may take to say who leads in the first rounds
	probeWait  = 2 * time.Second        // and at most
	searchStep = 100 * time.Millisecond // between two rounds of asking
	watchStep  = time.Second            // between two looks at who leads, during a call
)

// errMoved ends a try at a master that leads no longer, or is silent.
var errMoved = errors.New("the master does not lead any more, or does not answer")

// search is one call's search for the leader. It may last as long as the client's timeout.
type search struct {
	client *Client
	began  time.Time // zero: there has been no trouble
	rounds int       // of asking
	last   error
}

// trouble notes what went wrong, and returns the end of the search once it has lasted too long.
func (s *search) trouble(err error) error {
	if err != nil {
		s.last = err
	}
	if s.began.IsZero() {
		s.began = time.Now()
	}
	if time.Since(s.began) >= s.client.timeout {
		return &NoLeaderError{Tried: s.client.masters(), Last: s.last}
	}
	return nil
}

// leader returns the address of the master that leads: the last one known, or one that says so now.
func (s *search) leader(ctx context.Context) (string, error) {
	if leader := s.client.known(); leader != "" {
		return leader, nil
	}
	for {
		leader, err := s.client.ask(ctx, s.left())
		if leader != "" {
			s.client.learn(leader)
			return leader, nil
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err := s.trouble(err); err != nil {
			return "", err
		}
		if err := pause(ctx, searchStep); err != nil {
			return "", err
		}
	}
}

// left returns how long the next round of asking may take: a silent master must not hold up what the others say. Where all
// of them are slow, the rounds become longer.
func (s *search) left() time.Duration {
	wait := min(probeWait, firstProbe<<min(s.rounds/4, 8))
	s.rounds++
	if !s.began.IsZero() {
		wait = min(wait, s.client.timeout-time.Since(s.began))
	}
	return max(wait, searchStep)
}

// call has f ask the master that leads, until one has answered. f is called again where the leader changed meanwhile.
func (c *Client) call(ctx context.Context, f func(ctx context.Context, master api.ClusterClient) error) error {
	s := search{client: c}
	for {
		leader, err := s.leader(ctx)
		if err != nil {
			return err
		}
		err = c.try(ctx, leader, f)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !elsewhere(err):
			return err
		}
		if end := s.trouble(fmt.Errorf("master %s: %w", leader, err)); end != nil {
			return end
		}
		c.forget(leader)
		if notLeader, ok := errors.AsType[*api.NotLeader](err); ok && notLeader.Leader != "" && notLeader.Leader != leader {
			c.learn(notLeader.Leader)
		}
		if err := pause(ctx, searchStep/2); err != nil {
			return err
		}
	}
}

// elsewhere tells whether an error is of the master that was asked, so that the next one may do better.
func elsewhere(err error) bool {
	_, notLeader := errors.AsType[*api.NotLeader](err)
	return notLeader || errors.Is(err, api.ErrUnreachable) || errors.Is(err, errMoved) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) // it stops, or lost its quorum
}

// try calls f with one master. A call that takes long ends with errMoved once that master leads no longer, or is silent.
func (c *Client) try(ctx context.Context, address string, f func(context.Context, api.ClusterClient) error) error {
	master, err := c.at(address)
	if err != nil {
		return err
	}
	within, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{}) // closed when the watch has ended
	go func() {
		defer close(watched)
		c.watch(within, address, cancel)
	}()
	err = f(within, master)
	if errors.Is(context.Cause(within), errMoved) {
		err = errMoved
	}
	cancel(nil)
	<-watched
	return err
}

// watch cancels a call once its master has been found not to lead.
func (c *Client) watch(ctx context.Context, address string, cancel context.CancelCauseFunc) {
	for silent := false; pause(ctx, watchStep) == nil; {
		leader, _ := c.ask(ctx, probeWait) //nolint:errcheck // whoever leads is the answer
		if leader == address {
			silent = false
			continue
		}
		if leader != "" || silent {
			cancel(errMoved)
			return
		}
		silent = true // once may be chance: a machine under load, an election that the master wins again
	}
}

// answer is what one master says of the cluster.
type answer struct {
	address string
	status  *api.StatusReply
	err     error
}

// ask asks all masters at once who leads, and returns the one that says it of itself: what others say may be out of date.
// The error is of a master that did not answer.
func (c *Client) ask(ctx context.Context, wait time.Duration) (leader string, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	var open int
	answers := make(chan answer) // closed by no one; each question sends one answer
	defer func() {
		cancel()
		for ; open > 0; open-- {
			<-answers
		}
	}()
	asked := make(map[string]bool)
	question := func(address string) {
		if address == "" || asked[address] {
			return
		}
		asked[address] = true
		open++
		go func() {
			status, err := c.status(ctx, address)
			answers <- answer{address, status, err}
		}()
	}
	for _, address := range c.masters() {
		question(address)
	}
	for open > 0 {
		a := <-answers
		open--
		if a.err != nil {
			err = fmt.Errorf("master %s: %w", a.address, a.err)
			continue
		}
		if a.status.GetLeader() == a.address {
			return a.address, nil
		}
		question(a.status.GetLeader())
		for _, m := range a.status.GetMasters() {
			question(m.GetAddress())
		}
	}
	return "", err
}

// status asks one master about the cluster.
func (c *Client) status(ctx context.Context, address string) (*api.StatusReply, error) {
	master, err := c.at(address)
	if err != nil {
		return nil, err
	}
	reply, err := master.Status(ctx, &api.StatusRequest{})
	if err != nil {
		return nil, err
	}
	c.heard(reply)
	return reply, nil
}

// heard remembers a reply, and the masters that it names.
func (c *Client) heard(reply *api.StatusReply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.last = reply
	for _, m := range reply.GetMasters() {
		if len(c.mu.addresses) < maxMasters && m.GetAddress() != "" && !slices.Contains(c.mu.addresses, m.GetAddress()) {
			c.mu.addresses = append(c.mu.addresses, m.GetAddress())
		}
	}
}

// swapReply returns the last reply that was heard, and remembers another one.
func (c *Client) swapReply(reply *api.StatusReply) *api.StatusReply {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.mu.last
	c.mu.last = reply
	return last
}

// maxMasters bounds what a client remembers.
const maxMasters = 100

func (c *Client) masters() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mu.addresses)
}

func (c *Client) known() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.leader
}

func (c *Client) learn(leader string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.leader = leader
}

// forget drops a leader that did not answer as one.
func (c *Client) forget(leader string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.leader == leader {
		c.mu.leader = ""
	}
}

// pause waits, and returns why ctx ended if it did.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
