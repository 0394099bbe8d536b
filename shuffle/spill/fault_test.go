package spill

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"fletch/engine/coro"
	"fletch/fault"
)

var errCause = errors.New("somebody asked for the end")

// faulty is a file that goes wrong.
type faulty struct {
	file
	write func(b []byte, offset int64) (int, error) // instead of that of file
	read  func(b []byte, offset int64) (int, error) // after a read that went well
}

func (f faulty) WriteAt(b []byte, offset int64) (int, error) {
	if f.write != nil {
		return f.write(b, offset)
	}
	return f.file.WriteAt(b, offset)
}

func (f faulty) ReadAt(b []byte, offset int64) (int, error) {
	n, err := f.file.ReadAt(b, offset)
	if f.read != nil && err == nil {
		return f.read(b, offset)
	}
	return n, err
}

// small is what most tests here spill: it makes two extents of several frames.
func small() [][]string { return batches("run", 9, 30_000) }

// TestFailingWrites fails the attempt with each write that a full disk can strike, and leaves nothing.
func TestFailingWrites(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	failed := 0
	for at := 0; ; at++ {
		var writes atomic.Int64
		err := b.run(func(f *File) error {
			f.files.create = func(path string) (file, error) {
				made, err := osFiles.create(path)
				return faulty{file: made, write: func(b []byte, offset int64) (int, error) {
					if writes.Add(1) > int64(at) {
						n, _ := made.WriteAt(b[:len(b)/2], offset)
						return n, syscall.ENOSPC
					}
					return made.WriteAt(b, offset)
				}}, err
			}
			first, err := f.Create(words)
			if err != nil {
				return err
			}
			if err := writeAll(first, small()); err != nil {
				if again := first.Write(record("more")); !errors.Is(again, err) {
					t.Errorf("after %v the writer says %v", err, again)
				}
				if _, again := first.Close(); !errors.Is(again, err) {
					t.Errorf("after %v the writer ends with %v", err, again)
				}
				return err
			}
			if _, err := spill(f, small()); err != nil {
				return err
			}
			_, err = first.Close()
			return err
		})
		if err == nil {
			break
		}
		failed++
		if !errors.Is(err, syscall.ENOSPC) || !fault.IsDiskFull(err) || !strings.Contains(err.Error(), "spill") {
			t.Errorf("when write %d fails the error is %v of class %v", at, err, fault.ClassOf(err))
		}
	}
	if failed != 4 {
		t.Errorf("%d writes failed, want 2 of each run", failed)
	}
}

func TestFileThatCannotBeMade(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	for _, want := range []error{syscall.EROFS, syscall.ENOSPC, syscall.EMFILE} {
		err := b.run(func(f *File) error {
			f.files.create = func(string) (file, error) { return nil, want }
			_, err := spill(f, small())
			return err
		})
		if !errors.Is(err, want) || fault.ClassOf(err) != fault.Retryable || fault.IsDiskFull(err) == errors.Is(want, syscall.EMFILE) {
			t.Errorf("error is %v of class %v, want %v", err, fault.ClassOf(err), want)
		}
	}
}

// onDisk spills a run, has damage change the file from outside and reads the run.
func (b *bench) onDisk(damage func(path string) error) error {
	return b.run(func(f *File) error {
		run, err := spill(f, small())
		if err == nil {
			err = damage(f.path)
		}
		if err != nil {
			return err
		}
		have, err := load(run)
		if err == nil && !equal(have, small()) {
			return fmt.Errorf("%d batches came back, and not as they were", len(have))
		}
		if err == nil {
			return errWhole
		}
		if fault.ClassOf(err) != fault.Retryable || !strings.Contains(err.Error(), f.path) || !strings.Contains(err.Error(), " at ") {
			return fmt.Errorf("the error is of class %v, or does not name file and byte: %w", fault.ClassOf(err), err)
		}
		return nil
	})
}

var errWhole = errors.New("all was read")

// extents returns where the extents of small stand in a file that has nothing else.
func extents(t *testing.T, b *bench) (out []stretch) {
	t.Helper()
	err := b.run(func(f *File) error {
		run, err := spill(f, small())
		if err != nil {
			return err
		}
		for _, e := range run.extents {
			out = append(out, stretch{e.Offset, e.Length()})
		}
		return nil
	})
	if err != nil || len(out) != 2 {
		t.Fatalf("extents %v: %v", out, err)
	}
	return out
}

// TestFlippedBits finds a flipped bit wherever it is: in headers, metadata, values and end marks.
func TestFlippedBits(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	flip := func(at int64) func(path string) error {
		return func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			var one [1]byte
			if _, err := f.ReadAt(one[:], at); err != nil {
				return err
			}
			one[0] ^= 1 << (at % 8)
			_, err = f.WriteAt(one[:], at)
			return err
		}
	}
	if err := b.onDisk(func(string) error { return nil }); err != errWhole {
		t.Fatal(err)
	}
	for _, e := range extents(t, b) {
		for i := int64(0); i < e.length; i += max(1, min(997, e.length-50-i)) { // the last ones are the end mark
			if err := b.onDisk(flip(e.offset + i)); err != nil {
				t.Errorf("byte %d of the extent %v flipped: %v", i, e, err)
			}
		}
	}
}

// TestCuts finds that a file was cut short.
func TestCuts(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	last := extents(t, b)[1]
	for n := int64(0); n < last.offset+last.length; n += max(1, min(9973, last.offset+last.length-20-n)) {
		err := b.onDisk(func(path string) error { return os.Truncate(path, n) })
		if err != nil {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

// TestDamageOnTheWayIsReadAgain goes on when a frame, or an end mark, is whole at the second read.
func TestDamageOnTheWayIsReadAgain(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	for _, e := range extents(t, b) {
		for _, at := range []int64{e.offset, e.offset + 100, e.offset + 40_000, e.offset + e.length - 1, e.offset + e.length - 30} {
			var flipped atomic.Bool
			err := b.run(func(f *File) error {
				f.files.create = func(path string) (file, error) {
					made, err := osFiles.create(path)
					return faulty{file: made, read: func(b []byte, offset int64) (int, error) {
						if i := at - offset; i >= 0 && i < int64(len(b)) && !flipped.Swap(true) {
							b[i] ^= 0x10
						}
						return len(b), nil
					}}, err
				}
				run, err := spill(f, small())
				if err != nil {
					return err
				}
				have, err := load(run)
				if err == nil && !equal(have, small()) {
					return errors.New("what came back differs")
				}
				return err
			})
			if err != nil || !flipped.Load() {
				t.Errorf("byte %d (flipped: %v): %v", at, flipped.Load(), err)
			}
		}
	}
}

// TestReadErrors are troubles of this machine, and name the file. One of them stays.
func TestReadErrors(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	for _, want := range []error{syscall.EIO, io.EOF} { // io.EOF: a short read
		err := b.run(func(f *File) error {
			f.files.create = func(path string) (file, error) {
				made, err := osFiles.create(path)
				return faulty{file: made, read: func(b []byte, _ int64) (int, error) { return len(b) / 2, want }}, err
			}
			run, err := spill(f, small())
			if err != nil {
				return err
			}
			reader, err := run.Open()
			if err != nil {
				return err
			}
			_, err = reader.Next()
			if _, again := reader.Next(); again != err {
				t.Errorf("after %v comes %v", err, again)
			}
			if err != nil && !strings.Contains(err.Error(), f.path) {
				t.Errorf("error is %v, without the file", err)
			}
			return err
		})
		if want == io.EOF {
			want = io.ErrUnexpectedEOF
		}
		if !errors.Is(err, want) || fault.ClassOf(err) != fault.Retryable {
			t.Errorf("error is %v of class %v, want %v", err, fault.ClassOf(err), want)
		}
	}
}

// TestLostRows counts what was read, as the index is the memory's alone.
func TestLostRows(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	err := b.run(func(f *File) error {
		run, err := spill(f, small())
		if err != nil {
			return err
		}
		run.extents = run.extents[:1]
		_, err = load(run)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "rows, written were 18") {
		t.Errorf("error is %v", err)
	}
}

// TestCancelledWriter ends with the cause while a write is stuck, and leaves nothing once that comes back.
func TestCancelledWriter(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	writing, goOn := make(chan struct{}), make(chan struct{})
	var seen atomic.Bool
	c := b.spawn(func(f *File) error {
		f.files.create = func(path string) (file, error) {
			close(writing)
			<-goOn
			return osFiles.create(path)
		}
		_, err := spill(f, batches("run", 100, 30_000))
		seen.Store(true)
		return err
	})
	<-writing
	c.Cancel(errCause)
	// The only runner takes this one after the writer, which has therefore seen the cause when it has run.
	other := b.Spawn(coro.Spec{Name: "other"}, func(*coro.Coroutine) error { return nil })
	<-other.Done()
	select {
	case <-c.Done():
		t.Error("the attempt has ended while its file is being made")
	default:
	}
	if !seen.Load() {
		t.Error("the writer waits for the disk in spite of the cause")
	}
	close(goOn)
	<-c.Done()
	if err := c.Err(); !errors.Is(err, errCause) {
		t.Errorf("error is %v, want the cause", err)
	}
}

// TestCancelledReader does not wait for the disk.
func TestCancelledReader(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	reading, goOn := make(chan struct{}), make(chan struct{})
	c := b.spawn(func(f *File) error {
		f.files.create = func(path string) (file, error) {
			made, err := osFiles.create(path)
			return faulty{file: made, read: func(b []byte, _ int64) (int, error) {
				close(reading)
				<-goOn
				return len(b), nil
			}}, err
		}
		run, err := spill(f, batches("run", 2, 10))
		if err == nil {
			_, err = load(run)
		}
		return err
	})
	<-reading
	c.Cancel(errCause)
	<-c.Done()
	if err := c.Err(); !errors.Is(err, errCause) {
		t.Errorf("error is %v, want the cause", err)
	}
	close(goOn)
}

// TestUnwound leaves a run half written, as user code does that panics.
func TestUnwound(t *testing.T) {
	b := newBench(t, coro.Config{Runners: 1})
	c := b.spawn(func(f *File) error {
		w, err := f.Create(words)
		if err != nil {
			return err
		}
		if err := writeAll(w, batches("run", 30, 30_000)); err != nil {
			return err
		}
		panic("out of luck")
	})
	<-c.Done()
	if _, ok := errors.AsType[*coro.PanicError](c.Err()); !ok {
		t.Errorf("error is %v", c.Err())
	}
}
