package transfer

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/shuffle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is the schema of all tests.
var lines = arrow.NewSchema([]arrow.Field{{Name: "line", Type: arrow.BinaryTypes.String}}, nil)

// bench is a worker with outputs in files, its server, and a store that reads them from there.
type bench struct {
	t         testing.TB
	scheduler *coro.Scheduler
	dir       string
	registry  *Registry
	server    *httptest.Server
	client    *Client
	reader    *shuffle.Store
	want      []string // what all partitions have, for one attempt
}

const (
	benchPartitions = 3
	benchAttempts   = 3
)

// newBench writes so many rows of so many bytes as each of the attempts a0, a1, a2 of job "job", to exchange 1.
func newBench(t testing.TB, rows, bytes int, config shuffle.Config) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), registry: NewRegistry(), client: NewClient("job")}
	b.start()
	writer := b.store(shuffle.Config{Durable: true, Dir: b.dir})
	config.Dir, config.Fetch = t.TempDir(), b.client
	b.reader = b.store(config)
	b.server = httptest.NewServer(NewHandler(b.registry))
	t.Cleanup(func() {
		b.client.Close()
		b.server.Close()
	})
	all := make([]string, rows)
	parts := make([]uint32, rows)
	for i := range all {
		all[i], parts[i] = fmt.Sprint(i, strings.Repeat("x", bytes)), uint32(i%benchPartitions)
	}
	for p := range benchPartitions {
		for range benchAttempts {
			for i := p; i < rows; i += benchPartitions {
				b.want = append(b.want, all[i])
			}
		}
	}
	b.run(func(c *coro.Coroutine) error {
		for i := range benchAttempts {
			if err := b.write(c, writer, attempt(i), all, parts); err != nil {
				return err
			}
			b.registry.AddPath("job", attempt(i), b.path(i))
		}
		return nil
	})
	return b
}

func attempt(i int) string { return fmt.Sprint("a", i) }

func (b *bench) path(i int) string { return filepath.Join(b.dir, shuffle.FileName(attempt(i))) }

func (b *bench) address() string { return strings.TrimPrefix(b.server.URL, "http://") }

func (b *bench) start() {
	s, err := coro.New(coro.Config{Runners: 2})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("scheduler: %v", err)
		}
	})
	b.scheduler = s
}

func (b *bench) store(config shuffle.Config) *shuffle.Store {
	s, err := shuffle.NewStore(config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return s
}

// run runs fn, which has to succeed.
func (b *bench) run(fn func(c *coro.Coroutine) error) {
	b.t.Helper()
	c := b.scheduler.Spawn(coro.Spec{Name: "test"}, fn)
	<-c.Done()
	if err := c.Err(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) write(c *coro.Coroutine, s *shuffle.Store, attempt string, all []string, parts []uint32) error {
	share, err := budget.NewPool(1<<30, 1, 1).Join(c)
	if err != nil {
		return err
	}
	w, err := s.NewWriter(c, share, attempt)
	if err != nil {
		return err
	}
	defer w.Discard()
	port, err := w.Port(1, lines, benchPartitions)
	if err != nil {
		return err
	}
	for len(all) > 0 {
		n := min(len(all), 1000)
		builder := array.NewStringBuilder(memory.DefaultAllocator)
		builder.AppendValues(all[:n], nil)
		rec := array.NewRecord(lines, []arrow.Array{builder.NewArray()}, int64(n))
		if err := port.Write(rec, parts[:n]); err != nil {
			return err
		}
		all, parts = all[n:], parts[n:]
	}
	_, err = w.Commit()
	return err
}

// producers are the attempts, at an address.
func producers(address string) []shuffle.Producer {
	out := make([]shuffle.Producer, benchAttempts)
	for i := range out {
		out[i] = shuffle.Producer{Attempt: attempt(i), Worker: address}
	}
	return out
}

// read reads all partitions of the attempts from the server at an address. What it reads has to be what was written.
func (b *bench) read(address string) (err error) {
	b.t.Helper()
	c := b.scheduler.Spawn(coro.Spec{Name: "reader"}, func(c *coro.Coroutine) error { return b.readOn(c, address) })
	<-c.Done()
	return c.Err()
}

func (b *bench) readOn(c *coro.Coroutine, address string) error {
	r := b.reader.NewReader(c, producers(address), 1, lines, 0, benchPartitions)
	defer r.Close()
	var got []string
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		column := rec.Column(0).(*array.String)
		for i := range column.Len() {
			got = append(got, column.Value(i))
		}
	}
	if !slices.Equal(got, b.want) {
		b.t.Errorf("%d rows came back, %d were written, and they are not the same", len(got), len(b.want))
	}
	return nil
}

// impatient is for tests in which a worker is gone for good.
var impatient = shuffle.Config{TryTimeout: 200 * time.Millisecond, Patience: 300 * time.Millisecond}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
