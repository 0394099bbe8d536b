package shuffle

import "io"

// piece is a run of frames of one block.
type piece struct {
	attempt   string
	partition int
	path      string // empty for a block in memory
	frames    []located
	last      bool  // the block ends here
	rows      int64 // of the whole block
}

// located is a frame and where it stands: the offset in its file.
type located struct {
	bytes  []byte
	offset int64
}

// walker walks the blocks of a Reader in their order, a piece at a time. One goroutine at a time uses it: the
// coroutine's runner, or an I/O goroutine that works ahead for it.
type walker struct {
	store     *Store
	attempts  []string
	exchange  int
	partition int // of the next block
	hi        int
	attempt   int        // of the next block, an index of attempts
	rest      *fileBlock // of the current block, nil if nothing is left
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
	p := piece{attempt: w.attempts[w.attempt], partition: w.partition, last: true}
	if w.attempt++; w.attempt == len(w.attempts) {
		w.attempt, w.partition = 0, w.partition+1
	}
	out := w.store.output(p.attempt)
	switch {
	case out == nil:
		return piece{}, w.lost(p, errNoOutput)
	case out.memory == nil:
		return w.open(p, out)
	}
	block, err := out.block(w.exchange, p.partition)
	if err != nil {
		return piece{}, w.lost(p, err)
	}
	p.rows = block.rows
	p.frames = make([]located, len(block.frames))
	for i, f := range block.frames {
		p.frames[i].bytes = f
	}
	return p, nil
}

// needsIO says that the following next may block.
func (w *walker) needsIO() bool {
	if w.rest != nil {
		return true
	}
	if w.done() {
		return false
	}
	out := w.store.output(w.attempts[w.attempt])
	return out != nil && out.memory == nil
}

func (w *walker) done() bool { return w.partition >= w.hi || len(w.attempts) == 0 }

// open begins a block in a file and returns its first piece.
func (w *walker) open(p piece, out *output) (piece, error) {
	index, err := out.loadIndex(w.store.files)
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
	w.rest = newFileBlock(out, p.partition, extents)
	return w.read()
}

// read returns the next piece of the current block.
func (w *walker) read() (piece, error) {
	b := w.rest
	p := piece{attempt: b.out.attempt, partition: b.partition, path: b.out.path, rows: b.rows}
	var err error
	if p.frames, err = b.read(w.store.files); err != nil {
		return piece{}, w.lost(p, err)
	}
	if p.last = len(b.extents) == 0; p.last {
		w.rest = nil
	}
	return p, nil
}

func (w *walker) lost(p piece, err error) error { return lost(p.attempt, w.exchange, p.partition, err) }
