package shuffle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"fletch/engine/coro"
	"fletch/fault"
)

// damaged writes one attempt to a file, lets damage change the file's bytes, and returns what reading each partition
// gives. Each change has a store of its own, as a store knows a file's index once it has read it.
type damaged struct {
	sched scheduler
	rows  []row
	whole []byte
	store *Store
	path  string
}

const damagedPartitions = 3

func newDamaged(t *testing.T) *damaged {
	d := &damaged{sched: startScheduler(t), rows: rows(20, 2)} // partition 2 stays empty
	d.store = newStore(t, Config{FrameBytes: 100, BufferBytes: 2000})
	err := d.sched.run(func(c *coro.Coroutine) error {
		_, err := write(c, d.store, "a", d.rows, 7, damagedPartitions)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.path = filepath.Join(d.store.config.Dir, "a.shuffle")
	if d.whole, err = os.ReadFile(d.path); err != nil {
		t.Fatal(err)
	}
	return d
}

// read puts b in the file's place and returns the error of the first partition that has one.
func (d *damaged) read(b []byte) error {
	if err := errors.Join(os.Remove(d.path), os.WriteFile(d.path, b, 0o600)); err != nil {
		return err
	}
	d.store.output("a").file.index.Store(nil)
	return d.sched.run(func(c *coro.Coroutine) error {
		for p := range damagedPartitions {
			got, err := read(c, d.store, []string{"a"}, p, p+1)
			if err != nil {
				return wantLost(err, "a", p, d.path)
			}
			if !slices.Equal(got, of(d.rows, p)) {
				return fmt.Errorf("partition %d came back as %v", p, got)
			}
		}
		return errWhole
	})
}

var errWhole = errors.New("all was read")

func TestEveryFlippedByteIsFound(t *testing.T) {
	d := newDamaged(t)
	if err := d.read(d.whole); err != errWhole {
		t.Fatal(err)
	}
	for i := range d.whole {
		b := bytes.Clone(d.whole)
		b[i] ^= 1 << (i % 8)
		if err := d.read(b); err != nil {
			t.Errorf("byte %d of %d flipped: %v", i, len(b), err)
		}
	}
	closeStore(t, d.store)
}

func TestEveryCutIsFound(t *testing.T) {
	d := newDamaged(t)
	for n := range d.whole {
		if err := d.read(d.whole[:n]); err != nil {
			t.Errorf("cut at %d of %d bytes: %v", n, len(d.whole), err)
		}
	}
	if err := d.read(append(bytes.Clone(d.whole), 0)); err != nil {
		t.Errorf("with a byte more: %v", err)
	}
	closeStore(t, d.store)
}

// A file that is cut while a reader has its index already.
func TestFileCutBelowItsIndex(t *testing.T) {
	d := newDamaged(t)
	err := d.sched.run(func(c *coro.Coroutine) error {
		if _, err := read(c, d.store, []string{"a"}, 0, 1); err != nil {
			return err
		}
		if err := os.Truncate(d.path, 50); err != nil {
			return err
		}
		_, err := read(c, d.store, []string{"a"}, 0, 1)
		return err
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || fault.ClassOf(err) != fault.FetchFailed {
		t.Errorf("error is %v of class %v, want a failed fetch", err, fault.ClassOf(err))
	}
	closeStore(t, d.store)
}

func TestMissingOutputs(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{})
	err := sched.run(func(c *coro.Coroutine) error {
		for _, attempt := range []string{"a", "b", "gone"} {
			if _, err := write(c, s, attempt, rows(20, 2), 20, 2); err != nil {
				return err
			}
		}
		path := func(attempt string) string { return filepath.Join(s.config.Dir, attempt+".shuffle") }
		if err := errors.Join(os.Remove(path("gone")), os.Rename(path("b"), path("a"))); err != nil {
			return err
		}
		check := func(attempt string, partition int, text string) {
			_, err := read(c, s, []string{attempt}, partition, partition+1)
			if err := wantLost(err, attempt, partition, text); err != nil {
				t.Error(err)
			}
			if fault.ClassOf(err) != fault.FetchFailed {
				t.Errorf("class is %v", fault.ClassOf(err))
			}
		}
		check("never", 1, errNoOutput.Error())
		check("gone", 0, "no such file")
		check("a", 0, `it is attempt "b"'s`)
		r := s.NewReader(c, local("a"), 2, pairs, 0, 1)
		if _, err := r.Next(); !errors.Is(err, errIndex) {
			t.Errorf("error is %v, want %v", err, errIndex)
		}
		if err := os.Rename(path("a"), path("b")); err != nil {
			return err
		}
		for _, at := range []struct{ exchange, partition int }{{2, 0}, {1, 2}} {
			r := s.NewReader(c, local("b"), at.exchange, pairs, at.partition, at.partition+1)
			for range 2 { // the error stays
				if _, err := r.Next(); !errors.Is(err, errNoBlock) {
					t.Errorf("error is %v, want %v", err, errNoBlock)
				}
			}
			r.Close()
			if _, err := r.Next(); !errors.Is(err, errReaderClosed) {
				t.Errorf("error is %v, want %v", err, errReaderClosed)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

func TestDamagedMemory(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{MemoryBytes: math.MaxInt64})
	err := sched.run(func(c *coro.Coroutine) error {
		if _, err := write(c, s, "a", rows(20, 1), 20, 1); err != nil {
			return err
		}
		s.output("a").memory[1][0].frames[0][40] ^= 1
		_, err := read(c, s, []string{"a"}, 0, 1)
		return wantLost(err, "a", 0, "corrupt frame: at byte 0: payload checksum")
	})
	if err != nil {
		t.Fatal(err)
	}
	err = sched.run(func(c *coro.Coroutine) error {
		if _, err := write(c, s, "b", rows(20, 1), 20, 1); err != nil {
			return err
		}
		s.output("b").memory[1][0].rows++
		_, err := read(c, s, []string{"b"}, 0, 1)
		return wantLost(err, "b", 0, "its block has 20 rows, written were 21")
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

// failing is a file whose writes fail with ENOSPC after so many bytes, or whose Close fails.
type failing struct {
	io.WriteCloser
	room      int
	failClose bool
}

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.room {
		n, _ := f.WriteCloser.Write(b[:f.room])
		f.room = 0
		return n, syscall.ENOSPC
	}
	f.room -= len(b)
	return f.WriteCloser.Write(b)
}

func (f *failing) Close() error {
	err := f.WriteCloser.Close()
	if f.failClose {
		return syscall.EIO
	}
	return err
}

// A full disk, wherever it strikes, is an error of this machine at this time, and leaves nothing behind. So is a file
// that cannot be closed.
func TestFailingWrites(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{FrameBytes: 300, BufferBytes: 1000})
	attempt := func() error {
		return sched.run(func(c *coro.Coroutine) error {
			_, err := write(c, s, "a", rows(60, 3), 10, 3)
			return err
		})
	}
	if err := attempt(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.output("a").file.name)
	if err == nil {
		err = s.Remove("a")
	}
	if err != nil {
		t.Fatal(err)
	}
	whole := int(info.Size())
	for room := 0; room <= whole; room += max(1, min(97, whole-room)) {
		s.files.create = func(path string) (io.WriteCloser, error) {
			f, err := osFiles.create(path)
			return &failing{WriteCloser: f, room: room, failClose: room == whole}, err
		}
		want := error(syscall.ENOSPC)
		if room == whole {
			want = syscall.EIO
		}
		if err := attempt(); !errors.Is(err, want) || fault.ClassOf(err) != fault.Retryable {
			t.Errorf("with room for %d of %d bytes the error is %v of class %v, want %v", room, whole, err, fault.ClassOf(err), want)
		}
		if s.used() != 0 || len(listing(s)) != 0 {
			t.Errorf("%d bytes and files %v are left", s.used(), listing(s))
		}
	}
	closeStore(t, s)
}

func TestFileThatCannotBeMade(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{})
	s.files.create = func(string) (io.WriteCloser, error) { return nil, syscall.EROFS }
	err := sched.run(func(c *coro.Coroutine) error {
		_, err := write(c, s, "a", rows(60, 3), 10, 3)
		return err
	})
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("error is %v, want EROFS", err)
	}
	closeStore(t, s)
}

// flaky is a file whose reads go wrong while bad says so.
type flaky struct {
	readableFile
	bad func(b []byte, offset int64) (int, error)
}

func (f flaky) ReadAt(b []byte, offset int64) (int, error) {
	n, err := f.readableFile.ReadAt(b, offset)
	if err == nil && f.bad != nil {
		return f.bad(b, offset)
	}
	return n, err
}

// Damage that is gone when the frame, or the end mark, is read again is no loss.
func TestDamageOnTheWayIsReadAgain(t *testing.T) {
	d := newDamaged(t)
	var flipped atomic.Int64
	for at := range d.whole {
		var done atomic.Bool
		d.store.files.open = func(path string) (readableFile, error) {
			f, err := osFiles.open(path)
			return flaky{f, func(b []byte, offset int64) (int, error) {
				if i := int64(at) - offset; i >= 0 && i < int64(len(b)) && !done.Swap(true) {
					b[i] ^= 0x10
					flipped.Add(1)
				}
				return len(b), nil
			}}, err
		}
		d.store.output("a").file.index.Store(nil)
		err := d.sched.run(func(c *coro.Coroutine) error {
			_, err := read(c, d.store, []string{"a"}, 0, damagedPartitions)
			return err
		})
		if err != nil && !errors.Is(err, errIndex) { // the index is a loss at once
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if int(flipped.Load()) != len(d.whole) {
		t.Errorf("%d of %d bytes were flipped", flipped.Load(), len(d.whole))
	}
	closeStore(t, d.store)
}

// The reader's own troubles do not make the producer run again; those of its file do.
func TestReadErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		want fault.Class
	}{
		{syscall.EIO, fault.FetchFailed},
		{syscall.EMFILE, fault.Retryable},
		{io.EOF, fault.FetchFailed}, // a short read
	} {
		d := newDamaged(t)
		d.store.files.open = func(path string) (readableFile, error) {
			f, err := osFiles.open(path)
			return flaky{f, func(b []byte, _ int64) (int, error) { return len(b) / 2, test.err }}, err
		}
		err := d.sched.run(func(c *coro.Coroutine) error {
			_, err := read(c, d.store, []string{"a"}, 0, 1)
			return err
		})
		if fault.ClassOf(err) != test.want {
			t.Errorf("%v: error is %v of class %v, want %v", test.err, err, fault.ClassOf(err), test.want)
		}
		closeStore(t, d.store)
	}
}
