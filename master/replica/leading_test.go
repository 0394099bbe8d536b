package replica

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"fletch/master/state"
)

// In each term one master at most runs the function of Leading, with everything of earlier terms applied, and its
// context ends with the term.
func TestLeading(t *testing.T) {
	c := newCluster(t, 3)
	type turn struct {
		id   string
		term uint64
	}
	turns := make(chan turn, 100)
	var running atomic.Int64 // on each master
	lead := func(m *master) func() error {
		return start(func(ctx context.Context) error {
			var here atomic.Int64
			return m.replica.Leading(ctx, func(ctx context.Context, term uint64) error {
				if here.Add(1) != 1 {
					t.Errorf("%s leads twice at once", m.ID)
				}
				defer here.Add(-1)
				running.Add(1)
				defer running.Add(-1)
				m.replica.Read(func(s *state.Machine) {
					if term > 2 && s.Job("before") == nil {
						t.Errorf("%s leads term %d without what was applied before", m.ID, term)
					}
				})
				turns <- turn{m.ID, term}
				<-ctx.Done()
				return nil
			})
		})
	}
	var stops []func() error
	for _, m := range c.masters {
		stops = append(stops, lead(m))
	}
	first := receive(t, turns)
	c.must(submitOf("before", 1))
	last := first
	for range 5 {
		if err := c.masters[last.id].replica.Transfer(c.context()); err != nil {
			t.Fatal(err)
		}
		x := receive(t, turns)
		if x.term <= last.term || x.id == last.id {
			t.Fatalf("%+v follows %+v", x, last)
		}
		last = x
	}
	for _, stop := range stops {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	if running.Load() != 0 {
		t.Error("a function of Leading outlives it")
	}
}

func TestLeadingEndsWithAnError(t *testing.T) {
	c := newCluster(t, 1)
	broken := errors.New("the loop is broken")
	err := c.masters["m1"].replica.Leading(c.context(), func(context.Context, uint64) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("Leading: %v", err)
	}
}

// A replica that stops ends the function of Leading, and Leading.
func TestLeadingEndsWithRun(t *testing.T) {
	c := newCluster(t, 1)
	began := make(chan struct{})
	stop := start(func(context.Context) error {
		return c.masters["m1"].replica.Leading(context.Background(), func(ctx context.Context, _ uint64) error {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		})
	})
	receive(t, began)
	c.stop("m1")
	if err := stop(); err != nil {
		t.Errorf("Leading: %v", err)
	}
}
