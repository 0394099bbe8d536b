package shuffle

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch/frame"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/fault"
)

func TestConfig(t *testing.T) {
	_, err := NewStore(Config{MemoryBytes: -1})
	if err == nil || !strings.Contains(err.Error(), "Dir is missing") || !strings.Contains(err.Error(), "must not be negative") {
		t.Errorf("error is %v, want one that names both problems", err)
	}
	var c Config
	c.setDefaults()
	for partitions, want := range map[int]int64{1: 1 << 20, 16: 128 << 10, 1000: 64 << 10} {
		if got := c.frameBytes(partitions, 8<<20); got != want {
			t.Errorf("frames of %d partitions have %d bytes, want %d", partitions, got, want)
		}
	}
}

func TestMisuse(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{})
	err := sched.run(func(c *coro.Coroutine) error {
		for _, name := range []string{"", "..", ".hidden", "a/b", `a\b`, "a,b", "a\x00"} {
			if _, err := s.NewWriter(c, shareOf(c), name); err == nil {
				t.Errorf("an attempt may be named %q", name)
			}
		}
		w, err := s.NewWriter(c, shareOf(c), "a")
		if err != nil {
			return err
		}
		if _, err := s.NewWriter(c, shareOf(c), "a"); err == nil {
			t.Error("two writers write one attempt")
		}
		port, err := w.Port(1, pairs, 2)
		if err != nil {
			return err
		}
		if _, err := w.Port(1, pairs, 2); err == nil {
			t.Error("an exchange has two ports")
		}
		if _, err := w.Port(2, pairs, 0); err == nil {
			t.Error("an exchange has no partition")
		}
		dates := arrow.NewSchema([]arrow.Field{{Name: "day", Type: arrow.FixedWidthTypes.Date32}}, nil)
		if _, err := w.Port(2, dates, 1); err == nil {
			t.Error("a column of dates is taken")
		}
		rec, parts := record(rows(3, 2))
		if err := port.Write(rec, parts[:2]); err == nil {
			t.Error("a row without a partition is taken")
		}
		parts[1] = 2
		if err := port.Write(rec, parts); err == nil || !strings.Contains(err.Error(), "row 1 belongs to partition 2 of 2") {
			t.Errorf("error is %v", err)
		}
		if _, err := w.Commit(); err == nil {
			t.Error("a writer commits what it has failed to write")
		}
		if err := w.Discard(); err != nil {
			return err
		}
		if _, err := w.Commit(); !errors.Is(err, errEnded) {
			t.Errorf("error is %v, want %v", err, errEnded)
		}
		_, err = write(c, s, "a", rows(3, 2), 3, 2) // the name is free again
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if _, err := s.NewWriter(nil, nil, "b"); !errors.Is(err, errClosed) {
		t.Errorf("error is %v, want %v", err, errClosed)
	}
}

// After every write, the builders hold no more than they may, however the rows are spread.
func TestBuildersStayInTheirBudget(t *testing.T) {
	sched := startScheduler(t)
	const bufferBytes, partitions = 100_000, 50
	s := newStore(t, Config{BufferBytes: bufferBytes, MemoryBytes: math.MaxInt64})
	err := sched.run(func(c *coro.Coroutine) error {
		w, err := s.NewWriter(c, shareOf(c), "a")
		if err != nil {
			return err
		}
		port, err := w.Port(1, pairs, partitions)
		if err != nil {
			return err
		}
		all := rows(40_000, partitions)
		for i := range all { // a few partitions get most of it
			if i%3 > 0 {
				all[i].partition = uint32(i % 4)
			}
		}
		for chunk := range slices.Chunk(all, 500) {
			rec, parts := record(chunk)
			if err := port.Write(rec, parts); err != nil {
				return err
			}
			var held int64
			for i := range port.blocks {
				if b := port.blocks[i].builder; b != nil {
					held += b.Capacity()
				}
			}
			if held != w.buffered || held > bufferBytes {
				return fmt.Errorf("the builders hold %d bytes, counted are %d, allowed %d", held, w.buffered, bufferBytes)
			}
		}
		if _, err := w.Commit(); err != nil {
			return err
		}
		for p := range partitions {
			got, err := read(c, s, []string{"a"}, p, p+1)
			if err != nil || !slices.Equal(got, of(all, p)) {
				return fmt.Errorf("partition %d came back changed, error %v", p, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

// Rows of megabytes are cut out of their batches, and one that is larger than a step has a frame of its own.
func TestLargeRows(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{MemoryBytes: math.MaxInt64})
	var all []row
	for i, n := range []int{10, 3 << 20, 20, 5 << 20, 30, 2 << 20, 2 << 20, 2 << 20, 40} {
		all = append(all, row{key: strings.Repeat("x", n), value: int64(i)})
	}
	err := sched.run(func(c *coro.Coroutine) error {
		if _, err := write(c, s, "a", all, len(all), 1); err != nil {
			return err
		}
		for _, f := range s.output("a").memory[1][0].frames {
			if len(f) > 5<<20+4096 {
				t.Errorf("a frame has %d bytes, the longest row 5 MiB", len(f))
			}
		}
		got, err := read(c, s, []string{"a"}, 0, 1)
		if !slices.Equal(got, of(all, 0)) {
			t.Errorf("read %v", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

// A row that no frame can hold is the user's to mend. Its pages are never touched.
func TestRowLargerThanAFrame(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{})
	schema := arrow.NewSchema([]arrow.Field{{Name: "value", Type: arrow.BinaryTypes.Binary}}, nil)
	data := array.NewData(arrow.BinaryTypes.Binary, 1, []*memory.Buffer{
		nil,
		memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, frame.MaxBytes})),
		memory.NewBufferBytes(make([]byte, frame.MaxBytes)),
	}, nil, 0, 0)
	err := sched.run(func(c *coro.Coroutine) error {
		w, err := s.NewWriter(c, shareOf(c), "a")
		if err != nil {
			return err
		}
		defer w.Discard()
		port, err := w.Port(1, schema, 1)
		if err != nil {
			return err
		}
		return port.Write(array.NewRecord(schema, []arrow.Array{array.MakeFromData(data)}, 1), []uint32{0})
	})
	if fault.ClassOf(err) != fault.User || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error is %v of class %v, want a user error", err, fault.ClassOf(err))
	}
	closeStore(t, s)
}

// TestManyPartitions counts what partitions take that have no rows, and refuses more than fit.
func TestManyPartitions(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{MemoryBytes: math.MaxInt64})
	fields := make([]arrow.Field, 16)
	for i := range fields {
		fields[i] = arrow.Field{Name: fmt.Sprint("f", i), Type: arrow.BinaryTypes.String}
	}
	wide := arrow.NewSchema(fields, nil)
	err := sched.run(func(c *coro.Coroutine) error {
		share, err := budget.NewPool(16<<20, 1, 1).Join(c)
		if err != nil {
			return err
		}
		defer share.Close()
		w, err := s.NewWriter(c, share, "a")
		if err != nil {
			return err
		}
		if _, err := w.Port(1, wide, 3000); err != nil {
			return err
		}
		used := share.Used()
		if lists := used - w.bufferBytes - arenaBytes; lists < 3000*2000 {
			t.Errorf("%d bytes are counted for 3000 partitions of 16 columns", lists)
		}
		for _, partitions := range []int{3000, 20_000} { // half of the share is not enough for the two
			_, err = w.Port(2, wide, partitions)
			if fault.ClassOf(err) != fault.User || !strings.Contains(err.Error(), "fewer partitions") || share.Used() != used {
				t.Errorf("%d partitions more: %v of class %v", partitions, err, fault.ClassOf(err))
			}
		}
		return w.Discard()
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

// TestShareOfTheMemory has the buffers follow what the share is sure of, and count on it until the end. A row that is larger
// than they are counts as well, and one that needs more than the share has been sure of is the user's to mend.
func TestShareOfTheMemory(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{MemoryBytes: math.MaxInt64})
	err := sched.run(func(c *coro.Coroutine) error {
		for sure, want := range map[int64]int64{1 << 20: 256 << 10, 16 << 20: 2 << 20, 1 << 30: 8 << 20} {
			pool := budget.NewPool(sure, 1, 1)
			share, err := pool.Join(c)
			if err != nil {
				return err
			}
			w, err := s.NewWriter(c, share, "a")
			if err != nil {
				return err
			}
			if w.bufferBytes != want || share.Used() != 0 {
				t.Errorf("of %d bytes, %d are for buffers, want %d; used are %d", sure, w.bufferBytes, want, share.Used())
			}
			port, err := w.Port(1, pairs, 1)
			if err != nil {
				return err
			}
			if _, err := w.Port(2, pairs, 1); err != nil {
				return err
			}
			reserved := share.Used()
			if lists := reserved - want - arenaBytes; lists < 2*blockBytes || lists > 1<<10 {
				t.Errorf("%d bytes are reserved, of these %d for one partition of two exchanges", reserved, lists)
			}
			pool.SetLimit(sure / 8)
			rec, parts := record([]row{{key: strings.Repeat("x", 3<<20)}, {key: "short"}})
			err = port.Write(rec, parts)
			if _, ok := errors.AsType[*budget.TooLargeError](err); ok != (sure == 1<<20) || ok && fault.ClassOf(err) != fault.User {
				t.Errorf("a row of 3 MiB in a share of %d bytes: %v of class %v", sure, err, fault.ClassOf(err))
			}
			if have := share.Used(); have != reserved {
				t.Errorf("%d bytes are held after a large row, before it were %d", have, reserved)
			}
			if want == 2<<20 && share.Peak() < reserved+6<<20 {
				t.Errorf("the large row is not counted: the peak is %d", share.Peak())
			}
			if err == nil && sure == 16<<20 {
				_, err = w.Commit()
				err = errors.Join(err, s.Remove("a"))
			} else {
				err = w.Discard()
			}
			if err != nil || share.Used() != 0 {
				t.Errorf("at the end %d bytes are held: %v", share.Used(), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

// What a discarded, a removed and an unfinished attempt hold is given back.
func TestBudgetIsGivenBack(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{MemoryBytes: 1 << 20, FrameBytes: 100})
	err := sched.run(func(c *coro.Coroutine) error {
		if _, err := write(c, s, "kept", rows(100, 2), 10, 2); err != nil {
			return err
		}
		kept := s.used()
		if kept == 0 {
			t.Error("a committed output takes nothing of the budget")
		}
		for _, attempt := range []string{"discarded", "unfinished"} {
			w, err := s.NewWriter(c, shareOf(c), attempt)
			if err != nil {
				return err
			}
			port, err := w.Port(1, pairs, 2)
			if err != nil {
				return err
			}
			rec, parts := record(rows(100, 2))
			if err := port.Write(rec, parts); err != nil {
				return err
			}
			if s.used() == kept {
				t.Error("frames take nothing of the budget")
			}
			if attempt == "unfinished" {
				break
			}
			for range 2 {
				if err := w.Discard(); err != nil {
					return err
				}
			}
			if s.used() != kept {
				t.Errorf("%d bytes are taken after a discard, want %d", s.used(), kept)
			}
		}
		for range 2 {
			if err := s.Remove("kept"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}
