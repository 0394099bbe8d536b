package jsonio

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fletch/engine/batch"
	"fletch/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type point struct{ X, Y int }

func record[T any](t testing.TB, rows ...T) (arrow.Record, *arrow.Schema) {
	t.Helper()
	codec, err := batch.CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	b := codec.NewBuilder(memory.DefaultAllocator)
	if err := b.Append(rows); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	t.Cleanup(rec.Release)
	return rec, codec.Schema()
}

func encode[T any](t *testing.T, rows ...T) (string, error) {
	t.Helper()
	rec, schema := record(t, rows...)
	var out bytes.Buffer
	w := newWriter(schema, isScalar(schema, reflect.TypeFor[T]()), &out)
	err := errors.Join(w.Write(rec), w.Close())
	return out.String(), err
}

func check[T any](t *testing.T, want string, rows ...T) {
	t.Helper()
	got, err := encode(t, rows...)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestGolden(t *testing.T) {
	check(t, "", []string{}...)
	check(t, "\"a\"\n\"\"\n\"\\ufffd\"\n", "a", "", "\xff")
	check(t, "-9223372036854775808\n9007199254740993\n", int64(math.MinInt64), int64(1<<53+1))
	check(t, "1.5\n1e+100\n", 1.5, 1e100)
	check(t, "{\"key\":\"a\",\"value\":1}\n", batch.KV[string, int]{Key: "a", Value: 1})
	check(t, "{\"key\":{\"X\":1,\"Y\":2},\"value\":[3,4]}\n", batch.KV[point, []int]{Key: point{1, 2}, Value: []int{3, 4}})
	check(t, "{\"X\":1,\"Y\":2}\n", point{1, 2})
	check(t, "{\"value\":1}\n", struct {
		V int `fletch:"value"`
	}{1})
	check(t, "{}\n", struct{}{})
	check(t, "null\n1\n", batch.Optional[int]{}, batch.Some(1))
	check(t, "null\nnull\n\"eA==\"\n", batch.Optional[[]byte]{}, batch.Some([]byte(nil)), batch.Some([]byte("x")))
	check(t, "null\n[]\n[null,2]\n", nil, []batch.Optional[int]{}, []batch.Optional[int]{{}, batch.Some(2)})
	check(t, "{\"key\":\"a\",\"value\":null}\n{\"key\":\"b\",\"value\":{\"X\":1,\"Y\":2}}\n",
		batch.KV[string, batch.Optional[point]]{Key: "a"}, batch.KV[string, batch.Optional[point]]{Key: "b", Value: batch.Some(point{1, 2})})
	check(t, "\"2024-02-29T11:30:01.25Z\"\n", time.Date(2024, 2, 29, 12, 30, 1, 250_000_000, time.FixedZone("", 3600)))
	check(t, "1500000000\n", 1500*time.Millisecond)
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err   func() error
		words []string
	}{
		"not a number": {func() error { _, err := encode(t, 1, math.NaN()); return err }, []string{"record 2", "column value", "NaN"}},
		"infinite":     {func() error { _, err := encode(t, float32(math.Inf(-1))); return err }, []string{"record 1", "-Inf"}},
		"nested": {func() error {
			_, err := encode(t, struct{ In struct{ Fs []float64 } }{struct{ Fs []float64 }{[]float64{math.Inf(1)}}})
			return err
		}, []string{"column In: column Fs", "+Inf"}},
		"year": {func() error { _, err := encode(t, time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)); return err }, []string{"column value", "year -5"}},
	} {
		err := c.err()
		if err == nil || fault.ClassOf(err) != fault.User {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q lacks %q", name, err, w)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	rows := make([]batch.KV[string, int64], 4096)
	for i := range rows {
		rows[i] = batch.KV[string, int64]{Key: fmt.Sprint("word-", i*i), Value: int64(i)}
	}
	rec, schema := record(b, rows...)
	var out bytes.Buffer
	w := newWriter(schema, false, &out)
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
