package jsontext

import (
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
)

// optionals has a field of each kind that may be null, in each place.
type optionals struct {
	Int     batch.Optional[int]
	Boxed   batch.Optional[[]byte]
	Twice   batch.Optional[batch.Optional[string]]
	List    []batch.Optional[int8]
	Array   [2]batch.Optional[float32]
	Structs []batch.Optional[struct{ A [2]uint16 }]
	Lists   batch.Optional[[][2][]byte]
}

func optional[T any](value *rapid.Generator[T]) *rapid.Generator[batch.Optional[T]] {
	return rapid.OneOf(rapid.Just(batch.Optional[T]{}), rapid.Map(value, batch.Some[T]))
}

func drawOptionals(t *rapid.T) optionals {
	number, bytes := optional(rapid.Float32Range(-1, 1)), rapid.SliceOfN(rapid.Byte(), 0, 3)
	return optionals{
		Int:   optional(rapid.Int()).Draw(t, "Int"),
		Boxed: optional(rapid.OneOf(rapid.Just([]byte(nil)), bytes)).Draw(t, "Boxed"),
		Twice: optional(optional(rapid.String())).Draw(t, "Twice"),
		List:  rapid.SliceOf(optional(rapid.Int8())).Draw(t, "List"),
		Array: [2]batch.Optional[float32]{number.Draw(t, "0"), number.Draw(t, "1")},
		Structs: rapid.SliceOf(optional(rapid.Custom(func(t *rapid.T) struct{ A [2]uint16 } {
			return struct{ A [2]uint16 }{[2]uint16{rapid.Uint16().Draw(t, "A"), 1}}
		}))).Draw(t, "Structs"),
		Lists: optional(rapid.SliceOf(rapid.Custom(func(t *rapid.T) [2][]byte {
			return [2][]byte{bytes.Draw(t, "0"), nil}
		}))).Draw(t, "Lists"),
	}
}

// What an encoder writes, a parser reads; text does not tell the nulls of a box from those in it.
func TestParseWhatIsWritten(t *testing.T) {
	t.Run("everything", func(t *testing.T) { checkParse(t, rapid.Custom(drawEverything)) })
	t.Run("optionals", func(t *testing.T) {
		checkParse(t, rapid.Map(rapid.Custom(drawOptionals), func(o optionals) optionals {
			if o.Boxed.Value == nil {
				o.Boxed.Valid = false
			}
			if !o.Twice.Value.Valid {
				o.Twice.Valid = false
			}
			if o.Lists.Value == nil {
				o.Lists.Valid = false
			}
			return o
		}))
	})
}

func checkParse[T any](t *testing.T, record *rapid.Generator[T]) {
	codec, err := batch.CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(record, 0, 5).Draw(t, "rows")
		b := codec.NewBuilder(memory.DefaultAllocator)
		if err := b.Append(rows); err != nil {
			t.Fatal(err)
		}
		rec := b.Record()
		defer rec.Release()
		parsed := make([]arrow.Array, rec.NumCols())
		for i, f := range rec.Schema().Fields() {
			parsed[i] = reparse(t, f, rec.Column(i))
			defer parsed[i].Release()
		}
		again := array.NewRecord(codec.Schema(), parsed, rec.NumRows())
		defer again.Release()
		d := codec.NewDecoder()
		if err := d.Reset(again); err != nil {
			t.Fatal(err)
		}
		got := make([]T, len(rows))
		d.Read(got, 0)
		if !reflect.DeepEqual(got, rows) {
			t.Fatalf("got  %+v\nwant %+v", got, rows)
		}
	})
}

// reparse writes a column and parses what was written.
func reparse(t *rapid.T, f arrow.Field, column arrow.Array) arrow.Array {
	e, p := Compile(f), NewParser(f)
	e.Reset(column)
	for row := range column.Len() {
		text, err := e.Append(nil, row)
		if err == nil {
			err = p.Append(text)
		}
		if err != nil {
			t.Fatalf("column %s: %s: %v", f.Name, text, err)
		}
	}
	data := p.Take()
	defer data.Release()
	return array.MakeFromData(data)
}

func TestParseRefuses(t *testing.T) {
	type inner struct{ A, B int }
	type row struct {
		Numbers []uint16
		Pair    [2]float32
		Inners  []inner
		Bytes   [][]byte
		Maybe   []batch.Optional[bool]
	}
	codec, err := batch.CodecOf[row]()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`0 `:                        "it is no JSON text",
		`0 [1`:                      "it is no JSON text",
		`0 [1] 2`:                   "there is more behind",
		`0 [1]]]`:                   "there is more behind",
		`0 [1] ]] junk`:             "there is more behind",
		`0 [1]}`:                    "there is more behind",
		`0 [65536]`:                 "element 0: 65536 is no uint16",
		`0 [1, -1]`:                 "element 1: -1 is no uint16",
		`0 [1.5]`:                   "element 0: 1.5 is no uint16",
		`0 ["1"]`:                   `element 0: "1" is no uint16`,
		`0 [null]`:                  "element 0: null is no uint16",
		`0 {"a": 1}`:                `{"a":1} is no array`,
		`1 null`:                    "null is no array",
		`1 [1]`:                     "an array has 1 elements, its type has 2",
		`1 [1e39, 0]`:               "element 0: 1e39 is no float32",
		`2 [{"A": 1}]`:              `element 0: an object lacks the member "B"`,
		`2 [{"A": 1, "B": true}]`:   `element 0: member "B": true is no int64`,
		`2 [{"A": 1, "B":2,"C":3}]`: `element 0: an object has the member "C"`,
		`2 [[1, 2]]`:                "element 0: [1,2] is no object",
		`3 ["a"]`:                   `element 0: "a" is no base64`,
		`4 [0]`:                     "element 0: 0 is no bool",
	} {
		column, text, _ := strings.Cut(text, " ")
		p := NewParser(codec.Schema().Field(int(column[0] - '0')))
		if err := p.Append([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`[{"A": [1, 2]}, null]`)
	f.Fuzz(func(t *testing.T, text string) {
		codec, err := batch.CodecOf[optionals]()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range codec.Schema().Fields() {
			p := NewParser(f)
			if p.Append([]byte(text)) == nil {
				p.Take().Release()
			}
		}
	})
}
