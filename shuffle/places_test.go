package shuffle_test

import (
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"fletch/engine/coro"
	"fletch/shuffle"
	"fletch/shuffle/transfer"
)

// TestPlaces runs the acceptance tests over all places where an output may lie.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	var stores atomic.Int64
	next := func(c shuffle.Config) shuffle.Config {
		c.Dir = filepath.Join(dir, fmt.Sprint(stores.Add(1)))
		return c
	}
	shuffle.Accept(t, map[string]shuffle.Place{
		"memory or a file": func(t shuffle.TB, c shuffle.Config) *shuffle.Site {
			s := store(t, next(c))
			return &shuffle.Site{Writers: []*shuffle.Store{s}, Reader: s, Commit: here}
		},
		"durable files": func(t shuffle.TB, c shuffle.Config) *shuffle.Site {
			c.Durable = true
			s := store(t, next(c))
			return &shuffle.Site{Writers: []*shuffle.Store{s}, Reader: s, Commit: here}
		},
		"durable memory": func(t shuffle.TB, c shuffle.Config) *shuffle.Site {
			w := newWorker(t)
			s := store(t, w.config(next(c)))
			return &shuffle.Site{Writers: []*shuffle.Store{s}, Reader: s, Commit: here}
		},
		"what another process left": func(t shuffle.TB, c shuffle.Config) *shuffle.Site {
			w := newWorker(t)
			c = w.config(next(c))
			return &shuffle.Site{Writers: []*shuffle.Store{store(t, c)}, Reader: store(t, c), Commit: here}
		},
		"workers": func(t shuffle.TB, c shuffle.Config) *shuffle.Site { return remote(t, c, next) },
		"workers, nothing ahead": func(t shuffle.TB, c shuffle.Config) *shuffle.Site {
			c.AheadBytes = 1
			return remote(t, c, next)
		},
	})
}

func here(_ int, attempt string) shuffle.Producer { return shuffle.Producer{Attempt: attempt} }

func store(t shuffle.TB, c shuffle.Config) *shuffle.Store {
	t.Helper()
	s, err := shuffle.NewStore(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// remote is two workers that write and serve, and a third that writes and reads.
func remote(t shuffle.TB, c shuffle.Config, next func(shuffle.Config) shuffle.Config) *shuffle.Site {
	workers := []*worker{newWorker(t), newWorker(t), newWorker(t)}
	client := transfer.NewClient("job")
	t.Cleanup(client.Close)
	site := &shuffle.Site{Commit: func(writer int, attempt string) shuffle.Producer {
		p := shuffle.Producer{Attempt: attempt}
		if writer < 2 {
			p.Worker = workers[writer].address()
		}
		workers[writer].commit(attempt)
		return p
	}}
	for _, w := range workers {
		config := w.config(next(c))
		config.Fetch = client
		site.Writers = append(site.Writers, store(t, config))
	}
	site.Reader = site.Writers[2]
	return site
}

// worker is what an agent does for the shuffle.
type worker struct {
	registry *transfer.Registry
	server   *httptest.Server
	dir      string
	mu       sync.Mutex
	placed   map[string]*os.File
}

func newWorker(t shuffle.TB) *worker {
	w := &worker{registry: transfer.NewRegistry(), placed: map[string]*os.File{}}
	w.server = httptest.NewServer(transfer.NewHandler(w.registry))
	t.Cleanup(func() {
		w.server.Close()
		for _, f := range w.placed {
			f.Close()
		}
		if err := w.registry.DropJob("job"); err != nil {
			t.Errorf("drop the outputs: %v", err)
		}
	})
	return w
}

func (w *worker) address() string { return strings.TrimPrefix(w.server.URL, "http://") }

// config returns c for a Store of this worker's.
func (w *worker) config(c shuffle.Config) shuffle.Config {
	w.dir = c.Dir
	c.Durable = true
	c.Place = func(_ *coro.Coroutine, attempt string, bytes int64) (*os.File, error) {
		f, err := memfd(attempt)
		if err != nil || bytes > math.MaxInt64/2 {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.placed[attempt] = f
		return again(f)
	}
	c.Find = func(_ *coro.Coroutine, attempt string) (*os.File, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if f := w.placed[attempt]; f != nil {
			return again(f)
		}
		return nil, nil
	}
	return c
}

// commit makes an attempt's output one that is served.
func (w *worker) commit(attempt string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.placed[attempt]; f != nil {
		delete(w.placed, attempt)
		w.registry.Add("job", attempt, f)
		return
	}
	w.registry.AddPath("job", attempt, filepath.Join(w.dir, shuffle.FileName(attempt)))
}

func memfd(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// again returns another descriptor of f, as another process gets it.
func again(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
