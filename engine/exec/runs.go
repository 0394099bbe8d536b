package exec

import (
	"io"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

const (
	// spillBytes is the size of the batches of a run: small, as a merge holds some of each run.
	spillBytes = 128 << 10
	// cursorBytes is about how much the rows take that a cursor decodes at a time.
	cursorBytes = 16 << 10
)

// runs are the sorted runs that an operator has spilled, in the order in which their records came: of records with equal
// keys, those of an earlier run come first.
type runs[T any] struct {
	task  *Task
	node  int // the operator
	codec *batch.Codec[T]
	key   OrderKey[T]
	// fold adds rec to a record of an equal key that came before it; it is nil where such records stay apart.
	fold func(into, rec *T)

	all    []Run
	out    *encoder[T] // of all that is spilled
	writer SpillWriter // that out writes to
}

// spill writes the records that are added within records, in sorted order, as a run behind the others.
func (r *runs[T]) spill(records func(add func(T))) error {
	run, err := r.write(records)
	if err == nil {
		r.all = append(r.all, run)
	}
	return err
}

func (r *runs[T]) write(records func(add func(T))) (Run, error) {
	if r.out == nil {
		r.out = newEncoder(r.task, r.node, portFunc(func(rec arrow.Record, _ []uint32) error { return r.writer.Write(rec) }), r.codec)
		r.out.inner, r.out.limit = true, spillBytes
	}
	w, err := r.task.Spill.Create(r.codec.Schema())
	if err != nil {
		return nil, err
	}
	r.writer = w
	records(func(rec T) {
		r.task.advance()
		r.out.add(rec)
	})
	if err := r.out.finish(); err != nil {
		return nil, err
	}
	return w.Close()
}

// openFew opens all runs for reading, in their order, for a caller who has given back all the memory that he can do without.
// It waits for the part of it that the share is sure of, and needs that for two runs: where not all can be read at a time,
// some are merged first. Closing a cursor gives back what it took.
func (r *runs[T]) openFew() ([]cursor[T], error) {
	read := r.reading()
	if err := r.task.awaitReading(&read); err != nil {
		return nil, err
	}
	return r.openRead(read)
}

// openRead opens all runs with the memory that was taken for that, merging some of them first where it is not enough.
func (r *runs[T]) openRead(read reading) (open []cursor[T], err error) {
	defer func() {
		if open == nil {
			r.task.Share.Give(read.bytes())
		}
	}()
	if err := r.mergeTo(&read); err != nil {
		return nil, err
	}
	open, err = r.openSome(r.all, read.cost)
	if err != nil {
		return nil, err
	}
	r.task.Share.Give(read.cost * int64(read.runs-len(open)))
	return open, nil
}

// reading is the memory for reading several runs at a time.
type reading struct {
	cost int64 // of one run
	runs int
}

func (r reading) bytes() int64 { return r.cost * int64(r.runs) }

// reading returns what it takes to read all runs at a time.
func (r *runs[T]) reading() reading { return reading{r.cost(), len(r.all)} }

// cost is the memory that reading one run takes, the largest of them.
func (r *runs[T]) cost() (bytes int64) {
	if len(r.all) == 0 {
		return 0
	}
	var rec T
	for _, run := range r.all {
		bytes = max(bytes, run.ReadBytes())
	}
	return bytes + int64(cursorRows[T]())*int64(unsafe.Sizeof(rec))
}

// awaitReading takes the memory for reading several lists of runs at the same time. It lowers their numbers of runs to what
// the share grants, but not below two of each list, for which it waits.
func (t *Task) awaitReading(lists ...*reading) error {
	wanted := make([]int, len(lists))
	least := int64(0)
	for i, l := range lists {
		wanted[i], l.runs = l.runs, min(l.runs, 2)
		least += l.bytes()
	}
	if err := t.await(least); err != nil {
		return err
	}
	for granted := true; granted; {
		granted = false
		for i, l := range lists {
			if l.runs < wanted[i] && t.Share.Take(l.cost) {
				l.runs++
				granted = true
			}
		}
	}
	return nil
}

// mergeTo merges runs until all can be read at a time with the memory that was taken for that.
func (r *runs[T]) mergeTo(read *reading) error {
	for len(r.all) > read.runs {
		if err := r.mergeSome(read.runs); err != nil {
			return err
		}
		r.task.adjust(read, r.cost())
	}
	return nil
}

// adjust takes what is missing where a run that was merged takes more to read than those that it was made of. What the share
// refuses of it makes fewer runs be read at a time, two at the least.
func (t *Task) adjust(read *reading, cost int64) {
	taken := read.bytes()
	read.cost = max(read.cost, cost)
	for read.runs > 2 && read.bytes() > taken {
		if t.Share.Take(read.bytes() - taken) {
			return
		}
		read.runs--
	}
	t.Share.Must(max(read.bytes()-taken, 0))
	t.Share.Give(max(taken-read.bytes(), 0))
}

// mergeSome makes one run of several neighbours, as the order of equal keys is that of their runs. It takes no more of them
// than leaves atATime, and of the places in question the one with the fewest bytes.
func (r *runs[T]) mergeSome(atATime int) error {
	n := min(atATime, len(r.all)-atATime+1)
	first, least := 0, int64(-1)
	for i := range len(r.all) - n + 1 {
		bytes := int64(0)
		for _, run := range r.all[i : i+n] {
			bytes += run.Bytes()
		}
		if least < 0 || bytes < least {
			first, least = i, bytes
		}
	}
	some := r.all[first : first+n]
	open, err := r.openSome(some, 0)
	if err != nil {
		return err
	}
	defer closeAll(open)
	merged, err := r.write(func(add func(T)) {
		r.task.check(mergeFolded(r.task, open, r.fold, func(rec *T, _ []byte) bool { add(*rec); return true }))
	})
	if err != nil {
		return err
	}
	for _, run := range some {
		run.Drop()
	}
	r.all = append(append(r.all[:first:first], merged), r.all[first+n:]...)
	return nil
}

// drop gives up the runs.
func (r *runs[T]) drop() {
	for _, run := range r.all {
		run.Drop()
	}
	r.all = nil
}

// mergeFolded is merge with records of equal keys made one by fold; where that is nil, each is fed by itself.
func mergeFolded[T any](t *Task, open []cursor[T], fold func(into, rec *T), f func(rec *T, key []byte) bool) error {
	if fold == nil {
		return merge(t, open, func(rec *T, key []byte, _ int) bool { return f(rec, key) })
	}
	var folded T
	var of []byte // the key of folded
	begun, more := false, true
	err := merge(t, open, func(rec *T, key []byte, _ int) bool {
		if begun && string(of) == string(key) {
			fold(&folded, rec)
			return true
		}
		if begun {
			more = f(&folded, of)
		}
		begun, folded, of = true, *rec, append(of[:0], key...)
		return more
	})
	if err == nil && begun && more {
		f(&folded, of)
	}
	return err
}

// openSome opens runs; the cursor of each gives back so much of what the caller has taken when it is closed. After an
// error none is open, and nothing has been given back.
func (r *runs[T]) openSome(some []Run, taken int64) ([]cursor[T], error) {
	open := make([]cursor[T], 0, len(some)+1) // one more for what is in memory
	for _, run := range some {
		src, err := openRun(run)
		if err != nil {
			for _, c := range open {
				c.(*runCursor[T]).taken = 0
			}
			closeAll(open)
			return nil, err
		}
		open = append(open, &runCursor[T]{task: r.task, encode: r.key, src: src, taken: taken, decoder: r.codec.NewDecoder()})
	}
	return open, nil
}

// closeAll closes cursors.
func closeAll[T any](open []cursor[T]) {
	for _, c := range open {
		c.close()
	}
}

// runCursor is the cursor over a spilled run. It decodes a few rows at a time.
type runCursor[T any] struct {
	task    *Task
	encode  OrderKey[T]
	src     Source // nil once it is closed
	taken   int64  // from the share
	decoder *batch.Decoder[T]
	batch   arrow.Record // that is decoded
	from    int          // the row of batch behind those in rows
	rows    []T
	at      int    // within rows
	buf     []byte // the key of rows[at]
}

// cursorRows is how many rows a cursor decodes at a time.
func cursorRows[T any]() int {
	var rec T
	return min(vectorRows, max(cursorBytes/max(int(unsafe.Sizeof(rec)), 1), 1))
}

func (c *runCursor[T]) next() (bool, error) {
	if c.at++; c.at >= len(c.rows) {
		if more, err := c.decode(); err != nil || !more {
			return false, err
		}
	}
	c.buf = c.encode(c.buf[:0], &c.rows[c.at])
	return true, nil
}

// decode fills rows with the next ones of the run.
func (c *runCursor[T]) decode() (bool, error) {
	for c.from == c.decoder.Len() {
		if more, err := c.nextBatch(); err != nil || !more {
			return false, err
		}
	}
	if c.rows == nil {
		c.rows = make([]T, cursorRows[T]())
	}
	c.rows = c.rows[:min(cap(c.rows), c.decoder.Len()-c.from)]
	c.decoder.Read(c.rows, c.from)
	c.from += len(c.rows)
	c.at = 0
	return true, nil
}

func (c *runCursor[T]) nextBatch() (bool, error) {
	if c.src == nil {
		return false, nil
	}
	c.release()
	rec, err := c.src.Next()
	if err == io.EOF { //nolint:errorlint // see runSource
		c.close()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c.batch, c.from = rec, 0
	return true, c.decoder.Reset(rec)
}

func (c *runCursor[T]) release() {
	if c.batch != nil {
		c.batch.Release()
		c.batch = nil
	}
}

func (c *runCursor[T]) key() []byte { return c.buf }
func (c *runCursor[T]) record() *T  { return &c.rows[c.at] }

// close does not tell of an error of the source: what was to be read of it has been read, or is not wanted.
func (c *runCursor[T]) close() {
	if c.src == nil {
		return
	}
	c.release()
	c.src.Close() //nolint:errcheck // see above
	c.src = nil
	c.task.Share.Give(c.taken)
}
