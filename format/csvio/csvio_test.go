package csvio

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fletch/engine/batch"
	"fletch/fault"
	"fletch/fault/faulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type point struct{ X, Y int32 }

type nested struct {
	ID    uint8
	At    point `fletch:"at"`
	Maybe batch.Optional[point]
	Tags  []string
	Grid  [2]float32
	Blob  []byte
	Boxed batch.Optional[[]byte]
	Deep  struct{ In point }
}

// record makes a batch of rows; sliced makes it begin in the middle of its buffers.
func record[T any](t testing.TB, sliced bool, rows ...T) (arrow.Record, *arrow.Schema) {
	t.Helper()
	codec, err := batch.CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	b := codec.NewBuilder(memory.DefaultAllocator)
	if sliced && len(rows) > 0 {
		rows = append(rows[:1:1], rows...)
	}
	if err := b.Append(rows); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	if sliced && len(rows) > 0 {
		whole := rec
		defer whole.Release()
		rec = whole.NewSlice(1, int64(len(rows)))
	}
	t.Cleanup(rec.Release)
	return rec, codec.Schema()
}

func encode[T any](t *testing.T, sliced bool, rows ...T) (string, error) {
	t.Helper()
	rec, schema := record(t, sliced, rows...)
	var out bytes.Buffer
	w, err := newWriter(schema, &out)
	if err != nil {
		return "", err
	}
	if err := w.Write(rec); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), nil
}

func check[T any](name, want string, rows ...T) func(*testing.T) {
	return func(t *testing.T) {
		for _, sliced := range []bool{false, true} {
			got, err := encode(t, sliced, rows...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got != want {
				t.Errorf("%s, sliced %v:\n got %q\nwant %q", name, sliced, got, want)
			}
		}
	}
}

func TestGolden(t *testing.T) {
	some := batch.Some[int]
	day := time.Date(2024, 2, 29, 12, 30, 1, 250_000_000, time.FixedZone("", 3600))
	for _, run := range []func(*testing.T){
		check[string]("no rows", "value\n"),
		check[batch.KV[string, int64]]("no pairs", "key,value\n"),
		check("strings", "value\na\n\"\"\n\"a,b\"\n\"say \"\"hi\"\"\"\n\"two\nlines\"\n\"a\rb\"\n\" lead\"\ntrail \n\"\\.\"\n\\n\n\"\u00a0nbsp\"\nü\n\xff\n",
			"a", "", "a,b", `say "hi"`, "two\nlines", "a\rb", " lead", "trail ", `\.`, `\n`, "\u00a0nbsp", "ü", "\xff"),
		check("pairs", "key,value\nthe,-3\n,0\n", batch.KV[string, int]{Key: "the", Value: -3}, batch.KV[string, int]{}),
		check("struct value", "key,X,Y\na,1,-2\n", batch.KV[string, point]{Key: "a", Value: point{1, -2}}),
		check("struct key", "X,Y,value\n1,-2,true\n", batch.KV[point, bool]{Key: point{1, -2}, Value: true}),
		check("optional struct value", "key,X,Y\na,,\nb,1,2\n",
			batch.KV[string, batch.Optional[point]]{Key: "a"}, batch.KV[string, batch.Optional[point]]{Key: "b", Value: batch.Some(point{1, 2})}),
		check("nested", "ID,at.X,at.Y,Maybe.X,Maybe.Y,Tags,Grid,Blob,Boxed,Deep.In.X,Deep.In.Y\n"+
			"255,1,2,,,,\"[0,1.5]\",,,0,0\n"+
			"0,0,0,3,4,\"[\"\"a\"\",\"\"\\\"\"\"\"]\",\"[0,0]\",/wA=,aGk=,5,6\n",
			nested{ID: 255, At: point{1, 2}, Grid: [2]float32{0, 1.5}},
			nested{Maybe: batch.Some(point{3, 4}), Tags: []string{"a", `"`}, Blob: []byte{0xff, 0}, Boxed: batch.Some([]byte("hi")), Deep: struct{ In point }{point{5, 6}}}),
		check("nulls alone", "value\n\"\"\n7\n", batch.Optional[int]{}, some(7)),
		check("boxed alone", "value\n\"\"\n\"\"\neA==\n", batch.Optional[[]byte]{}, batch.Some([]byte(nil)), batch.Some([]byte("x"))),
		check("times", "value\n2024-02-29T11:30:01.25Z\n0001-01-01T00:00:00Z\n", day, time.Time{}),
		check("durations", "value\n1h15m30.5s\n0s\n", time.Hour+15*time.Minute+30*time.Second+500*time.Millisecond, 0),
		check("floats", "value\n0.1\n1e+100\nNaN\n+Inf\n-Inf\n-0\n", 0.1, 1e100, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)),
		check("float32", "value\n0.1\n", float32(0.1)),
		check("ints", "value\n-9223372036854775808\n9223372036854775807\n", int64(math.MinInt64), int64(math.MaxInt64)),
		check("uints", "value\n18446744073709551615\n", uint64(math.MaxUint64)),
		check("bools", "value\ntrue\nfalse\n", true, false),
		check("small ints", "a,b,c,d,e,f\n-1,-2,-3,1,2,3\n", struct {
			A int8   `fletch:"a"`
			B int16  `fletch:"b"`
			C int32  `fletch:"c"`
			D uint8  `fletch:"d"`
			E uint16 `fletch:"e"`
			F uint32 `fletch:"f"`
		}{-1, -2, -3, 1, 2, 3}),
		check("odd names", "\"a,b\",value\n1,2\n", struct {
			A int `fletch:"a,b"`
			B int `fletch:"value"`
		}{1, 2}),
	} {
		run(t)
	}
}

func TestErrors(t *testing.T) {
	_, err := encode(t, false, batch.KV[point, point]{})
	faulttest.Want(t, err, fault.Permanent, `name "X"`)
	_, err = encode(t, false, struct {
		In struct{ A int }
		B  int `fletch:"In.A"`
	}{})
	faulttest.Want(t, err, fault.Permanent, `name "In.A"`)
	_, err = encode(t, false, struct{}{})
	faulttest.Want(t, err, fault.Permanent, "no fields")
	_, err = encode(t, false, batch.KV[string, []float64]{Key: "a"}, batch.KV[string, []float64]{Key: "b", Value: []float64{math.NaN()}})
	faulttest.Want(t, err, fault.User, "record 2", "column value", "NaN")
	_, err = encode(t, false, time.Date(12024, 1, 1, 0, 0, 0, 0, time.UTC))
	faulttest.Want(t, err, fault.User, "record 1", "year 12024")
}

// What encoding/csv reads is what was written, but for the carriage returns that it drops before newlines.
func FuzzCSV(f *testing.F) {
	f.Add("a", "b", "c")
	f.Add("", "", "")
	f.Add("\r\n\"", ",,", " \\.")
	f.Add("\xff", "\u2028", "\"\"")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		type row struct{ A, B, C string }
		pairs := [][]string{{a, b, c}, {c, a, b}}
		rec, schema := record(t, false, row{a, b, c}, row{c, a, b})
		checkRoundTrip(t, rec, schema, append([][]string{{"A", "B", "C"}}, pairs...))
		rec, schema = record(t, true, a, b, c)
		checkRoundTrip(t, rec, schema, [][]string{{"value"}, {a}, {b}, {c}})
	})
}

func checkRoundTrip(t *testing.T, rec arrow.Record, schema *arrow.Schema, want [][]string) {
	t.Helper()
	var out bytes.Buffer
	w, err := newWriter(schema, &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range want {
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "\r\n", "\n")
		}
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func BenchmarkWrite(b *testing.B) {
	rows := make([]batch.KV[string, int64], 4096)
	for i := range rows {
		rows[i] = batch.KV[string, int64]{Key: fmt.Sprint("word-", i*i), Value: int64(i)}
	}
	rec, schema := record(b, false, rows...)
	var out bytes.Buffer
	w, err := newWriter(schema, &out)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := errors.Join(w.Write(rec), w.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(out.Len()))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
}
