package shuffle

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/coro"
	"fletch/engine/plan"
)

// job is what a test sends through a store of its own.
type job struct {
	config     Config
	attempts   []string
	written    map[string][]row
	batch      int // rows of a batch
	partitions int
	lo, hi     int // what is read
}

func drawJob(t *rapid.T) job {
	j := job{
		config: Config{
			BufferBytes: rapid.SampledFrom([]int64{1, 2000, 1 << 20}).Draw(t, "buffer"),
			FrameBytes:  rapid.SampledFrom([]int{1, 200, 5000, 1 << 20}).Draw(t, "frame"),
		},
		attempts:   rapid.SliceOfNDistinct(rapid.StringMatching("[a-z]{1,4}"), 0, 4, rapid.ID[string]).Draw(t, "attempts"),
		written:    map[string][]row{},
		batch:      rapid.IntRange(1, 40).Draw(t, "batch"),
		partitions: rapid.IntRange(1, 7).Draw(t, "partitions"),
	}
	j.lo = rapid.IntRange(0, j.partitions).Draw(t, "lo")
	j.hi = rapid.IntRange(j.lo, j.partitions).Draw(t, "hi")
	drawn := rapid.Custom(func(t *rapid.T) row {
		return row{
			key:       strings.Repeat("k", rapid.SampledFrom([]int{0, 3, 15, 20, 700}).Draw(t, "length")),
			value:     rapid.Int64().Draw(t, "value"),
			partition: uint32(rapid.IntRange(0, j.partitions-1).Draw(t, "partition")),
		}
	})
	for _, a := range j.attempts {
		j.written[a] = rapid.SliceOfN(drawn, 0, 100).Draw(t, "rows")
	}
	return j
}

// want returns what the job should read: by partition, by attempt, by row.
func (j job) want() []string {
	var want []string
	for p := j.lo; p < j.hi; p++ {
		for _, a := range j.attempts {
			want = append(want, of(j.written[a], p)...)
		}
	}
	return want
}

// Site is where a job's outputs are written and read.
type Site struct {
	Writers []*Store                                  // those of the attempts, in turn
	Commit  func(writer int, attempt string) Producer // tells the site of an output, and the reader where it is
	Reader  *Store
}

// Place makes a Site, with these sizes, for one test that ends with t.
type Place func(t TB, config Config) *Site

// TB is a test, or a round of one.
type TB interface {
	rapid.TB
	Cleanup(end func())
}

// write writes an attempt to exchange 1, with the writer whose turn it is.
func (s *Site) write(c *coro.Coroutine, i int, attempt string, rows []row, batch, partitions int) ([]plan.ShuffleOutput, Producer, error) {
	writer := i % len(s.Writers)
	out, err := write(c, s.Writers[writer], attempt, rows, batch, partitions)
	if err != nil {
		return nil, Producer{}, err
	}
	return out, s.Commit(writer, attempt), nil
}

// close closes the site's stores and checks what they have taken.
func (s *Site) close(t rapid.TB) {
	t.Helper()
	for _, store := range append([]*Store{s.Reader}, s.Writers...) {
		if n := store.ahead.mu.used; n != 0 {
			t.Errorf("%d bytes are taken to read ahead", n)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
		if n := store.used(); n != 0 {
			t.Errorf("a closed store has %d bytes taken", n)
		}
	}
}

// through returns what came out of the site, and the sizes of all blocks.
func (j job) through(c *coro.Coroutine, s *Site) (got []string, sizes []int64, err error) {
	var producers []Producer
	for i, a := range j.attempts {
		out, producer, err := s.write(c, i, a, j.written[a], j.batch, j.partitions)
		if err != nil {
			return nil, nil, err
		}
		producers = append(producers, producer)
		sizes = append(sizes, out[0].Bytes...)
	}
	got, err = readFrom(c, s.Reader, producers, j.lo, j.hi)
	return got, sizes, err
}

// Accept runs the tests that each place has to pass, and finds the same results in all.
func Accept(t *testing.T, places map[string]Place) {
	t.Run("round trip", func(t *testing.T) { acceptRoundTrip(t, places) })
	for name, place := range places {
		t.Run("long blocks/"+name, func(t *testing.T) { acceptLongBlocks(t, place) })
		t.Run("large rows/"+name, func(t *testing.T) { acceptLargeRows(t, place) })
	}
}

// Wherever it lies and whatever the budget, each partition comes back as it was written: the rows of each attempt in
// their order, the attempts in the order in which the reader names them, in the same frames.
func acceptRoundTrip(t *testing.T, places map[string]Place) {
	sched := startScheduler(t)
	rapid.Check(t, func(t *rapid.T) {
		j := drawJob(t)
		want := j.want()
		var frames []int64
		for _, name := range slices.Sorted(maps.Keys(places)) {
			j.config.MemoryBytes = rapid.SampledFrom([]int64{0, 1000, 3000, 20_000, math.MaxInt64}).Draw(t, name)
			site := places[name](t, j.config)
			var got []string
			var sizes []int64
			err := sched.run(func(c *coro.Coroutine) (err error) {
				got, sizes, err = j.through(c, site)
				return err
			})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, s := range site.Writers {
				if s.used() > j.config.MemoryBytes {
					t.Errorf("%s: %d bytes of a budget of %d are taken", name, s.used(), j.config.MemoryBytes)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("from %s came back\n%v\nwant\n%v", name, got, want)
			}
			if frames == nil {
				frames = sizes
			}
			if !slices.Equal(sizes, frames) {
				t.Errorf("%s: the blocks' sizes are %v, elsewhere %v", name, sizes, frames)
			}
			site.close(t)
		}
	})
}

// A block that is longer than what is read at once arrives whole, with the next piece on its way.
func acceptLongBlocks(t *testing.T, place Place) {
	sched := startScheduler(t)
	s := place(t, Config{BufferBytes: 4 << 20})
	all := rows(100_000, 2)
	err := sched.run(func(c *coro.Coroutine) error {
		var producers []Producer
		var want []string
		for i, a := range []string{"a", "b", "c", "d"} {
			_, p, err := s.write(c, i, a, all, 8192, 2)
			if err != nil {
				return err
			}
			producers = append(producers, p)
		}
		for p := range 2 {
			for range producers {
				want = append(want, of(all, p)...)
			}
		}
		got, err := readFrom(c, s.Reader, producers, 0, 2)
		if err == nil && !slices.Equal(got, want) {
			t.Error("what came back is not what was written")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.close(t)
}

// A row that is larger than what is read at once, and than what may be read ahead, has a frame of its own.
func acceptLargeRows(t *testing.T, place Place) {
	sched := startScheduler(t)
	s := place(t, Config{AheadBytes: 1 << 20})
	var all []row
	for i, n := range []int{10, 3 << 20, 20, 9 << 20, 30, 2 << 20, 2 << 20, 2 << 20, 40} {
		all = append(all, row{key: strings.Repeat("x", n), value: int64(i)})
	}
	err := sched.run(func(c *coro.Coroutine) error {
		_, p, err := s.write(c, 0, "a", all, len(all), 1)
		if err != nil {
			return err
		}
		got, err := readFrom(c, s.Reader, []Producer{p}, 0, 1)
		if err == nil && !slices.Equal(got, of(all, 0)) {
			t.Errorf("read %v", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.close(t)
}

// A task writes several exchanges into its one file.
func TestSeveralExchanges(t *testing.T) {
	sched := startScheduler(t)
	for _, budget := range []int64{0, math.MaxInt64} {
		s := newStore(t, Config{MemoryBytes: budget, FrameBytes: 500})
		all := rows(300, 4)
		var sizes []plan.ShuffleOutput
		err := sched.run(func(c *coro.Coroutine) error {
			w, err := s.NewWriter(c, shareOf(c), "a")
			if err != nil {
				return err
			}
			for _, exchange := range []int{1, 7, 3} {
				port, err := w.Port(exchange, pairs, 4)
				if err != nil {
					return err
				}
				rec, parts := record(all[:100*exchange%299])
				if err := port.Write(rec, parts); err != nil {
					return err
				}
			}
			if sizes, err = w.Commit(); err != nil {
				return err
			}
			m := w.Metrics()
			if want := int64(100 + 700%299 + 300%299); m.RowsOut != want {
				t.Errorf("metrics count %d rows, want %d", m.RowsOut, want)
			}
			var total int64
			for _, x := range sizes {
				for _, n := range x.Bytes {
					total += n
				}
			}
			if m.ShuffleBytes != total || m.BytesOut != total || (m.SpilledBytes > 0) != (budget == 0) {
				t.Errorf("metrics are %+v, the blocks have %d bytes", m, total)
			}
			got, err := read(c, s, []string{"a"}, 2, 3)
			if want := of(all[:100], 2); err == nil && !slices.Equal(got, want) {
				t.Errorf("partition 2 of exchange 1 is %v, want %v", got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(sizes) != 3 || sizes[0].Exchange != 1 || sizes[1].Exchange != 3 || sizes[2].Exchange != 7 {
			t.Errorf("outputs are %v, want those of the exchanges 1, 3, 7", sizes)
		}
		if files, want := len(listing(s)), map[bool]int{true: 1}[budget == 0]; files != want {
			t.Errorf("with a budget of %d there are %d files, want %d", budget, files, want)
		}
		closeStore(t, s)
	}
}

// Nothing is written for a partition without rows, nor is a file made for an attempt without any.
func TestEmptyPartitionsCostNothing(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{})
	err := sched.run(func(c *coro.Coroutine) error {
		out, err := write(c, s, "none", nil, 1, 5)
		if err != nil {
			return err
		}
		if !slices.Equal(out[0].Bytes, make([]int64, 5)) || len(listing(s)) != 0 {
			t.Errorf("an attempt without rows wrote %v and files %v", out[0].Bytes, listing(s))
		}
		if out, err = write(c, s, "one", []row{{key: "a", partition: 3}}, 1, 5); err != nil {
			return err
		}
		for p, n := range out[0].Bytes {
			if (n > 0) != (p == 3) {
				t.Errorf("partition %d has %d bytes", p, n)
			}
		}
		got, err := read(c, s, []string{"none", "one", "none"}, 0, 5)
		if len(got) != 1 {
			t.Errorf("read %v, want one row", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

// Many writers and readers work on one store at once, and some of them remove what they have read.
func TestConcurrency(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{MemoryBytes: 60_000, FrameBytes: 2000})
	const partitions = 3
	var all []*coro.Coroutine
	for i := range 24 {
		attempt := fmt.Sprint("attempt-", i)
		all = append(all, sched.Spawn(coro.Spec{Name: attempt}, func(c *coro.Coroutine) error {
			mine := rows(500+i, partitions)
			if _, err := write(c, s, attempt, mine, 100, partitions); err != nil {
				return err
			}
			for p := range partitions {
				got, err := read(c, s, []string{attempt}, p, p+1)
				if err != nil {
					return err
				}
				if !slices.Equal(got, of(mine, p)) {
					return fmt.Errorf("partition %d of %s came back as %v", p, attempt, got)
				}
			}
			if i%2 == 0 {
				return s.Remove(attempt)
			}
			return nil
		}))
	}
	for _, c := range all {
		<-c.Done()
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	}
	if used := s.used(); used > 60_000 || used < 0 {
		t.Errorf("%d bytes of a budget of 60000 are taken", used)
	}
	closeStore(t, s)
}
