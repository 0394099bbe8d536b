package textio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/internal/input"
)

const (
	chunkBytes = 256 << 10
	// maxLineLimit keeps a batch's offsets, which are int32, from overflowing.
	maxLineLimit = 1 << 30
)

var newline = []byte{'\n'}

// schema is that of records of type string.
var schema = arrow.NewSchema([]arrow.Field{{Name: "value", Type: arrow.BinaryTypes.String}}, nil)

// reader yields the lines of a split, a batch for each block. While the caller works on one, the next is read.
type reader struct {
	ctx     context.Context
	start   input.Start[block]
	chunk   int
	maxLine int
	memory  input.Memory

	files       []plan.FileRange // not yet begun
	file        *lines           // that a read is going on of; nil before the first and after the last
	await, join func() (block, error)
	hold        *input.Hold // what the buffer takes that is read into
	err         error       // that Next ended with
	bytes       int64       // of the lines so far

	// Where the rows of the last batch begin: at lastStart + starts[row] in lastFile.
	lastFile  string
	lastStart int64
	starts    []uint32
	lastHold  *input.Hold // what its buffer takes
}

func newReader(ctx context.Context, files []plan.FileRange, maxLine int, m input.Memory, s input.Start[block]) *reader {
	return &reader{
		ctx: ctx, files: files, start: s, chunk: chunkBytes, maxLine: min(maxLine, maxLineLimit),
		memory: m, lastHold: input.NewHold(m),
	}
}

// Next returns the lines of one block.
func (r *reader) Next() (arrow.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	rec, err := r.next()
	r.err = err
	return rec, err
}

func (r *reader) next() (arrow.Record, error) {
	r.lastHold.Release()
	if r.file == nil {
		r.nextFile()
	}
	for r.file != nil {
		b, err := r.await()
		if err != nil {
			return nil, err
		}
		if b.missing > 0 {
			if err := b.wanting.Await(b.missing, b.purpose); err != nil {
				return nil, err
			}
			r.readAhead(b.rest, b.hold)
			continue
		}
		r.lastHold = b.hold
		path := r.file.in.Path
		if !b.last {
			r.readAhead(b.rest, input.NewHold(r.memory))
		} else if err := r.file.close(); err != nil {
			return nil, err
		} else {
			r.nextFile()
		}
		if len(b.lines) > 0 {
			r.lastFile, r.lastStart = path, b.start
			return r.batch(b.lines)
		}
	}
	return nil, io.EOF
}

// nextFile begins to read the next file, if there is one.
func (r *reader) nextFile() {
	r.file = nil
	if len(r.files) > 0 {
		r.file = &lines{ctx: r.ctx, in: r.files[0], chunk: r.chunk, maxLine: r.maxLine, zip: input.NewHold(r.memory)}
		r.files = r.files[1:]
		r.readAhead(nil, input.NewHold(r.memory))
	}
}

// readAhead begins to read the block that begins with rest, in a buffer that hold takes.
func (r *reader) readAhead(rest []byte, hold *input.Hold) {
	in := r.file
	r.hold = hold
	r.await, r.join = r.start(func() (block, error) { return in.next(rest, hold) })
}

// batch makes the lines in buf an Arrow column without a copy: it squeezes the ends of the lines out in place, and what
// is left is the column's data. User code may keep its strings, so neither buffer is ever used again.
func (r *reader) batch(buf []byte) (arrow.Record, error) {
	rows := bytes.Count(buf, newline)
	if buf[len(buf)-1] != '\n' {
		rows++
	}
	offsets := make([]int32, rows+1)
	r.starts = slices.Grow(r.starts[:0], rows)[:rows]
	from, to := 0, 0
	for row := range rows {
		r.starts[row] = uint32(from)
		line := buf[from:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		from += len(line) + 1
		if n := len(line) - 1; n >= 0 && line[n] == '\r' {
			line = line[:n]
		}
		if len(line) > r.maxLine {
			return nil, tooLong(r.Position(row), r.maxLine)
		}
		to += copy(buf[to:], line)
		offsets[row+1] = int32(to)
	}
	r.bytes += int64(len(buf))
	data := array.NewData(arrow.BinaryTypes.String, rows, []*memory.Buffer{
		nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(buf[:to:to]),
	}, nil, 0, 0)
	defer data.Release()
	column := array.NewStringData(data)
	defer column.Release()
	return array.NewRecord(schema, []arrow.Array{column}, int64(rows)), nil
}

// BytesRead returns the size of the lines so far, their ends included.
func (r *reader) BytesRead() int64 { return r.bytes }

// Position returns file and offset of a line of the last batch; in a compressed file, the offset is of the text.
func (r *reader) Position(row int) string {
	return input.Position(r.lastFile, r.lastStart+int64(r.starts[row]))
}

// Close waits for the read that is going on.
func (r *reader) Close() error {
	r.lastHold.Release()
	if r.file == nil {
		return nil
	}
	r.join() //nolint:errcheck // who closes does not want what comes next, nor why it does not come
	r.hold.Release()
	in := r.file
	r.file, r.files = nil, nil
	return in.close()
}

// tooLong says that the line which begins at a position is.
func tooLong(position string, maxLine int) error {
	return fault.As(fault.User, fmt.Errorf("%s: the line is longer than %d bytes: raise --max-line if it is right", position, maxLine))
}
