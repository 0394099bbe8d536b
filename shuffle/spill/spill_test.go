package spill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/batch/frame"
	"fletch/engine/coro"
	"fletch/fault"
)

// TestRunsComeBack writes several runs at once, drops some and reads the others, several times, in any order.
func TestRunsComeBack(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	rapid.Check(t, func(rt *rapid.T) {
		type half struct {
			w      *Writer
			wanted [][]string
		}
		type whole struct {
			r      *Run
			wanted [][]string
		}
		var under []*half
		var done []whole
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "which") }
		err := b.run(func(f *File) error {
			for range rapid.IntRange(1, 40).Draw(rt, "steps") {
				switch rapid.SampledFrom([]string{"create", "write", "write", "write", "close", "read", "drop"}).Draw(rt, "do") {
				case "create":
					w, err := f.Create(words)
					if err != nil {
						return err
					}
					under = append(under, &half{w: w})
				case "write":
					if len(under) == 0 {
						break
					}
					h := under[pick(len(under))]
					some := batches(fmt.Sprint(len(h.wanted)), rapid.IntRange(0, 3).Draw(rt, "batches"), rapid.SampledFrom([]int{1, 5000, 100_000, 300_000}).Draw(rt, "bytes"))
					if err := writeAll(h.w, some); err != nil {
						return err
					}
					h.wanted = append(h.wanted, some...)
				case "close":
					if len(under) == 0 {
						break
					}
					i := pick(len(under))
					h := under[i]
					under = append(under[:i], under[i+1:]...)
					r, err := h.w.Close()
					if err != nil {
						return err
					}
					done = append(done, whole{r, h.wanted})
				case "read":
					if len(done) == 0 {
						break
					}
					d := done[pick(len(done))]
					if have, err := load(d.r); err != nil || !equal(have, d.wanted) {
						return fmt.Errorf("%d batches came back, %d were written: %v", len(have), len(d.wanted), err)
					}
				case "drop":
					if len(done) == 0 {
						break
					}
					i := pick(len(done))
					done[i].r.Drop()
					done = append(done[:i], done[i+1:]...)
				}
			}
			for _, d := range done { // and what was written meanwhile has harmed none
				if have, err := load(d.r); err != nil || !equal(have, d.wanted) {
					return fmt.Errorf("at the end %d batches came back, %d were written: %v", len(have), len(d.wanted), err)
				}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// TestSizes tells what a run takes on disk, and while it is read.
func TestSizes(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	err := b.run(func(f *File) error {
		if n := len(b.listing()); n != 0 {
			t.Errorf("a file is made before something is spilled")
		}
		empty, err := spill(f, nil)
		if err != nil {
			return err
		}
		if have, err := load(empty); err != nil || len(have) != 0 || empty.Rows() != 0 || empty.Bytes() != 0 || empty.ReadBytes() != 0 {
			t.Errorf("an empty run has %d rows, %d bytes and reads as %v: %v", empty.Rows(), empty.Bytes(), have, err)
		}
		if n := len(b.listing()); n != 0 || f.Metrics().Spills != 0 {
			t.Errorf("an empty run makes a file")
		}
		run, err := spill(f, batches("run", 20, 80_000)) // three of them fit into a piece, two frames of 120 kB do
		if err != nil {
			return err
		}
		info, err := os.Stat(f.path)
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		m := f.Metrics()
		if run.Rows() != 40 || run.Bytes() > info.Size() || run.Bytes() < 20*120_000 || m.SpilledBytes != run.Bytes() || m.Spills != 1 || m.SpillWaitNanos == 0 {
			t.Errorf("%d rows, %d bytes in a file of %d: %+v", run.Rows(), run.Bytes(), info.Size(), m)
		}
		if n := run.ReadBytes(); n < 480_000 || n > 2*pieceBytes+1000 {
			t.Errorf("reading takes %d bytes", n)
		}
		large, err := spill(f, batches("run", 2, 1_000_000))
		if err != nil {
			return err
		}
		if n := large.ReadBytes(); n < 3_000_000 || n > 3_100_000 {
			t.Errorf("reading frames of 1.5 MB takes %d bytes", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadAtOnce reads a run by two readers in turn, one of which is left alone.
func TestReadAtOnce(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	wanted := batches("run", 10, 100_000)
	err := b.run(func(f *File) error {
		run, err := spill(f, wanted)
		if err != nil {
			return err
		}
		first, err := run.Open()
		if err != nil {
			return err
		}
		for range 3 {
			if _, err := first.Next(); err != nil {
				return err
			}
		}
		if p := first.Position(1); p != "5 of 20 that were spilled" {
			t.Errorf("the position is %q", p)
		}
		have, err := load(run)
		if err != nil || !equal(have, wanted) {
			t.Errorf("the second reader has %d batches: %v", len(have), err)
		}
		rest, err := drain(first)
		if err != nil || !equal(rest, wanted[3:]) {
			t.Errorf("the first reader has %d more batches: %v", len(rest), err)
		}
		if _, err := first.Next(); err != io.EOF {
			t.Errorf("behind the end is %v", err)
		}
		if err := first.Close(); err != nil {
			return err
		}
		if _, err := first.Next(); !errors.Is(err, errReaderClosed) {
			t.Errorf("a closed reader says %v", err)
		}
		left, err := run.Open()
		if err != nil {
			return err
		}
		_, err = left.Next()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMisuse tells who uses what has ended.
func TestMisuse(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	var f *File
	var run *Run
	err := b.run(func(file *File) error {
		f = file
		w, err := f.Create(words)
		if err == nil {
			run, err = w.Close()
		}
		if err != nil {
			return err
		}
		if err := w.Write(record("late")); !errors.Is(err, errEnded) {
			t.Errorf("writing to a run that has ended: %v", err)
		}
		if _, err := w.Close(); !errors.Is(err, errEnded) {
			t.Errorf("ending a run twice: %v", err)
		}
		dropped, err := spill(f, batches("run", 1, 10))
		if err != nil {
			return err
		}
		dropped.Drop()
		dropped.Drop()
		if len(f.space.holes) != 1 {
			t.Errorf("the free space is %v", f.space.holes)
		}
		if _, err := dropped.Open(); !errors.Is(err, errDropped) {
			t.Errorf("reading what was dropped: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create(words); !errors.Is(err, errClosed) {
		t.Errorf("spilling after the end: %v", err)
	}
	if _, err := run.Open(); !errors.Is(err, errClosed) {
		t.Errorf("reading after the end: %v", err)
	}
}

// TestTooLarge has a batch that fits into no frame be the fault of the job.
func TestTooLarge(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	err := b.run(func(f *File) error {
		_, err := spill(f, [][]string{{strings.Repeat("x", frame.MaxBytes)}})
		return err
	})
	if !errors.Is(err, frame.ErrTooLarge) || fault.ClassOf(err) != fault.User {
		t.Errorf("error is %v of class %v", err, fault.ClassOf(err))
	}
}

// TestSpaceIsReused keeps the file as small as what is alive in it.
func TestSpaceIsReused(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	err := b.run(func(f *File) error {
		for range 20 {
			run, err := spill(f, batches("run", 12, 50_000))
			if err != nil {
				return err
			}
			run.Drop()
		}
		info, err := os.Stat(f.path)
		if err == nil && info.Size() > 12*80_000 {
			t.Errorf("20 runs of 0.9 MB, one at a time, take %d bytes", info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMemoryIsCounted has the share know of the buffers, which stay few however much is written.
func TestMemoryIsCounted(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	err := b.run(func(f *File) error {
		for range 3 {
			if _, err := spill(f, batches("run", 200, 20_000)); err != nil {
				return err
			}
		}
		if peak := f.share.Peak(); peak < writeBytes || peak > 4*writeBytes {
			t.Errorf("writing takes %d bytes", peak)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSpace takes and gives stretches at random: those that are taken never overlap.
func TestSpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s space
		var taken []stretch
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if len(taken) > 0 && rapid.Bool().Draw(t, "give") {
				i := rapid.IntRange(0, len(taken)-1).Draw(t, "which")
				s.give(taken[i].offset, taken[i].length)
				taken = append(taken[:i], taken[i+1:]...)
			} else {
				n := rapid.Int64Range(1, 5*pageBytes).Draw(t, "bytes")
				taken = append(taken, stretch{s.take(n), n})
			}
			used := int64(0)
			for i, a := range taken {
				used += pages(a.length)
				for _, b := range taken[:i] {
					if a.offset < b.offset+b.length && b.offset < a.offset+a.length {
						t.Fatalf("%v and %v overlap", a, b)
					}
				}
			}
			for i, h := range s.holes {
				used += h.length
				if i > 0 && s.holes[i-1].offset+s.holes[i-1].length >= h.offset {
					t.Fatalf("the holes are %v", s.holes)
				}
			}
			if used != s.end {
				t.Fatalf("%d bytes are taken or free, the file has %d", used, s.end)
			}
		}
	})
}

// TestCloseAfterDirectoryVanished ends an attempt whose directory somebody has removed.
func TestCloseAfterDirectoryVanished(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	wanted := batches("run", 5, 100_000)
	err := b.run(func(f *File) error {
		run, err := spill(f, wanted)
		if err != nil {
			return err
		}
		if err := os.Remove(f.path); err != nil {
			return err
		}
		have, err := load(run) // what is open stays
		if !equal(have, wanted) {
			t.Errorf("%d batches came back", len(have))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.run(func(f *File) error {
		f.path = filepath.Join(b.dir, "gone", "a.spill")
		_, err := spill(f, wanted)
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "gone/a.spill") {
		t.Errorf("error is %v, want one that names the file", err)
	}
}
