package csvio

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/internal/input"
)

// tell returns the error of a flaw in a block. It reads the file from its beginning: to count lines, which nobody has done
// until then, and to look for an earlier flaw, which may be the cause of this one. Meanwhile it tells that the task gets on.
func (r *reader) tell(b block, wrong *flaw) error {
	var first string
	err := r.blocks.do(func() error {
		b, wrong, err := r.blocks.firstFlaw(b, wrong)
		if err != nil {
			return err
		}
		line, err := r.blocks.lineAt(b.in, b.start+int64(wrong.from))
		first = describe(b, wrong, fmt.Sprintf("%s line %d", b.in.Path, line))
		return err
	})
	switch {
	case err == nil:
		return fault.As(fault.User, errors.New(first))
	case r.blocks.ctx.Err() != nil:
		return err
	}
	// That the file could not be read once more counts for less.
	return fault.As(fault.User, errors.New(describe(b, wrong, input.Position(b.in.Path, b.start+int64(wrong.from)))))
}

// describe says what is wrong, and where.
func describe(b block, wrong *flaw, where string) string {
	what := excerpt(b.text[wrong.from:wrong.to])
	switch i := wrong.column; {
	case i < 0:
		what = "the record " + what
	case i < len(b.names) && b.names[i] != "":
		where += fmt.Sprintf(", column %d (%.40s)", i+1, b.names[i])
	default:
		where += fmt.Sprintf(", column %d", i+1)
	}
	return fmt.Sprintf("%s: %s %s", where, what, wrong.why)
}

// excerpt quotes the beginning of a text.
func excerpt(text []byte) string {
	const most = 40
	if len(text) > most {
		return fmt.Sprintf("%q...", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// firstFlaw returns the first flaw in how the records of a file are delimited, if one stands before the one in found, or
// else that.
func (b *blocks) firstFlaw(found block, wrong *flaw) (block, *flaw, error) {
	if found.in.Offset == 0 {
		return found, wrong, nil
	}
	before := plan.FileRange{Path: found.in.Path, Length: found.start + int64(wrong.from), Size: found.in.Size}
	how := *b.reading
	how.cells, how.start, how.memory = nil, atOnce, atOnceMemory{b.memory}
	all := newBlocks([]plan.FileRange{before}, &how)
	for {
		earlier, err := all.next()
		if err == nil {
			err = b.ctx.Err()
		}
		switch {
		case earlier.wrong != nil:
			earlier.names = found.names
			return earlier, earlier.wrong, all.close()
		case err == io.EOF: //nolint:errorlint // one that is wrapped is no end of the file but damage
			return found, wrong, all.close()
		case err != nil:
			return block{}, nil, errors.Join(err, all.close())
		}
	}
}

// atOnceMemory grants what is there at once: for reads that are not on the task's coroutine.
type atOnceMemory struct{ input.Memory }

func (m atOnceMemory) Hold(n int64) error {
	if !m.TryHold(n) {
		return errors.New("the memory is not there")
	}
	return nil
}

// lineAt returns the number of the line that an offset stands in.
func (r *reading) lineAt(in plan.FileRange, offset int64) (line int64, err error) {
	f, err := input.Open(r.ctx, in)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	line = 1
	buf := make([]byte, chunkBytes)
	for f.Pos() < offset {
		r.alive()
		n, eof, err := f.Fill(buf[:min(offset-f.Pos(), chunkBytes)])
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil || eof && f.Pos() < offset {
			return 0, cmp.Or(err, io.ErrUnexpectedEOF)
		}
		line += int64(bytes.Count(buf[:n], []byte{'\n'}))
	}
	return line, nil
}
