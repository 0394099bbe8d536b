package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"fletch/engine/coro"
	"fletch/fault"
)

// agent places and finds outputs, as a worker's agent does.
type agent struct {
	mu     sync.Mutex
	placed map[string]*os.File
	asked  map[string]int64
	given  []*os.File // what the Store owns
	err    error
	room   bool
	seals  int
	spare  int64  // bytes more than were asked for
	onTry  func() // called before a file is placed
}

func newAgent(t *testing.T) *agent {
	a := &agent{placed: map[string]*os.File{}, asked: map[string]int64{}, room: true}
	t.Cleanup(func() {
		for _, f := range a.placed {
			f.Close()
		}
		for _, f := range a.given {
			if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("a file that the store was given is open after its end: %v", err)
			}
		}
	})
	return a
}

func (a *agent) config(c Config) Config {
	c.Durable, c.Place, c.Find = true, a.place, a.find
	return c
}

func (a *agent) place(_ *coro.Coroutine, attempt string, bytes int64) (*os.File, error) {
	if a.onTry != nil {
		a.onTry()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[attempt] = bytes
	if !a.room || a.err != nil {
		return nil, a.err
	}
	fd, err := unix.MemfdCreate(attempt, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	a.placed[attempt] = os.NewFile(uintptr(fd), attempt)
	if a.spare > 0 {
		if err := a.placed[attempt].Truncate(bytes + a.spare); err != nil {
			return nil, err
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, a.seals); err != nil {
		return nil, err
	}
	return a.giveLocked(attempt)
}

func (a *agent) find(c *coro.Coroutine, attempt string) (*os.File, error) {
	if err := c.Yield(); err != nil { // so that others look for it meanwhile
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.placed[attempt] == nil || a.err != nil {
		return nil, a.err
	}
	return a.giveLocked(attempt)
}

func (a *agent) giveLocked(attempt string) (*os.File, error) {
	fd, err := unix.FcntlInt(a.placed[attempt].Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), attempt)
	a.given = append(a.given, f)
	return f, nil
}

// A durable output goes where it is placed, or to a file, or stays in the file that it was spilled to. Wherever, it takes
// nothing of the memory, and is whole for others after the store's end.
func TestDurableOutputsOutliveTheStore(t *testing.T) {
	for name, test := range map[string]struct {
		memory       int64
		room         bool
		placed, file bool
	}{
		"placed":              {math.MaxInt64, true, true, false},
		"placed, no memory":   {0, true, true, false},
		"no room":             {math.MaxInt64, false, false, true},
		"no room, no memory":  {0, false, false, true},
		"spilled before that": {8000, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			sched := startScheduler(t)
			a := newAgent(t)
			a.room, a.spare = test.room, 1000
			s := newStore(t, a.config(Config{MemoryBytes: test.memory, FrameBytes: 500}))
			all := rows(2000, 3)
			err := sched.run(func(c *coro.Coroutine) error {
				if _, err := write(c, s, "a", all, 100, 3); err != nil {
					return err
				}
				if s.used() != 0 {
					t.Errorf("a committed output takes %d bytes", s.used())
				}
				got, err := read(c, s, []string{"a"}, 1, 2)
				if err == nil && !slices.Equal(got, of(all, 1)) {
					t.Errorf("read %v", got)
				}
				return err
			})
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(s.config.Dir, FileName("a"))
			if names := listing(s); (len(names) > 0) != test.file {
				t.Errorf("files %v are left, want one: %v", names, test.file)
			}
			file := FileAt("a", path)
			if test.placed {
				info, err := a.placed["a"].Stat()
				if err != nil || info.Size() != a.asked["a"] {
					t.Errorf("asked for %d bytes, the file has %v, error %v", a.asked["a"], info.Size(), err)
				}
				file = FileIn("a", a.placed["a"])
			} else if a.placed["a"] != nil {
				t.Error("memory was asked for and not used")
			}
			for p := range 3 {
				b, err := file.Block(1, p)
				if err == nil {
					err = b.Verify(context.Background())
				}
				if err != nil {
					t.Errorf("partition %d: %v", p, err)
				}
			}
		})
	}
}

// An output that cannot be placed, or not be written where it was, is an error of this machine at this time.
func TestFailingPlaces(t *testing.T) {
	for name, test := range map[string]struct {
		seals int
		err   error
		close bool
		want  error
	}{
		"no answer":              {0, io.ErrClosedPipe, false, io.ErrClosedPipe},
		"no room":                {unix.F_SEAL_GROW, nil, false, unix.EPERM},
		"a store that is closed": {0, nil, true, errClosed},
	} {
		t.Run(name, func(t *testing.T) {
			sched := startScheduler(t)
			a := newAgent(t)
			a.err, a.seals = test.err, test.seals
			s := newStore(t, a.config(Config{MemoryBytes: math.MaxInt64}))
			if test.close {
				a.onTry = func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}
			}
			err := sched.run(func(c *coro.Coroutine) error {
				_, err := write(c, s, "a", rows(20, 2), 7, 2)
				return err
			})
			if !errors.Is(err, test.want) || fault.ClassOf(err) != fault.Retryable {
				t.Errorf("error is %v of class %v, want %v", err, fault.ClassOf(err), test.want)
			}
			if s.used() != 0 || len(listing(s)) != 0 {
				t.Errorf("%d bytes and files %v are left", s.used(), listing(s))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Another store on this machine finds what the first has left, many readers at once. What nobody has is lost; nobody's
// answer is no loss.
func TestFind(t *testing.T) {
	sched := startScheduler(t)
	a := newAgent(t)
	first := newStore(t, a.config(Config{}))
	config := a.config(Config{Dir: first.config.Dir})
	all := rows(100, 2)
	err := sched.run(func(c *coro.Coroutine) error {
		for i, attempt := range []string{"placed", "file"} {
			a.room = i == 0
			if _, err := write(c, first, attempt, all, 100, 2); err != nil {
				return err
			}
		}
		return first.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	second := newStore(t, config)
	var readers []*coro.Coroutine
	for i := range 20 {
		readers = append(readers, sched.Spawn(coro.Spec{Name: fmt.Sprint(i)}, func(c *coro.Coroutine) error {
			got, err := read(c, second, []string{"placed", "file"}, 1, 2)
			if want := of(all, 1); err == nil && !slices.Equal(got, append(want, want...)) {
				t.Errorf("read %v", got)
			}
			return err
		}))
	}
	for _, c := range readers {
		if <-c.Done(); c.Err() != nil {
			t.Error(c.Err())
		}
	}
	err = sched.run(func(c *coro.Coroutine) error {
		_, err := read(c, second, []string{"placed", "nobody's"}, 1, 2)
		if err := wantLost(err, "nobody's", 1, "no such file"); err != nil {
			t.Error(err)
		}
		a.err = io.ErrClosedPipe
		_, err = read(c, second, []string{"another"}, 1, 2)
		if !errors.Is(err, io.ErrClosedPipe) || fault.ClassOf(err) != fault.Retryable {
			t.Errorf("error is %v of class %v", err, fault.ClassOf(err))
		}
		for _, attempt := range []string{"placed", "file"} {
			if err := second.Remove(attempt); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := a.placed["placed"].Stat(); err != nil || info.Size() != 0 || len(listing(second)) != 0 {
		t.Errorf("what was removed has left %d bytes and files %v, error %v", info.Size(), listing(second), err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
