package coro_test

import (
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"fletch/engine/coro"
)

func TestCallsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		fn    func() (int, error)
		check func(int, error) bool
	}{
		"value": {func() (int, error) { return 1, io.EOF }, func(v int, err error) bool { return v == 1 && err == io.EOF }},
		"panic": {func() (int, error) { panic("broken") }, func(_ int, err error) bool {
			var p *coro.PanicError
			return errors.As(err, &p) && p.Value == "broken" && len(p.Stack) > 0
		}},
		"Goexit": {func() (int, error) { runtime.Goexit(); return 1, nil }, func(_ int, err error) bool {
			return errors.Is(err, coro.ErrGoexit)
		}},
	} {
		for _, seed := range []uint64{0, 1} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, coro.Config{Runners: 1, IO: 1, Seed: seed})
				for range 2 { // the second finds the place of the first free
					err := result(spawn(s, "c", func(c *coro.Coroutine) error {
						if v, err := coro.Await(c, coro.Go(c, test.fn)); !test.check(v, err) {
							return errors.Join(errors.New("unexpected"), err)
						}
						return nil
					}))
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// Futures that complete at the very moment at which their coroutines park wake them all the same.
func TestNoWakeUpIsLost(t *testing.T) {
	s := serve(t, coro.Config{Runners: 2})
	const rounds = 20_000
	futures := make([]coro.Future[int], rounds)
	var next atomic.Int64 // the round that the coroutine is about to await
	go func() {
		for i := range futures {
			for next.Load() < int64(i) {
				runtime.Gosched()
			}
			futures[i].Complete(i, nil)
		}
	}()
	err := result(spawn(s, "c", func(c *coro.Coroutine) error {
		for i := range futures {
			next.Store(int64(i))
			if v, err := coro.Await(c, &futures[i]); v != i || err != nil {
				return errors.Join(errors.New("wrong value"), err)
			}
		}
		return nil
	}))
	if err != nil {
		t.Error(err)
	}
}

// Cancel, completion and parking at once: the coroutine ends either way.
func TestCancelMeetsCompletion(t *testing.T) {
	s := serve(t, coro.Config{Runners: 2})
	for range 5_000 {
		var future coro.Future[int]
		c := spawn(s, "c", func(c *coro.Coroutine) error {
			_, err := coro.Await(c, &future)
			return err
		})
		go future.Complete(1, nil)
		go c.Cancel(io.EOF)
		if err := result(c); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
}

func TestAwaitOfACompleteFutureIgnoresCancel(t *testing.T) {
	s := serve(t, coro.Config{Runners: 1})
	var future coro.Future[int]
	future.Complete(7, nil)
	c := spawn(s, "c", func(c *coro.Coroutine) error {
		c.Cancel(io.EOF)
		if v, err := coro.Await(c, &future); v != 7 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		return nil
	})
	result(c)
}

// What completes before the coroutine has looked is not lost to it, though it has been cancelled meanwhile.
func TestAwaitPrefersTheValue(t *testing.T) {
	s := serve(t, coro.Config{Runners: 1})
	var future coro.Future[int]
	c := spawn(s, "c", func(c *coro.Coroutine) error {
		v, err := coro.Await(c, &future)
		if v != 7 {
			t.Errorf("got %d", v)
		}
		return err
	})
	result(spawn(s, "other", func(*coro.Coroutine) error { // its turn comes when c is parked
		c.Cancel(io.EOF)
		future.Complete(7, nil)
		return nil
	}))
	if err := result(c); err != nil {
		t.Error(err)
	}
}

// A cancelled coroutine can wait in a defer for what still uses its memory.
func TestJoinOutlastsCancel(t *testing.T) {
	s := serve(t, coro.Config{Runners: 1})
	release := make(chan struct{}) // closed below
	c := spawn(s, "c", func(c *coro.Coroutine) error {
		buffer := make([]byte, 1)
		read := coro.Go(c, func() (int, error) { <-release; buffer[0] = 1; return 1, nil })
		defer func() {
			if n, err := coro.Join(c, read); n != 1 || err != nil || buffer[0] != 1 {
				t.Errorf("got %d, %v, buffer %v", n, err, buffer)
			}
		}()
		_, err := coro.Await(c, read)
		return err
	})
	c.Cancel(io.EOF)
	result(spawn(s, "other", nothing))
	if isClosed(c.Done()) && c.Err() == nil {
		t.Error("Join did not wait")
	}
	close(release)
	if err := result(c); err != io.EOF {
		t.Error(err)
	}
}

func TestManyAwaitOneFuture(t *testing.T) {
	s := serve(t, coro.Config{})
	var future coro.Future[string]
	var all []*coro.Coroutine
	for range 100 {
		all = append(all, spawn(s, "c", func(c *coro.Coroutine) error {
			if v, err := coro.Await(c, &future); v != "there" || err != io.EOF {
				t.Errorf("got %q, %v", v, err)
			}
			return nil
		}))
	}
	future.Complete("there", io.EOF)
	for _, c := range all {
		result(c)
	}
}

func TestCompleteTwicePanics(t *testing.T) {
	var future coro.Future[int]
	future.Complete(1, nil)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	future.Complete(2, nil)
}

func TestCallsAreBounded(t *testing.T) {
	const limit, calls = 3, 50
	s := serve(t, coro.Config{Runners: 2, IO: limit})
	var atOnce, most atomic.Int32
	err := result(spawn(s, "c", func(c *coro.Coroutine) error {
		var futures []*coro.Future[int]
		for i := range calls {
			futures = append(futures, coro.Go(c, func() (int, error) {
				n := atOnce.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				runtime.Gosched()
				atOnce.Add(-1)
				return i, nil
			}))
		}
		for i, f := range futures {
			if v, err := coro.Await(c, f); v != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, v, err)
			}
		}
		return nil
	}))
	if err != nil {
		t.Error(err)
	}
	if most.Load() > limit {
		t.Errorf("%d calls at once", most.Load())
	}
}

// While a call blocks, the only runner serves others.
func TestCallHoldsNoRunner(t *testing.T) {
	s := serve(t, coro.Config{Runners: 1})
	release := make(chan struct{}) // closed below
	c := spawn(s, "c", func(c *coro.Coroutine) error {
		return coro.Do(c, func() error { <-release; return nil })
	})
	result(spawn(s, "other", nothing))
	close(release)
	if err := result(c); err != nil {
		t.Error(err)
	}
}
