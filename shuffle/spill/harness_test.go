package spill

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fletch/engine/budget"
	"fletch/engine/coro"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words is the schema of the tests.
var words = arrow.NewSchema([]arrow.Field{{Name: "word", Type: arrow.BinaryTypes.String}}, nil)

// bench runs coroutines of attempts, whose files are in dir.
type bench struct {
	*coro.Scheduler
	t    testing.TB
	pool *budget.Pool
	dir  string
}

func newBench(t testing.TB, config coro.Config) *bench {
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
	return &bench{Scheduler: s, t: t, pool: budget.NewPool(64<<20, 4, 4), dir: t.TempDir()}
}

// spawn starts a coroutine that runs fn with the spill file of an attempt, as an attempt does.
func (b *bench) spawn(fn func(f *File) error) *coro.Coroutine {
	return b.Spawn(coro.Spec{Name: "attempt"}, func(c *coro.Coroutine) error {
		share, err := b.pool.Join(c)
		if err != nil {
			return err
		}
		f := New(c, share, filepath.Join(b.dir, FileName("attempt")))
		defer func() {
			if err := f.Close(); err != nil {
				b.t.Errorf("close: %v", err)
			}
			if n := share.Used(); n != 0 {
				b.t.Errorf("a closed file has %d bytes taken", n)
			}
			share.Close()
			if left := b.listing(); len(left) != 0 {
				b.t.Errorf("a closed file leaves %v", left)
			}
		}()
		return fn(f)
	})
}

// run is spawn, to the end.
func (b *bench) run(fn func(f *File) error) error {
	c := b.spawn(fn)
	<-c.Done()
	return c.Err()
}

func (b *bench) listing() (names []string) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Error(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func record(words_ ...string) arrow.Record {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), words)
	b.Field(0).(*array.StringBuilder).AppendValues(words_, nil)
	return b.NewRecord()
}

// batches returns n batches with one word of so many bytes each, which tell the run and the batch.
func batches(run string, n, bytes int) (out [][]string) {
	for i := range n {
		word := run + " " + strings.Repeat(string(rune('a'+i%26)), bytes)
		out = append(out, []string{word, word[:len(word)/2]})
	}
	return out
}

func writeAll(w *Writer, batches [][]string) error {
	for _, b := range batches {
		rec := record(b...)
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// spill writes a run.
func spill(f *File, batches [][]string) (*Run, error) {
	w, err := f.Create(words)
	if err != nil {
		return nil, err
	}
	if err := writeAll(w, batches); err != nil {
		return nil, err
	}
	return w.Close()
}

// load reads a run.
func load(r *Run) ([][]string, error) {
	reader, err := r.Open()
	if err != nil {
		return nil, err
	}
	out, err := drain(reader)
	return out, errors.Join(err, reader.Close())
}

func drain(reader *Reader) (out [][]string, err error) {
	for {
		rec, err := reader.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		column := rec.Column(0).(*array.String)
		batch := make([]string, column.Len())
		for i := range batch {
			batch[i] = column.Value(i)
		}
		out = append(out, batch)
		rec.Release()
	}
}

func equal(a, b [][]string) bool { return slices.EqualFunc(a, b, slices.Equal[[]string]) }
