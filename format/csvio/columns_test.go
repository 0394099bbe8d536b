package csvio

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"fletch/engine/batch"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

type sale struct {
	City  string
	Price int `fletch:"price in cents"`
}

func TestColumns(t *testing.T) {
	want := []sale{{"Bern", 100}, {"Basel, \"the\" city", -2}}
	for name, c := range map[string]struct {
		content string
		options []Option
	}{
		"as they are":        {"City,price in cents\nBern,100\n\"Basel, \"\"the\"\" city\",-2\n", nil},
		"another order":      {"price in cents,City\n100,Bern\n-2,\"Basel, \"\"the\"\" city\"\n", nil},
		"more columns":       {"x,City,x,price in cents,y\n,Bern,\"\"\"\n,\",100,z\n,\"Basel, \"\"the\"\" city\",,\"-2\",\"\"\n", nil},
		"another case":       {"CITY,Price in Cents\nBern,100\n\"Basel, \"\"the\"\" city\",-2", nil},
		"exact case first":   {"city,City,price in cents\nx,Bern,100\ny,\"Basel, \"\"the\"\" city\",-2", nil},
		"mark and returns":   {"\xef\xbb\xbf\"City\",price in cents\r\n\r\nBern,100\r\n\"Basel, \"\"the\"\" city\",-2\r", nil},
		"tabs":               {"City\tprice in cents\nBern\t100\n\"Basel, \"\"the\"\" city\"\t-2\n", []Option{Delimiter('\t')}},
		"no header":          {"Bern,100\n\"Basel, \"\"the\"\" city\",-2\n", []Option{NoHeader()}},
		"no header and more": {"\xef\xbb\xbfBern|100||\n\"Basel, \"\"the\"\" city\"|-2|x|y\n", []Option{NoHeader(), Delimiter('|')}},
	} {
		for _, suffix := range []string{"", ".gz", ".zst"} {
			content := []byte(c.content)
			if suffix != "" {
				content = storagetest.Zip(t, suffix, content)
			}
			got, err := readRows[sale](t, storagetest.Put("sales"+suffix, content), c.options...)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s%s: %+v, %v", name, suffix, got, err)
			}
		}
	}
}

func TestNoRecords(t *testing.T) {
	for content, options := range map[string][]Option{
		"City,price in cents":       nil,
		"City,price in cents\n":     nil,
		"City,price in cents\r\n\n": nil,
		"":                          {NoHeader()},
		"\xef\xbb\xbf\n":            {NoHeader()},
	} {
		whole := storagetest.Put("none", []byte(content))
		for cut := range max(whole.Size, 1) {
			for _, in := range cutAt(whole, cut) {
				if got, err := readRows[sale](t, in, options...); err != nil || len(got) > 0 {
					t.Errorf("%q: %+v, %v", content, got, err)
				}
			}
		}
	}
}

// What Go programs, databases and spreadsheets write.
func TestForeignValues(t *testing.T) {
	type row struct {
		T time.Time
		B bool
		F float64
		I int
		O batch.Optional[string]
		S string
	}
	noon := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	got, err := readRows[row](t, storagetest.Put("foreign", []byte("T,B,F,I,O,S\n"+
		"2024-01-31,TRUE,1e3,+7,,\n"+
		"2024-01-31 12:00:00,0,.5,-0,\"\",\"\"\n"+
		"2024-01-31 12:00:00.000000001,f,5.,007,x, y \n"+
		"2024-01-31T12:00:00,1,-inf,\"8\",\"\"\"\"\"\",\"\"\"\"\n"+
		"2024-01-31 13:00:00+01:00,True,1E-2,000000000000000000000009,\" \",\r\n")))
	want := []row{
		{noon.Add(-12 * time.Hour), true, 1000, 7, batch.Optional[string]{}, ""},
		{noon, false, 0.5, 0, batch.Optional[string]{}, ""},
		{noon.Add(1), false, 5, 7, batch.Some("x"), " y "},
		{noon, true, math.Inf(-1), 8, batch.Some(`""`), `"`},
		{noon, true, 0.01, 9, batch.Some(" "), ""},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v, %v\nwant %v", got, err, want)
	}
}

// Strings stay what they were when more is read.
func TestStringsMayBeKept(t *testing.T) {
	var b strings.Builder
	b.WriteString("value\n")
	for i := range 50_000 {
		fmt.Fprintf(&b, "%d is a number\n\"%d is \"\"one\"\" too\"\n", i, i)
	}
	got, err := readRows[string](t, storagetest.Put("kept", []byte(b.String())))
	if err != nil || len(got) != 100_000 {
		t.Fatal(len(got), " rows: ", err)
	}
	for i := range 50_000 {
		if got[2*i] != fmt.Sprintf("%d is a number", i) || got[2*i+1] != fmt.Sprintf(`%d is "one" too`, i) {
			t.Fatalf("rows %q, %q", got[2*i], got[2*i+1])
		}
	}
}

func TestPositions(t *testing.T) {
	codec, err := batch.CodecOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	whole := storagetest.Put("positions", []byte("value\na\n\n\"b\nc\"\nd"))
	r := newTestReader(t, codec.Schema(), 100, cutAt(whole, 7))
	r.blocks.chunk = 100
	var got []string
	for {
		rec, err := r.Next()
		if err != nil {
			break
		}
		for row := range int(rec.NumRows()) {
			got = append(got, r.Position(row))
		}
		rec.Release()
	}
	if fmt.Sprint(got) != "[test://positions byte 6 test://positions byte 9 test://positions byte 15]" || r.Close() != nil {
		t.Errorf("positions %v", got)
	}
}

// Records of all lengths up to the limit, over many pieces.
func TestLongRecords(t *testing.T) {
	const limit = 300_000
	var want []string
	var b strings.Builder
	b.WriteString("value\n")
	for n := 1; n <= limit-2; n = min(n*3, n+90_000) {
		s := strings.Repeat("x\n", n/2+1)[:n]
		want = append(want, s)
		fmt.Fprintf(&b, "\"%s\"\r\n", s)
	}
	whole := storagetest.Put("long", []byte(b.String()))
	codec, err := batch.CodecOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range []int{10_000, 100_000, chunkBytes} {
		r := newTestReader(t, codec.Schema(), limit, cutAt(whole, whole.Size/4, whole.Size/2, whole.Size-10))
		r.blocks.chunk = chunk
		got, err := readAll(t, codec, r)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("chunks of %d: %d rows, %v", chunk, len(got), err)
		}
	}
}

// What is left of a piece may just fit before the next one, or just not.
func TestRoom(t *testing.T) {
	const header = "value\n"
	in := storagetest.Put("room", []byte(header+strings.Repeat("x", 3*room)))
	codec, err := batch.CodecOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	for left := room - 2; left <= room+2; left++ {
		r := newTestReader(t, codec.Schema(), 4*room, []plan.FileRange{in})
		r.blocks.chunk = len(header) + left
		if got, err := readAll(t, codec, r); err != nil || len(got) != 1 || got[0] != strings.Repeat("x", 3*room) {
			t.Errorf("%d bytes left: %d records, %v", left, len(got), err)
		}
	}
}

// A record that is too long is refused before much of it is in memory.
func TestLongRecordIsNotGathered(t *testing.T) {
	content := append([]byte("value\n1\n\""), make([]byte, 64<<20)...)
	in := storagetest.Put("huge", content)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readRows[string](t, in)
	runtime.ReadMemStats(&after)
	faulttest.Want(t, err, fault.User, "test://huge line 3: the record ", "longer than 1048576 bytes")
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes were allocated for a record that is refused beyond 1 MiB", n)
	}
	content[8] = 'x'
	in.Offset, in.Length = 32<<20, 32<<20
	if got, err := readRows[string](t, in); err != nil || len(got) > 0 {
		t.Errorf("%d records begin in the midst of one, error %v", len(got), err)
	}
}

// A whole file is read for its first record only where nothing else tells, and then rightly.
func TestBoundaryOfPunctuation(t *testing.T) {
	const rows = 20_000
	for name, c := range map[string]struct {
		record  string
		farRead bool
	}{
		"delimiter":             {"1,\",\",2\n", false}, // taken from within quotes, no record would end
		"delimiter and newline": {"1,\",\n\",2\n", true},
		"words":                 {"1,\"word\",2\n", false},
		"none":                  {"1,word,2\n", false},
		"empty":                 {"1,\"\",2\n", false},
	} {
		in := storagetest.Put("punctuation", []byte(strings.Repeat(c.record, rows)))
		in.Offset = in.Size - int64(10*len(c.record)) + 3
		in.Length = in.Size - in.Offset
		how := &reading{
			options: newOptions("", []Option{NoHeader()}), ctx: context.Background(), maxLine: 1000, memory: inputtest.Ample(),
			alive: func() {}, chunk: 1000, lookBack: 100,
		}
		s := newSection(how, in)
		p, err := s.next(nil, 1000)
		if err != nil || string(p.text) != strings.Repeat(c.record, 9) {
			t.Errorf("%s: %.100q, %v", name, p.text, err)
		}
		b := boundary{how, s.file, 3, make([]byte, 1000)}
		v, err := b.view(in.Offset-1005, in.Offset-1)
		if err != nil {
			t.Fatal(err)
		}
		undecided := v.refuted == [2]bool{} && v.ended == [2]bool{true, true}
		if undecided != c.farRead {
			t.Errorf("%s: a view of the record's length tells %+v", name, v)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}
