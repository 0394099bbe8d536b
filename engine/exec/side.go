package exec

import (
	"io"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
	"fletch/engine/budget"
)

// Whole returns all records of a side, in the order of its partitions and of the attempts that wrote them. An attempt reads
// a side once, however many partitions it works through; what the records take stays with its share. They must not be
// changed. Whole leaves the rows where the side can't be read, or does not fit into the share.
func Whole[T any](t *Task, side int, codec *batch.Codec[T]) []T {
	if known, ok := t.kept[side]; ok {
		return known.([]T)
	}
	row := t.collected(t.op) // no record is to blame for the side
	all, err := readSide(t, side, codec)
	t.check(t.named(err))
	t.row = row
	t.hold(side, all)
	return all
}

// hold keeps what an operator has made of a side for the next runs of the attempt.
func (t *Task) hold(node int, kept any) {
	if t.kept == nil {
		t.kept = map[int]any{}
	}
	t.kept[node] = kept
}

func readSide[T any](t *Task, side int, codec *batch.Codec[T]) (all []T, err error) {
	src, err := t.Side(side)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := src.Close(); err == nil {
			err = e
		}
	}()
	var records []arrow.Record
	defer func() {
		for _, rec := range records {
			rec.Release()
		}
	}()
	rows := 0
	for {
		rec, err := src.Next()
		if err == io.EOF { //nolint:errorlint // see vectors
			break
		}
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
		rows += int(rec.NumRows())
		if err := t.keep(batch.SizeOf(rec) + rec.NumRows()*int64(unsafe.Sizeof(*new(T)))); err != nil {
			return nil, err
		}
	}
	all = make([]T, rows)
	rest := all
	d := codec.NewDecoder()
	for _, rec := range records {
		if err := d.Reset(rec); err != nil {
			return nil, err
		}
		some := rest[:d.Len()]
		rest = rest[len(some):]
		d.Read(some, 0)
		if err := keepLists(t, some); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// keepLists takes what decoded rows hold beside themselves and their batch.
func keepLists[T any](t *Task, rows []T) error {
	listed := batch.Listed[T]()
	if listed == nil {
		return nil
	}
	bytes := int64(0)
	for i := range rows {
		bytes += listed(&rows[i])
	}
	return t.keep(bytes)
}

// keep takes n bytes until the attempt ends, and waits for them.
func (t *Task) keep(n int64) error {
	t.keptBytes += n
	if t.Share.Take(n) {
		return nil
	}
	if most := t.Share.Most(); t.keptBytes > most {
		return t.blame(&budget.TooLargeError{Bytes: t.keptBytes, Share: most}, nil)
	}
	return t.await(n)
}

// roomFor tells whether n bytes may be kept until the attempt ends by who can do without. The other half of what the share is
// sure of is left to operators that have to wait for memory.
func (t *Task) roomFor(n int64) bool { return n <= t.Share.Sure()/2-t.keptBytes }
