package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"fletch/client"
)

// readyStep is the time between two looks at a process that is starting.
const readyStep = 25 * time.Millisecond

// ready waits until every process of the cluster serves and the masters know the workers. It ends at once if one of those
// that were started ends.
func ready(ctx context.Context, wait time.Duration, r *Result, started []*daemon) error {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("the cluster did not serve within %v; the logs are in %s/logs", wait, r.Dir))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	for _, d := range started {
		go func() {
			select {
			case err := <-d.exited:
				fail(&startError{d, err})
			case <-ctx.Done():
			}
		}()
	}
	var g errgroup.Group
	for _, p := range append(append([]*Process(nil), r.Masters...), r.Workers...) {
		g.Go(func() error { return poll(ctx, func() error { return readyz(ctx, p) }) })
	}
	err := g.Wait()
	if err == nil {
		err = known(ctx, r)
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		if _, died := errors.AsType[*startError](cause); died {
			return cause
		}
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// startError is a process that ended while it should have started.
type startError struct {
	daemon *daemon
	err    error
}

func (e *startError) Error() string {
	how := "ended"
	if e.err != nil {
		how = e.err.Error()
	}
	return fmt.Sprintf("%s did not start (%s); its last lines, of %s:\n\n%s", e.daemon.ID, how, e.daemon.log, e.daemon.complaint())
}

// poll repeats check until it has no error, or ctx ends: then its last error is returned.
func poll(ctx context.Context, check func() error) error {
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(readyStep):
		}
	}
}

// readyz asks a process whether it serves.
func readyz(ctx context.Context, p *Process) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address+"/readyz", nil)
	if err != nil {
		return err
	}
	reply, err := plainHTTP.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", p.ID, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<10))
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", p.ID, strings.TrimSpace(string(text)))
	}
	return err
}

// plainHTTP talks to this machine's processes directly.
var plainHTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// known waits until the masters see each other and the workers.
func known(ctx context.Context, r *Result) (err error) {
	c, err := client.New(client.Config{Masters: r.Addresses()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return poll(ctx, func() error {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		return missing(&s, r)
	})
}

// missing tells which process the leader does not know yet.
func missing(s *client.Status, r *Result) error {
	for _, m := range s.Masters {
		if !m.Reachable {
			return fmt.Errorf("master %s does not answer the leader", m.ID)
		}
	}
	pids := make(map[int]bool)
	for _, w := range s.Workers {
		pids[w.PID] = true
	}
	for _, w := range r.Workers {
		if !pids[w.PID] {
			return fmt.Errorf("worker %s is not known to the leader yet", w.ID)
		}
	}
	return nil
}
