package csvio

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fletch/engine/batch"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/storage/storagetest"
)

// order is a record that much can be wrong with.
type order struct {
	ID    int32                               `fletch:"id"`
	Name  string                              `fletch:"name"`
	Price float64                             `fletch:"price"`
	Paid  batch.Optional[bool]                `fletch:"paid"`
	Ship  batch.Optional[struct{ W, H int8 }] `fletch:"ship"`
	At    batch.Optional[time.Time]           `fletch:"at"`
	Blob  []byte                              `fletch:"blob"`
	Tags  []uint16                            `fletch:"tags"`
	Took  batch.Optional[time.Duration]       `fletch:"took"`
	Stock batch.Optional[uint8]               `fletch:"stock"`
}

func TestBadFiles(t *testing.T) {
	good := "id,name,price,paid,ship.W,ship.H,at,blob,tags,took,stock\n1,a,2.5,true,1,2,2024-01-31,aGk=,[1],1s,3\n"
	long := strings.Repeat("x", 2000)
	for _, c := range []struct {
		content string
		words   []string
	}{
		// The header.
		{"", []string{"the first record is missing", "the file is empty"}},
		{"\xef\xbb\xbf\n\r\n", []string{"the first record is missing"}},
		{"id,name\n1,a\n", []string{`the first record has no column "price", but "id", "name"`, "tag `fletch:"}},
		{"id;name\n1,a\n", []string{`has no column "id"`, "csvio.Delimiter(';')"}},
		{"id,name,id\n", []string{`has the name "id" twice, in the columns 1 and 3`}},
		{"Id,ID,name\n", []string{`has "Id" and "ID" for the column "id"`}},
		{"id,\"name\n", []string{"the first record cannot be read", "line"}},
		{"id," + long, []string{"the first record is longer than 1000 bytes", "--max-line"}},
		{long + "\n1", []string{"the first record is longer than 1000 bytes"}},
		// The shape of records.
		{good + "1,\"a\n", []string{` line 3, column 2 (name): "\"a\n" has no closing quote`}},
		{good + "1,a\"b,,,,,,,,,\n", []string{` line 3, column 2 (name): "a\"" has a quote in it`}},
		{good + "1,\"a\"b,,,,,,,,,\n", []string{` line 3, column 2 (name): "\"a\"" goes on behind its closing quote`}},
		{good + "\n\n1,a\n", []string{` line 5: the record "1,a" has 2 fields, the first one of the file 11`}},
		{good + "1,a,1,,,,,,,,,12,13\n", []string{" line 3: the record ", "has 13 fields"}},
		{good + "1,\"" + long + "\",1,,,,,,,,\n", []string{` line 3: the record "1,\"xxx`, "is longer than 1000 bytes", "--max-line", "never closed"}},
		{good + "1,\"" + long, []string{` line 3: the record "1,\"xxx`, "is longer than 1000 bytes"}},
		// Values.
		{good + "x1,a,1,,,,,,,,\n", []string{` line 3, column 1 (id): "x1" is no int32`}},
		{good + ",a,1,,,,,,,,\n", []string{` line 3, column 1 (id): "" is empty`, "strings", "slices", "Optional"}},
		{good + "1 ,a,1,,,,,,,,\n", []string{`"1 " is no int32`}},
		{good + "2147483648,a,1,,,,,,,,\n", []string{`"2147483648" does not fit in int32`}},
		{good + "99999999999999999999,a,1,,,,,,,,\n", []string{"does not fit in int32"}},
		{good + "1,a,\"1\"\"2\",,,,,,,,\n", []string{` column 3 (price): "1\"\"2" is no float64`}},
		{good + "1,a,1e999,,,,,,,,\n", []string{`"1e999" does not fit in float64`}},
		{good + "1,a,,,,,,,,,\n", []string{` column 3 (price): "" is empty`}},
		{good + "1,a,1,maybe,,,,,,,\n", []string{` column 4 (paid): "maybe" is no bool`}},
		{good + "1,a,1,,3,,,,,,\n", []string{` column 6 (ship.H): "" is empty`}},
		{good + "1,a,1,,3,128,,,,,\n", []string{` column 6 (ship.H): "128" does not fit in int8`}},
		{good + "1,a,1,,3,-129,,,,,\n", []string{`"-129" does not fit in int8`}},
		{good + "1,a,1,,,,yesterday,,,,\n", []string{` column 7 (at): "yesterday" is no time such as 2006`}},
		{good + "1,a,1,,,,,?,,,\n", []string{` column 8 (blob): "?" is no base64`}},
		{good + "1,a,1,,,,,,[70000],,\n", []string{` column 9 (tags): "[70000]" is no JSON array of its type: element 0: 70000 is no uint16`}},
		{good + "1,a,1,,,,,,null,,\n", []string{"null is no array"}},
		{good + "1,a,1,,,,,,,5,\n", []string{` column 10 (took): "5" is no duration`}},
		{good + "1,a,1,,,,,,,,-1\n", []string{` column 11 (stock): "-1" does not fit in uint8`}},
		{good + "1,a,1,,,,,,,,256\n", []string{`"256" does not fit in uint8`}},
		{good + "1,a," + strings.Repeat("y", 60) + ",,,,,,,,\n", []string{`"` + strings.Repeat("y", 40) + `"... is no float64`}},
		// Several mistakes: the first record with one is told, whichever column it is in.
		{good + "1,a,1,,,,,,,,x\ny,a,1,,,,,,,,\nz,\"", []string{` line 3, column 11 (stock): "x"`}},
		{good + "x,a,1,,,,,,,,\n1,a,1,,,,,,,,x\nz,\"", []string{` line 3, column 1 (id): "x"`}},
		// Fields that go over lines.
		{good + "1,\"a\n\nb\",x,,,,,,,,\n", []string{` line 5, column 3 (price): "x" is no float64`}},
	} {
		_, err := readOrders(t, storagetest.Put("bad", []byte(c.content)))
		if err == nil || fault.ClassOf(err) != fault.User {
			t.Errorf("%.200q: error %v, want one of the user", c.content, err)
			continue
		}
		for _, w := range append(c.words, "test://bad") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%.200q: error %q lacks %q", c.content, err, w)
			}
		}
	}
}

func readOrders(t *testing.T, in plan.FileRange) ([]order, error) {
	t.Helper()
	codec, err := batch.CodecOf[order]()
	if err != nil {
		t.Fatal(err)
	}
	r := newTestReader(t, codec.Schema(), 1000, []plan.FileRange{in})
	r.blocks.chunk = 300
	return readAll(t, codec, r)
}

func readRows[T any](t *testing.T, in plan.FileRange, set ...Option) ([]T, error) {
	t.Helper()
	codec, err := batch.CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, codec, newTestReader(t, codec.Schema(), 1<<20, []plan.FileRange{in}, set...))
}

// Each range tells the line in its file.
func TestLinesOfRanges(t *testing.T) {
	type row struct {
		N    int
		Text string
	}
	var b strings.Builder
	b.WriteString("N,Text\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,\"line\nbreak\"\n", i)
	}
	content := strings.Replace(b.String(), "\n900,", "\nnine hundred,", 1)
	whole := storagetest.Put("lines", []byte(content))
	for _, in := range cutAt(whole, whole.Size/3, whole.Size/2) {
		rows, err := readRows[row](t, in)
		if in.Offset+in.Length < whole.Size {
			if err != nil || len(rows) == 0 {
				t.Errorf("range %d: %d rows, error %v", in.Offset, len(rows), err)
			}
			continue
		}
		faulttest.Want(t, err, fault.User, `test://lines line 1802, column 1 (N): "nine hundred" is no int64`)
	}
}

// A stray quote makes a mess of what follows. Whichever range stumbles over that tells of the quote.
func TestFirstMistakeIsTold(t *testing.T) {
	const stray = "1,a\n1,5\"\n"
	whole := storagetest.Put("stray", []byte(stray+strings.Repeat("2,\"a\nb\"\n", 100)))
	others := 0 // ranges that fail and do not hold the quote
	for cut := int64(1); cut < whole.Size; cut++ {
		failed := 0
		for _, in := range cutAt(whole, cut) {
			if _, err := readRows[batch.KV[int, string]](t, in, NoHeader()); err != nil {
				failed++
				faulttest.Want(t, err, fault.User, `test://stray line 2, column 2 (value): "5\"" has a quote in it`)
				if in.Offset > int64(len(stray)) {
					others++
				}
			}
		}
		if failed == 0 {
			t.Errorf("cut at %d, the file is read", cut)
		}
	}
	if others < 100 {
		t.Errorf("only %d other ranges failed", others)
	}
}

func TestReadErrors(t *testing.T) {
	_, err := readRows[int](t, storagetest.PutBroken("broken", errors.New("broken disk")))
	faulttest.Want(t, err, fault.Retryable, "test://broken", "broken disk")
	in := storagetest.Put("changed", []byte("value\n1\n"))
	in.Size++
	_, err = readRows[int](t, in)
	faulttest.Want(t, err, fault.User, "test://changed", "changed")
	for _, suffix := range []string{".gz", ".zst"} {
		zipped := storagetest.Zip(t, suffix, bytes.Repeat([]byte("value\n1\n"), 100_000))
		_, err = readRows[string](t, storagetest.Put("cut"+suffix, zipped[:len(zipped)/2]))
		faulttest.Want(t, err, fault.User, "test://cut"+suffix, "cut short")
		_, err = readRows[int](t, storagetest.Put("bad"+suffix, storagetest.Zip(t, suffix, []byte("value\n1\n"), []byte("2\nx\n"))))
		faulttest.Want(t, err, fault.User, "test://bad"+suffix+` line 4, column 1 (value): "x" is no int64`)
	}
}

// A file that loses its end while it is read: with a mistake in what is read already, and without.
func TestCutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	content := append([]byte("value\n"), bytes.Repeat([]byte("12345\n"), 200_000)...)
	copy(content[120_000:], "wrong\n")
	codec, err := batch.CodecOf[int]()
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"12345\n": path + " byte 300000: the file was cut while the job ran, it had 1200006 bytes",
		"wrong\n": path + ` byte 120000, column 1 (value): "wrong" is no int64`,
	} {
		copy(content[120_000:], line)
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		r := newTestReader(t, codec.Schema(), 1<<20, []plan.FileRange{{Path: path, Length: int64(len(content)), Size: int64(len(content))}})
		r.blocks.chunk = 100_000
		rec, err := r.Next() // and reads the second piece ahead
		if err != nil {
			t.Fatal(err)
		}
		rec.Release()
		if err := os.Truncate(path, 300_000); err != nil {
			t.Fatal(err)
		}
		_, err = readAll(t, codec, r)
		faulttest.Want(t, err, fault.User, want)
	}
}

// While a mistake's line is looked for, which takes two more passes of the file, the task is seen to get on.
func TestMistakeIsNotStuck(t *testing.T) {
	const chunks = 20
	content := append(bytes.Repeat([]byte("12345\n"), chunks*chunkBytes/6), "wrong\n"...)
	in := storagetest.Put("slow", content)
	in.Offset, in.Length = in.Size/2, in.Size-in.Size/2
	codec, err := batch.CodecOf[int]()
	if err != nil {
		t.Fatal(err)
	}
	r := newTestReader(t, codec.Schema(), 1<<20, []plan.FileRange{in}, NoHeader())
	alive, before := 0, int64(0)
	r.blocks.alive = func() {
		alive++
		if n := storagetest.BytesRead(in) - before; n > 2*chunkBytes {
			t.Errorf("%d bytes were read without a sign", n)
		}
		before = storagetest.BytesRead(in)
	}
	r.blocks.do = func(f func() error) error {
		alive = 0
		return f()
	}
	_, err = readAll(t, codec, r)
	faulttest.Want(t, err, fault.User, fmt.Sprintf("test://slow line %d,", len(content)/6))
	if alive < 2*chunks-2 {
		t.Errorf("%d signs of life", alive)
	}
}
