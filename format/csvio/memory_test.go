package csvio

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

// readWithin reads a file of two columns within some memory, of which nothing is held in the end.
func readWithin(t *testing.T, m *inputtest.Memory, maxLine int, ranges ...plan.FileRange) ([][]string, error) {
	t.Helper()
	l, err := layoutOf(textColumns(2))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readText(t, newReader(ranges, textColumns(2), l, reading{
		options: newOptions("", []Option{NoHeader()}), ctx: context.Background(), maxLine: maxLine, memory: m,
		start: atOnce, do: func(f func() error) error { return f() }, alive: func() {},
	}))
	if m.Used() != 0 {
		t.Errorf("%d bytes are held in the end", m.Used())
	}
	return rows, err
}

// A long record's buffers are taken from the memory. What does not fit there fails before it is read.
func TestLongRecordsInMemory(t *testing.T) {
	const long = 10 << 20
	a, b := strings.Repeat("x", long), strings.Repeat("y\n", long/2)
	in := storagetest.Put("long", []byte("1,short\n2,"+a+"\n3,\""+b+"\"\n4,short\n"))
	first := storagetest.Put("first", []byte("1,"+a+"\n"))
	want := fmt.Sprint([][]string{{"1", "short"}, {"2", a}, {"3", b}, {"4", "short"}, {"1", a}})
	for name, m := range map[string]*inputtest.Memory{"ample": inputtest.Ample(), "slow": {Limit: 50 << 20, Slow: true}} {
		got, err := readWithin(t, m, 2*long, in, first)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %d records, error %v", name, len(got), err)
		}
		if m.Peak() < 2*long || m.Peak() > 5*long {
			t.Errorf("%s: at most %d bytes were held", name, m.Peak())
		}
	}
	for words, in := range map[string]plan.FileRange{
		"test://long byte 8: to read the record, ": in, "test://first: to read the first record, ": first,
	} {
		before := storagetest.BytesRead(in)
		_, err := readWithin(t, &inputtest.Memory{Limit: 4 << 20}, 2*long, in)
		faulttest.Want(t, err, fault.User, words, "are needed at once", "--memory")
		if n := storagetest.BytesRead(in) - before; n > 6<<20 {
			t.Errorf("%s%d bytes were read", words, n)
		}
	}
}

// So is what decompressing takes.
func TestWindowInMemory(t *testing.T) {
	const window = 8 << 20
	content := bytes.Repeat([]byte("some,"+strings.Repeat("x", 994)+"\n"), window/500)
	in := storagetest.Put("window.zst", storagetest.ZipWindow(t, window, content))
	for _, slow := range []bool{false, true} {
		m := &inputtest.Memory{Limit: 2 * window, Slow: slow}
		got, err := readWithin(t, m, 1<<20, in, in)
		if err != nil || len(got) != 2*len(content)/1000 {
			t.Errorf("%d records, error %v", len(got), err)
		}
		if m.Peak() < window*3/4 {
			t.Errorf("at most %d bytes were held", m.Peak())
		}
	}
	_, err := readWithin(t, &inputtest.Memory{Limit: window / 2}, 1<<20, in)
	faulttest.Want(t, err, fault.User, "test://window.zst: to decompress it, ", "are needed at once", "--memory")
}
