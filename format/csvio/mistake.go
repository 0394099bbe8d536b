package csvio

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/internal/input"
)

// mistake is a flaw in a file.
type mistake struct {
	in     plan.FileRange
	offset int64  // in the file
	column string // none: it is the record as a whole
	what   string // the beginning of the field or record
	why    string
}

func mistakeIn(b block, wrong *flaw) *mistake {
	m := &mistake{in: b.in, offset: b.start + int64(wrong.from), what: excerpt(b.text[wrong.from:wrong.to]), why: wrong.why}
	if i := wrong.column; i >= 0 && i < len(b.names) && b.names[i] != "" {
		m.column = fmt.Sprintf(", column %d (%.40s)", i+1, b.names[i])
	} else if i >= 0 {
		m.column = fmt.Sprintf(", column %d", i+1)
	} else {
		m.what = "the record " + m.what
	}
	return m
}

// excerpt quotes the beginning of a text.
func excerpt(text []byte) string {
	const most = 40
	if len(text) > most {
		return fmt.Sprintf("%q...", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// tell returns the error of a mistake. It reads the file from its beginning: to count lines, which nobody has done until
// then, and to look for an earlier mistake, which may be the cause of this one.
func (r *reader) tell(m *mistake) error {
	var first *mistake
	var line int64
	err := r.do(func() (err error) {
		if first, err = r.blocks.firstMistake(m); err == nil {
			line, err = lineOf(r.blocks.ctx, first)
		}
		return err
	})
	where := input.Position(m.in.Path, m.offset)
	switch {
	case err == nil:
		m, where = first, fmt.Sprintf("%s line %d", first.in.Path, line)
	case r.blocks.ctx.Err() != nil: // the function may still run
		return err
	}
	return fault.As(fault.User, fmt.Errorf("%s%s: %s %s", where, m.column, m.what, m.why))
}

// firstMistake returns the first mistake in how the file's records are delimited, up to m; or m.
func (b *blocks) firstMistake(m *mistake) (*mistake, error) {
	if m.in.Offset == 0 {
		return m, nil
	}
	before := plan.FileRange{Path: m.in.Path, Length: m.offset, Size: m.in.Size}
	all := newBlocks(b.ctx, []plan.FileRange{before}, nil, b.options, b.maxLine, atOnce)
	for {
		found, err := all.next()
		if err == nil {
			err = b.ctx.Err()
		}
		switch {
		case found.wrong != nil:
			return mistakeIn(found, found.wrong), all.close()
		case err == io.EOF: //nolint:errorlint // one that is wrapped is no end of the file but damage
			return m, all.close()
		case err != nil:
			return nil, errors.Join(err, all.close())
		}
	}
}

// lineOf returns the number of the line that a mistake stands in.
func lineOf(ctx context.Context, m *mistake) (line int64, err error) {
	f, err := input.Open(ctx, m.in)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	line = 1
	buf := make([]byte, chunkBytes)
	for f.Pos() < m.offset {
		n, eof, err := f.Fill(buf[:min(m.offset-f.Pos(), chunkBytes)])
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || eof && f.Pos() < m.offset {
			return 0, cmp.Or(err, io.ErrUnexpectedEOF)
		}
		line += int64(bytes.Count(buf[:n], []byte{'\n'}))
	}
	return line, nil
}
