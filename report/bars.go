package report

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// redraw is the least time between two frames.
const redraw = 100 * time.Millisecond

// What moves the cursor and erases on a terminal (ECMA-48).
const (
	up        = "\r\x1b[%dA"
	eraseLine = "\x1b[K" // to the right of the cursor
	eraseDown = "\x1b[J" // from the cursor on
)

// bars shows progress on a terminal: a frame of a line for each stage, redrawn in place. Between two writes the cursor
// stands at the beginning of the line below the frame, so that whatever a dying process prints comes out whole. Each
// change goes out as one write, erasing no more than it replaces: that is what keeps the frame from flickering.
type bars struct {
	display Display
	style   style
	meters  map[int]*meter
	job     Job
	drawn   time.Time // zero: nothing yet
	widths  []int     // of the lines of the frame on the screen
}

func newBars(d Display) *bars {
	return &bars{display: d, style: newStyle(d), meters: make(map[int]*meter)}
}

func (b *bars) update(now time.Time, j *Job) []byte {
	for i := range j.Stages {
		s := &j.Stages[i]
		if !s.started() {
			continue
		}
		if b.meters[s.ID] == nil {
			b.meters[s.ID] = &meter{}
		}
		b.meters[s.ID].add(now, s.Metrics.BytesIn)
	}
	if !b.drawn.IsZero() && now.Sub(b.drawn) < redraw {
		return nil
	}
	b.job, b.drawn = *j, now
	b.job.Stages = slices.Clone(j.Stages) // the owner may go on writing to its own
	var out bytes.Buffer
	b.home(&out)
	b.draw(&out)
	return out.Bytes()
}

// log puts the lines in the frame's place and the frame below them.
func (b *bars) log(lines []byte) []byte {
	if b.drawn.IsZero() {
		return lines
	}
	var out bytes.Buffer
	b.home(&out)
	out.WriteString(eraseDown)
	out.Write(lines)
	b.draw(&out)
	return out.Bytes()
}

func (b *bars) done() []byte {
	if b.drawn.IsZero() {
		return nil
	}
	var out bytes.Buffer
	b.home(&out)
	out.WriteString(eraseDown)
	return out.Bytes()
}

// home moves the cursor to the first line of the frame. A terminal that has become narrower since has wrapped the
// frame's lines, as most do.
func (b *bars) home(out *bytes.Buffer) {
	columns, _ := b.display.Size()
	rows := 0
	for _, width := range b.widths {
		rows += max(1, (width+columns-1)/columns)
	}
	if rows > 0 {
		fmt.Fprintf(out, up, rows)
	}
}

// draw writes the frame from the cursor on and erases what is left below it of an older one.
func (b *bars) draw(out *bytes.Buffer) {
	frame := b.frame()
	b.widths = b.widths[:0]
	for _, l := range frame {
		out.WriteString(l.text.String() + eraseLine + "\n")
		b.widths = append(b.widths, l.width)
	}
	out.WriteString(eraseDown)
}

// frame returns the lines to show. It leaves the terminal's last column and last row free: writing there may wrap or scroll.
func (b *bars) frame() []*line {
	columns, rows := b.display.Size()
	columns, rows = max(1, columns-1), max(1, rows-1)
	shown, left := b.visible(rows)
	if len(shown)+left == 0 {
		l := b.style.line(columns)
		l.add(plainText, fmt.Sprintf("%s  %s  %s", b.style.text(b.job.Name), b.job.State, duration(b.job.Seconds)))
		return []*line{l}
	}
	layout := b.style.layout(columns, b.job.Stages)
	frame := make([]*line, 0, len(shown)+1)
	for _, s := range shown {
		l := b.style.line(columns)
		layout.stage(l, s, b.meters[s.ID].speed(s))
		frame = append(frame, l)
	}
	if left > 0 {
		l := b.style.line(columns)
		l.add(faint, fmt.Sprintf("and %d more", left))
		frame = append(frame, l)
	}
	return frame
}

// visible returns the stages that have started, in their order, and how many of them are left out to fit the rows: those
// that have ended go first.
func (b *bars) visible(rows int) (shown []*Stage, left int) {
	for i := range b.job.Stages {
		if s := &b.job.Stages[i]; s.started() {
			shown = append(shown, s)
		}
	}
	if len(shown) <= rows {
		return shown, 0
	}
	left = len(shown) - (rows - 1) // one row tells how many
	drop, kept := left, shown[:0]
	for _, s := range shown {
		if s.ended() && drop > 0 {
			drop--
			continue
		}
		kept = append(kept, s)
	}
	return kept[:len(kept)-drop], left
}
