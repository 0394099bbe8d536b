package csvio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
	"fletch/storage/storagetest"
)

type (
	celsius float32

	inner struct {
		A int
		B string
	}

	// wide has a field of each kind.
	wide struct {
		Bool   bool
		I8     int8
		I16    int16
		I32    int32
		I64    int64
		U8     uint8
		U16    uint16
		U32    uint32
		U64    uint64
		F32    celsius
		F64    float64
		Text   string `fletch:"a \"text\", quoted"`
		Bytes  []byte
		Wait   time.Duration
		At     time.Time
		In     inner
		Maybe  batch.Optional[inner]
		Inside batch.Optional[struct {
			Deep batch.Optional[struct{ X, Y uint8 }]
		}]
		MaybeInt batch.Optional[int]
		Words    batch.Optional[string]
		Box      batch.Optional[[]byte]
		When     batch.Optional[time.Time]
		List     []string
		Array    [2]float32
		Lists    batch.Optional[[][]inner]
		Pair     batch.Optional[[2]int]
		Gaps     []batch.Optional[int8]
	}
)

func optional[T any](value *rapid.Generator[T]) *rapid.Generator[batch.Optional[T]] {
	return rapid.OneOf(rapid.Just(batch.Optional[T]{}), rapid.Map(value, batch.Some[T]))
}

var (
	anyText  = rapid.OneOf(rapid.String(), rapid.StringMatching("[a,\"\r\n \\\\.]{0,5}"), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	anyFloat = rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, math.MaxFloat64}))
	anyBytes = rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 1, 9)) // an empty one becomes nil
	anyTime  = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-62167219200, 253402300799).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	anyWait  = rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) })
	anyInner = rapid.Custom(func(t *rapid.T) inner { return inner{rapid.Int().Draw(t, "A"), anyText.Draw(t, "B")} })
	plain    = rapid.Custom(func(t *rapid.T) inner { return inner{rapid.Int().Draw(t, "A"), rapid.String().Draw(t, "B")} })
)

func drawWide(t *rapid.T) wide {
	some := rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32)
	w := wide{
		Bool: rapid.Bool().Draw(t, "Bool"), I8: rapid.Int8().Draw(t, "I8"), I16: rapid.Int16().Draw(t, "I16"),
		I32: rapid.Int32().Draw(t, "I32"), I64: rapid.Int64().Draw(t, "I64"), U8: rapid.Uint8().Draw(t, "U8"),
		U16: rapid.Uint16().Draw(t, "U16"), U32: rapid.Uint32().Draw(t, "U32"), U64: rapid.Uint64().Draw(t, "U64"),
		F32: celsius(rapid.Float32().Draw(t, "F32")), F64: anyFloat.Draw(t, "F64"), Text: anyText.Draw(t, "Text"),
		Bytes: anyBytes.Draw(t, "Bytes"), Wait: anyWait.Draw(t, "Wait"), At: anyTime.Draw(t, "At"), In: anyInner.Draw(t, "In"),
		Maybe: optional(anyInner).Draw(t, "Maybe"), MaybeInt: optional(rapid.Int()).Draw(t, "MaybeInt"),
		Words: optional(rapid.StringMatching(`.{1,5}`)).Draw(t, "Words"), // an empty one becomes absent
		Box:   optional(rapid.SliceOfN(rapid.Byte(), 1, 5)).Draw(t, "Box"), When: optional(anyTime).Draw(t, "When"),
		List:  rapid.OneOf(rapid.Just([]string(nil)), rapid.SliceOf(rapid.String())).Draw(t, "List"),
		Array: [2]float32{some.Draw(t, "0"), some.Draw(t, "1")},
		Lists: optional(rapid.SliceOfN(rapid.SliceOfN(plain, 0, 2), 0, 2)).Draw(t, "Lists"),
		Gaps:  rapid.SliceOf(optional(rapid.Int8())).Draw(t, "Gaps"),
	}
	if rapid.Bool().Draw(t, "Pair") {
		w.Pair = batch.Some([2]int{rapid.Int().Draw(t, "0"), 1})
	}
	if rapid.Bool().Draw(t, "Inside") {
		w.Inside.Valid, w.Inside.Value.Deep.Valid = true, true // one without any value becomes absent
		w.Inside.Value.Deep.Value.X = rapid.Uint8().Draw(t, "X")
	}
	return w
}

// What Write wrote, Read reads back.
func TestRoundTrip(t *testing.T) {
	t.Run("wide", roundTrip(rapid.Custom(drawWide)))
	t.Run("string", roundTrip(anyText))
	t.Run("float64", roundTrip(anyFloat))
	t.Run("time", roundTrip(anyTime))
	t.Run("duration", roundTrip(anyWait))
	t.Run("bytes", roundTrip(anyBytes))
	t.Run("optional", roundTrip(optional(rapid.Int())))
	t.Run("list", roundTrip(rapid.SliceOf(rapid.Int())))
	t.Run("pair", roundTrip(pairs(anyText, rapid.Int())))
	t.Run("struct key", roundTrip(pairs(anyInner, anyFloat)))
	t.Run("optional struct value", roundTrip(pairs(anyText, optional(anyInner))))
	t.Run("array key", roundTrip(pairs(rapid.Map(rapid.Int8(), func(i int8) [1]int8 { return [1]int8{i} }), optional(anyWait))))
}

func pairs[K, V any](key *rapid.Generator[K], value *rapid.Generator[V]) *rapid.Generator[batch.KV[K, V]] {
	return rapid.Custom(func(t *rapid.T) batch.KV[K, V] {
		return batch.KV[K, V]{Key: key.Draw(t, "key"), Value: value.Draw(t, "value")}
	})
}

func roundTrip[T any](record *rapid.Generator[T]) func(t *testing.T) {
	return func(t *testing.T) {
		codec, err := batch.CodecOf[T]()
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			rows := rapid.SliceOfN(record, 0, 8).Draw(t, "rows")
			content := writeAll(t, codec, rows)
			cuts := rapid.SliceOfN(rapid.Int64Range(1, int64(len(content))), 0, 3).Draw(t, "cuts")
			r := newTestReader(t, codec.Schema(), 1<<20, cutAt(storagetest.Put("round", content), cuts...))
			r.blocks.chunk = rapid.IntRange(1, 300).Draw(t, "chunk")
			got, err := readAll(t, codec, r)
			if err != nil {
				t.Fatalf("%v\nin %s", err, content)
			}
			// Unlike ==, what fmt writes has NaN equal itself, and tells -0 from 0 and nil from empty.
			if got, want := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", rows); got != want {
				t.Fatalf("got  %s\nwant %s\nin %q", got, want, content)
			}
		})
	}
}

func writeAll[T any](t tester, codec *batch.Codec[T], rows []T) []byte {
	b := codec.NewBuilder(memory.DefaultAllocator)
	if err := b.Append(rows); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	defer rec.Release()
	var out bytes.Buffer
	w, err := newWriter(codec.Schema(), &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readAll decodes all records.
func readAll[T any](t tester, codec *batch.Codec[T], r *reader) ([]T, error) {
	d := codec.NewDecoder()
	rows := []T{}
	for {
		rec, err := r.Next()
		if err != nil {
			if closeErr := r.Close(); closeErr != nil {
				t.Fatal(closeErr)
			}
			if err == io.EOF {
				err = nil
			}
			return rows, err
		}
		if err := d.Reset(rec); err != nil {
			t.Fatal(err)
		}
		some := make([]T, rec.NumRows())
		d.Read(some, 0)
		rows = append(rows, some...)
		rec.Release()
	}
}
