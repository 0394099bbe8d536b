package shuffle

import (
	"io"

	"fletch/shuffle/extent"
)

// piece is a run of frames of one block.
type piece struct {
	attempt   string
	partition int
	frames    []extent.Frame // their offsets are those in the file, or in the stream of the query
	last      bool           // the block ends here
	rows      int64          // of the whole block
	file      *File          // where it was read
	from      *stream        // where it was fetched from; nil for file and from: a block in memory
	query     Query          // with which
}

// walker walks the blocks of a Reader in their order, a piece at a time, and reads those of this machine. One goroutine at
// a time uses it: the coroutine's runner, or an I/O goroutine that works ahead for it.
type walker struct {
	store     *Store
	producers []Producer
	exchange  int
	partition int // of the next block
	hi        int
	producer  int        // of the next block, an index of producers
	rest      *fileBlock // of the current block, nil if nothing is left
}

// at returns the producer of the next piece, if there is one.
func (w *walker) at() (Producer, bool) {
	if w.rest != nil || w.done() {
		return Producer{}, false
	}
	return w.producers[w.producer], true
}

// step goes on to the next block.
func (w *walker) step() {
	if w.producer++; w.producer == len(w.producers) {
		w.producer, w.partition = 0, w.partition+1
	}
}

// next returns the next piece, maybe without a frame, and io.EOF after the last. Errors are a LostError or the
// process's own.
func (w *walker) next() (piece, error) {
	if w.rest != nil {
		return w.read()
	}
	if w.done() {
		return piece{}, io.EOF
	}
	p := piece{attempt: w.producers[w.producer].Attempt, partition: w.partition, last: true}
	w.step()
	out := w.store.output(p.attempt)
	switch {
	case out == nil:
		return piece{}, w.lost(p, errNoOutput)
	case out.file != nil:
		return w.open(p, out.file)
	}
	block, err := out.block(w.exchange, p.partition)
	if err != nil {
		return piece{}, w.lost(p, err)
	}
	p.rows = block.rows
	p.frames = make([]extent.Frame, len(block.frames))
	for i, f := range block.frames {
		p.frames[i].Bytes = f
	}
	return p, nil
}

// needsIO says that the following next may block.
func (w *walker) needsIO() bool {
	if w.rest != nil {
		return true
	}
	p, ok := w.at()
	if !ok || p.Worker != "" {
		return false
	}
	out := w.store.output(p.Attempt)
	return out != nil && out.file != nil
}

func (w *walker) done() bool { return w.partition >= w.hi || len(w.producers) == 0 }

// open begins a block in a file and returns its first piece.
func (w *walker) open(p piece, file *File) (piece, error) {
	index, err := file.loadIndex()
	if err != nil {
		return piece{}, w.lost(p, err)
	}
	extents, err := index.partition(w.exchange, p.partition)
	if err != nil {
		return piece{}, w.lost(p, err)
	}
	if len(extents) == 0 {
		return p, nil
	}
	w.rest = newFileBlock(file, p.partition, extents)
	return w.read()
}

// read returns the next piece of the current block.
func (w *walker) read() (piece, error) {
	b := w.rest
	p := piece{attempt: b.file.attempt, partition: b.partition, file: b.file, rows: b.rows}
	var err error
	if p.frames, err = b.read(); err != nil {
		return piece{}, w.lost(p, err)
	}
	if p.last = b.left.Done(); p.last {
		w.rest = nil
	}
	return p, nil
}

func (w *walker) lost(p piece, err error) error {
	return lost([]string{p.attempt}, w.exchange, p.partition, err)
}
