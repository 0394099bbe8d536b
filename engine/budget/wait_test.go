package budget

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"fletch/engine/coro"
)

var errCause = errors.New("somebody asked for the end")

// TestAwait parks until another share gives back, and wakes the oldest first.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sched := startScheduler(t, coro.Config{Runners: 1})
		p := NewPool(48*mebi, 3, 3)
		var holder *Share
		spawn := func(name string, f func(c *coro.Coroutine, s *Share) error) *coro.Coroutine {
			c := sched.Spawn(coro.Spec{Name: name}, func(c *coro.Coroutine) error {
				s, err := p.Join(c)
				if err != nil {
					return err
				}
				return f(c, s)
			})
			synctest.Wait()
			return c
		}
		spawn("holder", func(_ *coro.Coroutine, s *Share) error {
			s.Must(46 * mebi)
			holder = s
			return nil
		})
		var order []string
		want := func(names ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(order, names) {
				t.Errorf("%v have been granted what they wait for, want %v", order, names)
			}
		}
		waiter := func(name string, n int64) *coro.Coroutine {
			return spawn(name, func(c *coro.Coroutine, s *Share) error {
				defer s.Close()
				if err := s.Await(c, n); err != nil {
					return err
				}
				order = append(order, name)
				return nil
			})
		}
		waiter("first", 6*mebi)
		cancelled := waiter("second", 4*mebi)
		late := waiter("late", 16*mebi) // there is no seat before one of them has gone
		want()
		holder.Give(1 * mebi)
		want()
		holder.Give(1 * mebi) // four are free: the first does not fit, the second does
		want("second")
		holder.Give(2 * mebi)
		want("second", "first")
		holder.Give(20 * mebi) // and the holder has a share, no more than which is left to late
		want("second", "first", "late")
		<-cancelled.Done()
		<-late.Done()

		p.SetLimit(32 * mebi)
		holder.Must(10 * mebi)
		waiting := waiter("cancelled", 8*mebi)
		waiting.Cancel(errCause)
		<-waiting.Done()
		if err := waiting.Err(); !errors.Is(err, errCause) {
			t.Errorf("error is %v, want the cause", err)
		}
		raised := waiter("raised", 8*mebi)
		p.SetLimit(48 * mebi)
		<-raised.Done()
		want("second", "first", "late", "raised")

		holder.Must(20 * mebi)
		waiter("lowered", 16*mebi)
		want("second", "first", "late", "raised")
		p.SetLimit(31 * mebi) // it waits for more than half of what there is now, which was its part before
		want("second", "first", "late", "raised", "lowered")
		p.SetLimit(32 * mebi) // a seat more
		tooLarge := waiter("too large", 31*mebi+1)
		<-tooLarge.Done()
		if e, ok := errors.AsType[*TooLargeError](tooLarge.Err()); !ok || e.Share != 31*mebi {
			t.Errorf("error is %v, want a TooLargeError for what the holder was sure of when it was alone", tooLarge.Err())
		}
		holder.Close()
		if p.Used() != 0 || p.mu.shares != 0 || len(p.mu.waiting)+len(p.mu.joining) != 0 {
			t.Errorf("left are %d bytes, %d shares, %d who wait", p.Used(), p.mu.shares, len(p.mu.waiting)+len(p.mu.joining))
		}
	})
}

// TestJoinWaits admits no more than there are seats, in their order, and forgets who has gone.
func TestJoinWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sched := startScheduler(t, coro.Config{Runners: 1})
		p := NewPool(32*mebi, 5, 5) // two seats
		var joined []string
		shares := map[string]*Share{}
		spawn := func(name string) *coro.Coroutine {
			c := sched.Spawn(coro.Spec{Name: name}, func(c *coro.Coroutine) error {
				s, err := p.Join(c)
				if err == nil {
					joined, shares[name] = append(joined, name), s
				}
				return err
			})
			synctest.Wait()
			return c
		}
		want := func(names ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(joined, names) {
				t.Errorf("%v have joined, want %v", joined, names)
			}
		}
		spawn("a")
		spawn("b")
		c := spawn("c")
		spawn("d")
		spawn("e")
		want("a", "b")
		c.Cancel(errCause)
		want("a", "b")
		shares["a"].Close()
		want("a", "b", "d")
		p.SetLimit(16 * mebi) // one seat: two are too many, and stay
		shares["b"].Close()
		want("a", "b", "d")
		p.SetLimit(48 * mebi)
		want("a", "b", "d", "e")
		shares["d"].Close()
		shares["e"].Close()
		if p.mu.shares != 0 || len(p.mu.joining) != 0 {
			t.Errorf("%d shares, %d who wait are left", p.mu.shares, len(p.mu.joining))
		}
	})
}

// TestCancelledWhenGranted cancels who waits after the bytes, or the seat, have been granted and before it runs again: they
// go to who is next.
func TestCancelledWhenGranted(t *testing.T) {
	for name, bytes := range map[string]int64{"bytes": 10 * mebi, "seat": 0} {
		t.Run(name, func(t *testing.T) {
			p := NewPool(32*mebi, 2, 2)
			queue := &p.mu.joining
			p.mu.shares = 1
			if bytes > 0 {
				queue = &p.mu.waiting
				p.mu.shares = 3
				(&Share{pool: p}).Must(20 * mebi)
			}
			before := p.mu.shares
			ask := func() *waiter {
				w := &waiter{share: &Share{pool: p}, bytes: bytes}
				p.mu.Lock()
				defer p.unlock()
				*queue = append(*queue, w)
				return w
			}
			w, next := ask(), ask()
			if !w.granted || next.granted {
				t.Fatalf("granted are %v, and %v of who is next", w.granted, next.granted)
			}
			p.withdraw(w)
			if !next.granted {
				t.Error("who is next is not granted what is free")
			}
			p.withdraw(next)
			if w.share.used != 0 || next.share.used != 0 || p.mu.shares != before {
				t.Errorf("%d and %d bytes, %d shares are left", w.share.used, next.share.used, p.mu.shares)
			}
		})
	}
}

// step is what an attempt of TestNobodyWaitsForEver does.
type step struct {
	do string
	n  int64
}

// TestNobodyWaitsForEver runs attempts that take what they can, spill when they are refused and wait when they have nothing
// to spill, under limits that change: all of them end. Where nobody takes without asking, all that is granted stays within
// the limit.
func TestNobodyWaitsForEver(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.Int64Range(1, 100).Draw(rt, "limit") * mebi
		slots := rapid.IntRange(1, 5).Draw(rt, "slots")
		steps := []string{"take", "take", "yield"}
		exact := rapid.Bool().Draw(rt, "exact")
		if !exact {
			steps = append(steps, "must", "limit")
		}
		scripts := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{rapid.SampledFrom(steps).Draw(rt, "do"), rapid.Int64Range(0, 30).Draw(rt, "n") * mebi}
		}), 0, 8), 1, 8).Draw(rt, "attempts")
		seed := rapid.Uint64Min(1).Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			sched := startScheduler(t, coro.Config{Seed: seed})
			p := NewPool(limit, slots, slots)
			var all []*coro.Coroutine
			for i, script := range scripts {
				all = append(all, sched.Spawn(coro.Spec{Name: fmt.Sprint(i), Stage: i % 3}, func(c *coro.Coroutine) error {
					return follow(c, p, script, func() {
						if used := p.Used(); exact && used > limit {
							rt.Errorf("%d bytes of %d are granted", used, limit)
						}
					})
				}))
			}
			synctest.Wait()
			for _, c := range all {
				select {
				case <-c.Done():
				default:
					rt.Errorf("attempt %s waits for ever", c.Name())
				}
				if err := c.Err(); err != nil {
					rt.Error(err)
				}
			}
			if p.Used() != 0 || p.mu.shares != 0 {
				rt.Errorf("%d bytes and %d shares are left", p.Used(), p.mu.shares)
			}
		})
	})
}

// follow is an attempt. It calls granted whenever it was.
func follow(c *coro.Coroutine, p *Pool, script []step, granted func()) error {
	s, err := p.Join(c)
	if err != nil {
		return err
	}
	defer s.Close()
	spillable := int64(0)
	for _, x := range script {
		switch x.do {
		case "take":
			if !s.Take(x.n) {
				s.Give(spillable)
				spillable = 0
				err := s.Await(c, x.n)
				if _, ok := errors.AsType[*TooLargeError](err); ok {
					return nil // it fails, and others go on
				}
				if err != nil {
					return err
				}
			}
			spillable += x.n
			granted()
		case "must": // held to the end
			s.Must(x.n / 16)
		case "yield":
			if err := c.Yield(); err != nil {
				return err
			}
		case "limit":
			p.SetLimit(max(p.limit()-x.n, mebi))
		}
	}
	return nil
}

func (p *Pool) limit() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.limit
}
