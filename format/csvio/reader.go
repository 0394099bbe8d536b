package csvio

import (
	"context"

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
	do      func(f func() error) error // runs f, which may block

	last block // that the last batch is of
	err  error // that Next ended with
}

func newReader(ctx context.Context, files []plan.FileRange, schema *arrow.Schema, l *layout, o *options, maxLine int,
	start input.Start[piece], do func(f func() error) error,
) *reader {
	return &reader{
		blocks:  newBlocks(ctx, files, l.cells, o, min(maxLine, maxLineLimit), start),
		records: newRecords(schema, l),
		do:      do,
	}
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
		b, err := r.blocks.next()
		if err != nil {
			return nil, err
		}
		r.last = b
		rec, wrong := r.records.batch(b.text, r.blocks.scanner)
		if wrong == nil {
			wrong = b.wrong
		}
		if wrong != nil {
			return nil, r.tell(b, wrong)
		}
		if rec.NumRows() > 0 {
			return rec, nil
		}
		rec.Release()
	}
}

// BytesRead returns the size of the records so far, their ends included.
func (r *reader) BytesRead() int64 { return r.blocks.bytes }

// Position returns file and offset of a record of the last batch; in a compressed file, the offset is of the text.
func (r *reader) Position(row int) string {
	return input.Position(r.last.in.Path, r.last.start+int64(r.blocks.scanner.starts[row]))
}

// Close waits for the read that is going on.
func (r *reader) Close() error { return r.blocks.close() }
