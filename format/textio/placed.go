package textio

import (
	"bytes"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/storage"
)

// Line is a line of text with where it stands.
type Line struct {
	File   string `fletch:"file"`   // the absolute path or the URL
	Offset int64  `fletch:"offset"` // of its first byte; in a compressed file, of the text
	Text   string `fletch:"text"`
}

// lineSchema is that of records of type Line.
var lineSchema = arrow.NewSchema([]arrow.Field{
	{Name: "file", Type: arrow.BinaryTypes.String},
	{Name: "offset", Type: arrow.PrimitiveTypes.Int64},
	{Name: "text", Type: arrow.BinaryTypes.String},
}, nil)

// placedRows is how many lines a batch of a placedReader has at most. It bounds what repeating a file's name takes.
const placedRows = 4096

// placedReader yields what a reader does as records of type Line.
type placedReader struct {
	*reader
	rec         arrow.Record // the reader's last batch; nil before the first
	first, next int          // rows of rec: the batch that Next returned last is first up to but without next

	file  string        // whose name names repeats
	names *array.String // all batches of a file have slices of the same
}

// Next returns some lines of one block.
func (r *placedReader) Next() (arrow.Record, error) {
	if r.rec == nil || r.next == int(r.rec.NumRows()) {
		r.release()
		rec, err := r.reader.Next()
		if err != nil {
			return nil, err
		}
		r.rec, r.next = rec, 0
	}
	r.first, r.next = r.next, min(r.next+placedRows, int(r.rec.NumRows()))
	rows := r.next - r.first
	if err := r.repeat(rows); err != nil {
		return nil, err
	}
	offsets := make([]int64, rows)
	for i, start := range r.starts[r.first:r.next] {
		offsets[i] = r.lastStart + int64(start)
	}
	data := array.NewData(arrow.PrimitiveTypes.Int64, rows, []*memory.Buffer{
		nil, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(offsets)),
	}, nil, 0, 0)
	defer data.Release()
	columns := []arrow.Array{
		array.NewSlice(r.names, 0, int64(rows)), array.NewInt64Data(data), array.NewSlice(r.rec.Column(0), int64(r.first), int64(r.next)),
	}
	rec := array.NewRecord(lineSchema, columns, int64(rows))
	for _, c := range columns {
		c.Release()
	}
	return rec, nil
}

// repeat makes names hold the name of the last block's file at least so many times.
func (r *placedReader) repeat(rows int) error {
	if r.names != nil && r.file == r.lastFile && r.names.Len() >= rows {
		return nil
	}
	name, err := storage.Absolute(r.lastFile)
	if err != nil {
		return err
	}
	offsets := make([]int32, rows+1)
	for i := range offsets {
		offsets[i] = int32(i * len(name))
	}
	data := array.NewData(arrow.BinaryTypes.String, rows, []*memory.Buffer{
		nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(bytes.Repeat([]byte(name), rows)),
	}, nil, 0, 0)
	defer data.Release()
	if r.names != nil {
		r.names.Release()
	}
	r.file, r.names = r.lastFile, array.NewStringData(data)
	return nil
}

// Position returns file and offset of a line of the last batch.
func (r *placedReader) Position(row int) string { return r.reader.Position(r.first + row) }

// Close waits for the read that is going on.
func (r *placedReader) Close() error {
	r.release()
	if r.names != nil {
		r.names.Release()
		r.names = nil
	}
	return r.reader.Close()
}

func (r *placedReader) release() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}
