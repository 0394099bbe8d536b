package rows_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/format/internal/rows"
)

// pieces counts what it is given at a time.
type pieces struct {
	bytes.Buffer
	writes int
}

func (p *pieces) Write(b []byte) (int, error) {
	p.writes++
	return p.Buffer.Write(b)
}

func TestBatches(t *testing.T) {
	var out pieces
	w := rows.New(&out, []byte("head\n"))
	want := "head\n"
	for range 3 {
		err := w.Batch(10_000, func(dst []byte, row int) ([]byte, error) {
			return append(strconv.AppendInt(dst, int64(row), 10), '\n'), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for row := range 10_000 {
			want += strconv.Itoa(row) + "\n"
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("%d bytes, want %d", out.Len(), len(want))
	}
	if most := len(want)/(64<<10) + 1; out.writes > most {
		t.Errorf("written in %d pieces, want at most %d", out.writes, most)
	}
}

func TestErrorsTellTheRecord(t *testing.T) {
	w := rows.New(&bytes.Buffer{}, nil)
	record := func(dst []byte, row int) ([]byte, error) {
		if row == 2 {
			return dst, errors.New("no")
		}
		return dst, nil
	}
	if err := w.Batch(2, record); err != nil {
		t.Fatal(err)
	}
	faulttest.Want(t, w.Batch(3, record), fault.User, "record 5 of this part: no")
}

// full takes room bytes.
type full struct{ room int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

// TestFailingOutput fails the first piece, which is passed on by Batch, and the last one, which is by Close.
func TestFailingOutput(t *testing.T) {
	const piece = 64 << 10
	texts := []string{strings.Repeat("x", piece), "y"}
	for _, room := range []int{0, piece} {
		w := rows.New(&full{room}, nil)
		err := w.Batch(len(texts), func(dst []byte, row int) ([]byte, error) { return append(dst, texts[row]...), nil })
		if failed := room == 0; errors.Is(err, errFull) != failed {
			t.Errorf("room for %d bytes: Batch returns %v", room, err)
		}
		if err := w.Close(); err == nil && room == piece {
			t.Error("Close says nothing of the piece that was not taken")
		}
	}
}
