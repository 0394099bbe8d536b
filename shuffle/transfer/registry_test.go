package transfer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"fletch/shuffle"
)

func TestRegistry(t *testing.T) {
	b := newBench(t, 10, 10, shuffle.Config{})
	bytes := mustRead(t, b.path(0))
	fd, err := unix.MemfdCreate("a0", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	memfd := os.NewFile(uintptr(fd), "a0")
	if _, err := memfd.Write(bytes); err != nil {
		t.Fatal(err)
	}
	r := NewRegistry()
	r.Add("job", "a0", memfd)
	r.AddPath("job", "a1", b.path(1))
	r.AddPath("other", "a2", b.path(2))
	var held *os.File
	for range 2 { // each with a position of its own
		f, err := r.Open("job", "a0")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got, err := io.ReadAll(f); err != nil || string(got) != string(bytes) {
			t.Errorf("read %d bytes, error %v; want %d", len(got), err, len(bytes))
		}
		held = f
	}
	for _, name := range [][2]string{{"job", "a2"}, {"other", "a0"}, {"none", "a0"}} {
		if _, err := r.Open(name[0], name[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: error is %v, want that it is not there", name, err)
		}
	}
	for range 2 {
		if err := r.Drop("job", "a0", "a1", "a2", "never"); err != nil {
			t.Error(err)
		}
		if err := r.DropJob("other"); err != nil {
			t.Error(err)
		}
	}
	if info, err := held.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("memory that was dropped has %v bytes, error %v", info.Size(), err)
	}
	for i := range 3 {
		if _, err := os.Stat(b.path(i)); errors.Is(err, fs.ErrNotExist) != (i > 0) {
			t.Errorf("file %d: %v", i, err)
		}
	}
	if len(r.mu.jobs) != 0 {
		t.Errorf("jobs %v are left", r.mu.jobs)
	}
}
