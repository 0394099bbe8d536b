package budget

import (
	"context"
	"errors"
	"math"
	"testing"

	"go.uber.org/goleak"

	"fletch/engine/coro"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mebi = 1 << 20

// startScheduler returns a running scheduler, which ends with the test.
func startScheduler(t *testing.T, config coro.Config) *coro.Scheduler {
	t.Helper()
	s, err := coro.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("scheduler: %v", err)
		}
	})
	return s
}

// run runs fn as a coroutine to its end.
func run(t *testing.T, fn func(c *coro.Coroutine) error) {
	t.Helper()
	c := startScheduler(t, coro.Config{Runners: 1}).Spawn(coro.Spec{Name: "test"}, fn)
	<-c.Done()
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

// TestTakeWithinTheNth lets a share that is alone have all, and none of two more than half.
func TestTakeWithinTheNth(t *testing.T) {
	run(t, func(c *coro.Coroutine) error {
		p := NewPool(100*mebi, 4, 4)
		a, err := p.Join(c)
		if err != nil {
			return err
		}
		take := func(s *Share, n int64, want bool) {
			t.Helper()
			if have := s.Take(n); have != want {
				t.Errorf("Take(%d MiB) = %v with %d of %d MiB used", n/mebi, have, s.Used()/mebi, p.Used()/mebi)
			}
		}
		take(a, 90*mebi, true)
		b, err := p.Join(c)
		if err != nil {
			return err
		}
		take(a, 1, false) // a holds more than half
		take(b, 11*mebi, false)
		take(b, 10*mebi, true)
		a.Give(60 * mebi)
		take(b, 41*mebi, false)
		take(b, 40*mebi, true)
		take(a, 21*mebi, false)
		take(a, 20*mebi, true)
		take(a, math.MaxInt64, false) // no sum wraps around
		take(a, 0, true)
		b.Close()
		take(a, 50*mebi, true)
		if a.Used() != 100*mebi || a.Peak() != 100*mebi || a.Granted() != 160*mebi || p.Used() != 100*mebi {
			t.Errorf("used %d, peak %d, granted %d; pool %d", a.Used(), a.Peak(), a.Granted(), p.Used())
		}
		a.Close()
		return nil
	})
}

// TestMustPassesTheLimit has what was taken with Must keep all from taking more.
func TestMustPassesTheLimit(t *testing.T) {
	run(t, func(c *coro.Coroutine) error {
		p := NewPool(32*mebi, 2, 2)
		a, err := p.Join(c)
		if err != nil {
			return err
		}
		b, err := p.Join(c)
		if err != nil {
			return err
		}
		a.Must(40 * mebi)
		if a.Take(1) || b.Take(1) {
			t.Error("there is room beyond the limit")
		}
		a.Give(24 * mebi)
		if a.Take(1) || !b.Take(16*mebi) {
			t.Error("a, at its half, can take more, or b less than its half")
		}
		a.Close()
		b.Close()
		return nil
	})
}

// TestAfterClose takes nothing, and gives nothing back twice.
func TestAfterClose(t *testing.T) {
	run(t, func(c *coro.Coroutine) error {
		p := NewPool(32*mebi, 2, 2)
		a, err := p.Join(c)
		if err != nil {
			return err
		}
		b, err := p.Join(c)
		if err != nil {
			return err
		}
		a.Must(5)
		b.Must(7)
		a.Close()
		a.Close()
		a.Give(5)
		a.Must(9)
		if a.Take(1) || a.Used() != 0 || a.Peak() != 5 {
			t.Errorf("a closed share takes bytes: used %d, peak %d", a.Used(), a.Peak())
		}
		if err := a.Await(c, 1); !errors.Is(err, errClosed) {
			t.Errorf("Await of a closed share: %v", err)
		}
		if p.Used() != 7 {
			t.Errorf("the pool has %d bytes used, want those of the other share", p.Used())
		}
		if !b.Take(32*mebi - 7) {
			t.Error("a share that closed twice is counted out twice, or not at all")
		}
		b.Close()
		return nil
	})
}

// TestMisuse finds callers that miscount.
func TestMisuse(t *testing.T) {
	run(t, func(c *coro.Coroutine) error {
		s, err := NewPool(32*mebi, 1, 1).Join(c)
		if err != nil {
			return err
		}
		s.Must(10)
		for name, f := range map[string]func(){
			"Take":  func() { s.Take(-1) },
			"Must":  func() { s.Must(-1) },
			"Give":  func() { s.Give(-1) },
			"Await": func() { s.Await(c, -1) },
			"more":  func() { s.Give(11) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: it passes", name)
					}
				}()
				f()
			}()
		}
		s.Give(10) // none of them holds the lock
		s.Close()
		return nil
	})
}

func TestSeats(t *testing.T) {
	for _, test := range []struct {
		bytes              int64
		cores, slots, want int
	}{
		{32 * mebi, 8, 8, 2}, {32*mebi - 1, 8, 8, 1}, {1, 8, 8, 1}, {0, 8, 8, 1}, {1 << 40, 8, 8, 8}, {1 << 40, 0, 0, 1},
		{48 * mebi, 2, 2, 2}, {48 * mebi, 2, 4, 2}, {96*mebi - 1, 2, 4, 2}, {96 * mebi, 2, 4, 3}, {1 << 40, 2, 4, 4},
		{48 * mebi, 8, 16, 3}, {48 * mebi, 8, 2, 2},
	} {
		if have := Seats(test.bytes, test.cores, test.slots); have != test.want {
			t.Errorf("Seats(%d, %d, %d) = %d, want %d", test.bytes, test.cores, test.slots, have, test.want)
		}
	}
}

// TestTooLarge does not let a share wait for more than it can be sure of, but have it where it is free.
func TestTooLarge(t *testing.T) {
	run(t, func(c *coro.Coroutine) error {
		p := NewPool(64*mebi, 2, 2)
		a, err := p.Join(c)
		if err != nil {
			return err
		}
		if err := a.Await(c, 33*mebi); err != nil {
			t.Errorf("what is free is not granted: %v", err)
		}
		b, err := p.Join(c)
		if err != nil {
			return err
		}
		b.Must(mebi)
		err = b.Await(c, 32*mebi)
		if e, ok := errors.AsType[*TooLargeError](err); !ok || e.Bytes != 33*mebi || e.Share != 32*mebi {
			t.Errorf("error is %v, want a TooLargeError", err)
		}
		if b.Used() != mebi {
			t.Errorf("what failed has left %d bytes taken", b.Used())
		}
		a.Close()
		b.Close()
		return nil
	})
}
