package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pairs is the schema of most tests: a word and a number.
var pairs = arrow.NewSchema([]arrow.Field{
	{Name: "key", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "value", Type: arrow.PrimitiveTypes.Int64},
}, nil)

// scheduler is a running scheduler.
type scheduler struct{ *coro.Scheduler }

func startScheduler(t testing.TB) scheduler { return startRunners(t, 2) }

func startRunners(t testing.TB, runners int) scheduler {
	t.Helper()
	s, err := coro.New(coro.Config{Runners: runners})
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
	return scheduler{s}
}

// run runs fn as a coroutine to its end.
func (s scheduler) run(fn func(c *coro.Coroutine) error) error {
	c := s.Spawn(coro.Spec{Name: "test"}, fn)
	<-c.Done()
	return c.Err()
}

// shareOf returns a share for c that is alone and has much.
func shareOf(c *coro.Coroutine) *budget.Share {
	s, err := budget.NewPool(1<<30, 1, 1).Join(c)
	if err != nil {
		panic(err) // c has been cancelled
	}
	return s
}

func newStore(t testing.TB, config Config) *Store {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	s, err := NewStore(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// used returns the bytes that are taken from the store's budget.
func (s *Store) used() int64 {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.budget.mu.used
}

// closeStore closes a store and checks that nothing is left of it.
func closeStore(t rapid.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close store: %v", err)
	}
	if n := s.used(); n != 0 {
		t.Errorf("a closed store has %d bytes taken", n)
	}
	if names := listing(s); len(names) != 0 {
		t.Errorf("a closed store leaves %v", names)
	}
}

// listing returns the names in the store's directory.
func listing(s *Store) []string {
	entries, _ := os.ReadDir(s.config.Dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// row is a row of pairs and where it goes.
type row struct {
	key       string
	value     int64
	partition uint32
}

func (r row) String() string { return fmt.Sprintf("%.20s/%d=%d", r.key, len(r.key), r.value) }

// record returns rows as a record, with their partitions. An empty key becomes a null.
func record(rows []row) (arrow.Record, []uint32) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, pairs)
	parts := make([]uint32, len(rows))
	for i, r := range rows {
		if r.key == "" {
			b.Field(0).AppendNull()
		} else {
			b.Field(0).(*array.StringBuilder).Append(r.key)
		}
		b.Field(1).(*array.Int64Builder).Append(r.value)
		parts[i] = r.partition
	}
	return b.NewRecord(), parts
}

// rows returns n rows spread over partitions.
func rows(n, partitions int) []row {
	all := make([]row, n)
	for i := range all {
		all[i] = row{key: fmt.Sprint("key ", i*7919%1000), value: int64(i), partition: uint32(i * 31 % partitions)}
	}
	return all
}

// of returns what a partition's rows look like.
func of(rows []row, partition int) []string {
	var out []string
	for _, r := range rows {
		if int(r.partition) == partition {
			out = append(out, r.String())
		}
	}
	return out
}

// write writes rows to exchange 1 as one attempt, in batches of so many.
func write(c *coro.Coroutine, s *Store, attempt string, rows []row, batch, partitions int) ([]plan.ShuffleOutput, error) {
	w, err := s.NewWriter(c, shareOf(c), attempt)
	if err != nil {
		return nil, err
	}
	defer w.Discard()
	port, err := w.Port(1, pairs, partitions)
	if err != nil {
		return nil, err
	}
	for len(rows) > 0 {
		n := min(batch, len(rows))
		rec, parts := record(rows[:n])
		if err := port.Write(rec, parts); err != nil {
			return nil, err
		}
		rec.Release()
		rows = rows[n:]
	}
	return w.Commit()
}

// read returns what the partitions lo to hi-1 of exchange 1 look like.
func read(c *coro.Coroutine, s *Store, attempts []string, lo, hi int) ([]string, error) {
	return readFrom(c, s, local(attempts...), lo, hi)
}

func readFrom(c *coro.Coroutine, s *Store, producers []Producer, lo, hi int) ([]string, error) {
	r := s.NewReader(c, producers, 1, pairs, lo, hi)
	defer r.Close()
	var out []string
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		keys, values := rec.Column(0).(*array.String), rec.Column(1).(*array.Int64)
		for i := range int(rec.NumRows()) {
			out = append(out, row{key: keys.Value(i), value: values.Value(i)}.String())
		}
		rec.Release()
	}
}

// wantLost checks that err blames the producer.
func wantLost(err error, attempt string, partition int, text string) error {
	var e *LostError
	switch {
	case !errors.As(err, &e):
		return fmt.Errorf("error is %v, want a LostError", err)
	case !slices.Equal(e.Attempts, []string{attempt}) || e.Exchange != 1 || e.Partition != partition:
		return fmt.Errorf("error blames attempt %s, exchange %d, partition %d; want %s, 1, %d: %v", e.Attempts, e.Exchange, e.Partition, attempt, partition, err)
	case !strings.Contains(err.Error(), text):
		return fmt.Errorf("error is %v, want %q in it", err, text)
	}
	return nil
}

// local returns attempts as producers on this machine.
func local(attempts ...string) []Producer {
	out := make([]Producer, len(attempts))
	for i, a := range attempts {
		out[i].Attempt = a
	}
	return out
}
