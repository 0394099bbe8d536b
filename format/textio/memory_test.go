package textio

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

// A long line's buffer is taken from the memory. What does not fit there fails before it is read.
func TestLongLinesInMemory(t *testing.T) {
	const long = 20 << 20
	content := []byte("short\n" + strings.Repeat("x", long) + "\n" + strings.Repeat("y", long) + "\nlast")
	in := storagetest.Put("long", content)
	for name, m := range map[string]*inputtest.Memory{"ample": inputtest.Ample(), "slow": {Limit: 100 << 20, Slow: true}} {
		got, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 2*long, m, now))
		if err != nil {
			t.Fatal(name, err)
		}
		checkLines(t, got, wantLines(in.Path, content))
		if m.Peak() < long || m.Peak() > 5*long || m.Used() != 0 {
			t.Errorf("%s: at most %d bytes were held, in the end %d", name, m.Peak(), m.Used())
		}
	}
	before, m := storagetest.BytesRead(in), &inputtest.Memory{Limit: 8 << 20}
	got, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 2*long, m, now))
	faulttest.Want(t, err, fault.User, "test://long byte 6: to read the line, ", "are needed at once", "--memory")
	if n := storagetest.BytesRead(in) - before; n > 10<<20 || m.Used() != 0 || len(got) != 1 {
		t.Errorf("%d bytes were read, %d are held, %d lines came", n, m.Used(), len(got))
	}
}

// So is what decompressing takes.
func TestWindowInMemory(t *testing.T) {
	const window = 8 << 20
	content := bytes.Repeat([]byte(strings.Repeat("x", 999)+"\n"), window/500)
	in := storagetest.Put("window.zst", storagetest.ZipWindow(t, window, content))
	for _, slow := range []bool{false, true} {
		m := &inputtest.Memory{Limit: 2 * window, Slow: slow}
		got, err := readAll(t, newReader(context.Background(), []plan.FileRange{in, in}, 1<<20, m, now))
		if err != nil || len(got) != 2*len(content)/1000 {
			t.Errorf("%d lines, error %v", len(got), err)
		}
		if m.Peak() < window*3/4 || m.Used() != 0 {
			t.Errorf("at most %d bytes were held, in the end %d", m.Peak(), m.Used())
		}
	}
	_, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 1<<20, &inputtest.Memory{Limit: window / 2}, now))
	faulttest.Want(t, err, fault.User, "test://window.zst: to decompress it, ", "are needed at once", "--memory")
}
