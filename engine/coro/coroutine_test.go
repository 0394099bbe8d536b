package coro_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"fletch/engine/coro"
)

func TestEndings(t *testing.T) {
	cause := errors.New("cause")
	for name, test := range map[string]struct {
		entry func(*coro.Coroutine) error
		check func(error) bool
	}{
		"nil":   {nothing, func(err error) bool { return err == nil }},
		"error": {func(*coro.Coroutine) error { return io.EOF }, func(err error) bool { return err == io.EOF }},
		"panic": {func(*coro.Coroutine) error { panic("broken") }, func(err error) bool {
			var p *coro.PanicError
			return errors.As(err, &p) && p.Value == "broken" && strings.Contains(string(p.Stack), "TestEndings") &&
				strings.Contains(err.Error(), "broken")
		}},
		"panic with an error": {func(*coro.Coroutine) error { panic(cause) }, func(err error) bool {
			return errors.Is(err, cause)
		}},
		"panic with nil": {func(*coro.Coroutine) error { panic(nil) }, func(err error) bool { //nolint:govet // what comes of it is tested
			var p *runtime.PanicNilError
			return errors.As(err, &p)
		}},
		"panic after a switch": {func(c *coro.Coroutine) error { c.Yield(); panic(cause) }, func(err error) bool {
			return errors.Is(err, cause)
		}},
		"Goexit": {func(*coro.Coroutine) error { runtime.Goexit(); return nil }, func(err error) bool {
			return errors.Is(err, coro.ErrGoexit)
		}},
		"Goexit after a switch": {func(c *coro.Coroutine) error { c.Yield(); runtime.Goexit(); return nil }, func(err error) bool {
			return errors.Is(err, coro.ErrGoexit)
		}},
		"Goexit after parking": {func(c *coro.Coroutine) error {
			coro.Do(c, func() error { return nil })
			runtime.Goexit()
			return nil
		}, func(err error) bool { return errors.Is(err, coro.ErrGoexit) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, coro.Config{Runners: 1})
			var afterwards *coro.Coroutine
			c := spawn(s, "c", func(c *coro.Coroutine) error {
				afterwards = spawn(s, "afterwards", nothing)
				return test.entry(c)
			})
			if err := result(c); !test.check(err) {
				t.Errorf("got %v", err)
			}
			if err := result(afterwards); err != nil {
				t.Errorf("the runner is lost: %v", err)
			}
		})
	}
}

// isClosed reports whether done is closed.
func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestErrIsNilUntilTheEnd(t *testing.T) {
	s := serve(t, coro.Config{Runners: 1})
	started, goOn := make(chan struct{}), make(chan struct{}) // both closed below
	c := spawn(s, "c", func(*coro.Coroutine) error {
		close(started)
		<-goOn
		return io.EOF
	})
	<-started
	if err := c.Err(); err != nil || isClosed(c.Done()) {
		t.Errorf("running, but done: %v", err)
	}
	close(goOn)
	if err := result(c); err != io.EOF {
		t.Error(err)
	}
}

func TestCancelBeforeTheFirstResume(t *testing.T) {
	s := newScheduler(t, coro.Config{})
	c := spawn(s, "c", func(*coro.Coroutine) error { t.Error("it ran"); return nil })
	c.Cancel(io.EOF)
	c.Cancel(io.ErrUnexpectedEOF) // the first one counts
	end := run(s)
	if err := result(c); err != io.EOF {
		t.Error(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestCancelWhileParked(t *testing.T) {
	s := serve(t, coro.Config{Runners: 1})
	var never coro.Future[int]
	deferred := false
	c := spawn(s, "c", func(c *coro.Coroutine) error {
		defer func() { deferred = true }()
		_, err := coro.Await(c, &never)
		return err
	})
	result(spawn(s, "next", nothing)) // its turn comes when c is parked
	c.Cancel(io.EOF)
	if err := result(c); err != io.EOF || !deferred {
		t.Errorf("error %v, deferred %v", err, deferred)
	}
	never.Complete(0, nil)
}

func TestCancelWhileRunning(t *testing.T) {
	s := serve(t, coro.Config{Runners: 1})
	started, goOn := make(chan struct{}), make(chan struct{}) // both closed below
	var never coro.Future[int]
	c := spawn(s, "c", func(c *coro.Coroutine) error {
		close(started)
		<-goOn
		if !c.ShouldYield() || !c.Flag().Load() {
			t.Error("the flag is down")
		}
		if err := c.Yield(); !errors.Is(err, context.Canceled) {
			t.Errorf("Yield: %v", err)
		}
		if !c.ShouldYield() {
			t.Error("the flag is down after a switch")
		}
		_, err := coro.Await(c, &never)
		return err
	})
	<-started
	c.Cancel(nil)
	close(goOn)
	if err := result(c); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A coroutine that overlooks the cause lets the others have their turns.
func TestCancelledCoroutineGivesUpItsTurn(t *testing.T) {
	for name, deaf := range map[string]func(*coro.Coroutine){
		"Yield": func(c *coro.Coroutine) { c.Yield() },
		"Await": func(c *coro.Coroutine) { coro.Await(c, new(coro.Future[int])) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, coro.Config{Runners: 1})
			over := false
			c := spawn(s, "deaf", func(c *coro.Coroutine) error {
				c.Cancel(nil)
				for !over {
					deaf(c)
				}
				return nil
			})
			result(spawn(s, "other", func(*coro.Coroutine) error { over = true; return nil }))
			result(c)
		})
	}
}

// A hundred thousand coroutines wait at a time, for few bytes each.
func TestManyCoroutines(t *testing.T) {
	const n = 100_000
	s := serve(t, coro.Config{})
	before := inUse()
	wake := parkMany(s, n)
	if each := (inUse() - before) / n; each > parkedBytes {
		t.Errorf("%d bytes each", each)
	}
	if err := wake(); err != nil {
		t.Error(err)
	}
}
