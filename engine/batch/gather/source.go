package gather

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
)

// Source is a raw view of one record at a time. It does not retain the record: the view is valid as long as the record.
type Source struct {
	schema  *arrow.Schema
	columns []view
}

// NewSource returns a Source for records of schema.
func NewSource(schema *arrow.Schema) *Source {
	s := &Source{schema: schema, columns: make([]view, schema.NumFields())}
	for i := range s.columns {
		s.columns[i] = newView(schema.Field(i).Type)
	}
	return s
}

// Reset makes the Source a view of rec.
func (s *Source) Reset(rec arrow.Record) error {
	if rec.Schema() != s.schema && !rec.Schema().Equal(s.schema) {
		return fmt.Errorf("record has schema %v, expected is %v", rec.Schema(), s.schema)
	}
	for i := range s.columns {
		s.columns[i].load(rec.Column(i).Data(), 0, rec.Column(i).Len())
	}
	return nil
}

// Bytes returns how many bytes the values of the record take, with their offsets and bitmaps.
func (s *Source) Bytes() int64 {
	var n int64
	for i := range s.columns {
		n += s.columns[i].bytes
	}
	return n
}

// view is a range of an array's rows without the array: row i of the view is row i of each of its slices.
type view struct {
	width    int     // of a value, for the fixed widths
	size     int     // of a FixedSizeList
	valid    []byte  // bitmap; nil where no row is null
	bit      int     // of row 0, in valid and in a Boolean's values
	values   []byte  // fixed width: of the rows; Boolean: the bitmap; String and Binary: all bytes, which offsets point into
	offsets  []int32 // String, Binary, List: one more than rows
	children []view  // Struct: of the rows; List: from offsets[0]; FixedSizeList: size values for each row
	bytes    int64
}

func newView(dt arrow.DataType) view {
	v := view{width: width(dt)}
	switch dt := dt.(type) {
	case *arrow.ListType:
		v.children = []view{newView(dt.Elem())}
	case *arrow.FixedSizeListType:
		v.size = int(dt.Len())
		v.children = []view{newView(dt.Elem())}
	case *arrow.StructType:
		for _, f := range dt.Fields() {
			v.children = append(v.children, newView(f.Type))
		}
	}
	return v
}

// load makes the view one of n rows of data from row lo on.
func (v *view) load(data arrow.ArrayData, lo, n int) {
	at := data.Offset() + lo
	v.bit = at
	v.bytes = 0
	v.loadValid(data, n)
	switch data.DataType().ID() {
	case arrow.BOOL:
		v.values = raw(data, 1)
		v.bytes += bitutil.BytesForBits(int64(n))
	case arrow.STRING, arrow.BINARY:
		v.loadOffsets(data, at, n)
		v.values = raw(data, 2)
		v.bytes += int64(v.offsets[n] - v.offsets[0])
	case arrow.LIST:
		v.loadOffsets(data, at, n)
		v.loadChild(0, data, int(v.offsets[0]), int(v.offsets[n]-v.offsets[0]))
	case arrow.FIXED_SIZE_LIST:
		v.loadChild(0, data, at*v.size, n*v.size)
	case arrow.STRUCT:
		for i := range v.children {
			v.loadChild(i, data, at, n)
		}
	default:
		v.values = nil
		if n > 0 {
			v.values = raw(data, 1)[at*v.width : (at+n)*v.width]
		}
		v.bytes += int64(len(v.values))
	}
}

func (v *view) loadValid(data arrow.ArrayData, n int) {
	v.valid = nil
	if data.NullN() == 0 || n == 0 {
		return
	}
	if bitmap := raw(data, 0); len(bitmap) > 0 && bitutil.CountSetBits(bitmap, v.bit, n) < n {
		v.valid = bitmap
		v.bytes += bitutil.BytesForBits(int64(n))
	}
}

// noOffsets are those of an array without rows, which needs no buffer.
var noOffsets = []int32{0}

func (v *view) loadOffsets(data arrow.ArrayData, at, n int) {
	v.offsets = noOffsets
	if n > 0 {
		v.offsets = arrow.Int32Traits.CastFromBytes(raw(data, 1))[at : at+n+1]
	}
	v.bytes += int64(4 * n)
}

func (v *view) loadChild(i int, data arrow.ArrayData, lo, n int) {
	v.children[i].load(data.Children()[i], lo, n)
	v.bytes += v.children[i].bytes
}

// raw returns the bytes of a buffer that may be absent.
func raw(data arrow.ArrayData, buffer int) []byte {
	if b := data.Buffers()[buffer]; b != nil {
		return b.Bytes()
	}
	return nil
}
