package csvio

import (
	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/plan"
	"fletch/format/internal/input"
)

// maxLineLimit keeps the offsets in a text, of which a span has 31 bits, from overflowing.
const maxLineLimit = 1 << 30

// reader yields the records of a split, a batch for each block.
type reader struct {
	blocks  *blocks
	records *records

	last block       // that the last batch is of
	hold *input.Hold // what that takes
	err  error       // that Next ended with
}

// newReader returns the reader of some files, whose records have a schema of that layout. It completes how they are read.
func newReader(files []plan.FileRange, schema *arrow.Schema, l *layout, how reading) *reader {
	how.cells, how.chunk, how.lookBack = l.cells, chunkBytes, lookBackBytes
	how.maxLine = min(how.maxLine, maxLineLimit)
	return &reader{blocks: newBlocks(files, &how), records: newRecords(schema, l), hold: input.NewHold(how.memory)}
}

// Next returns the records of one block.
func (r *reader) Next() (arrow.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	rec, err := r.next()
	r.err = err
	return rec, err
}

func (r *reader) next() (arrow.Record, error) {
	for {
		r.hold.Release()
		b, err := r.blocks.next()
		if err != nil {
			return nil, err
		}
		r.last = b
		// Its columns take about as much as the text.
		where := input.Position(b.from.in.Path, b.start)
		if err := r.hold.Await(r.hold.Grow(b.end), where+": to decode the record"); err != nil {
			return nil, err
		}
		rec, wrong := r.records.batch(b.text, r.blocks.scanner)
		if wrong == nil {
			wrong = b.wrong
		}
		switch {
		case wrong != nil && b.guess:
			if err := r.blocks.skip(b); err != nil {
				return nil, err
			}
		case wrong != nil:
			return nil, r.tell(b, wrong)
		case rec.NumRows() > 0:
			return rec, nil
		}
		if rec != nil {
			rec.Release()
		}
	}
}

// BytesRead returns the size of the records so far, their ends included.
func (r *reader) BytesRead() int64 { return r.blocks.bytes }

// Position returns file and offset of a record of the last batch; in a compressed file, the offset is of the text.
func (r *reader) Position(row int) string {
	return input.Position(r.last.in.Path, r.last.start+int64(r.blocks.scanner.starts[row]))
}

// Close waits for the read that is going on.
func (r *reader) Close() error {
	r.hold.Release()
	return r.blocks.close()
}
