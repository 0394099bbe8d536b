package report

import "fmt"

// layout shares the columns of a terminal among the cells of a stage's line: name, bar, tasks, rows, bytes, rate, time.
// It depends on what does not change from frame to frame, so that the columns stand still.
type layout struct {
	style            style
	name, bar, tasks int    // columns
	facts            []fact // those that fit, from the left
}

// fact is one of the figures behind the bar.
type fact struct {
	columns int // enough for nearly every value
	text    func(s *Stage, speed string) string
}

// facts are in the order in which a terminal that is too narrow loses them.
var facts = []fact{
	{len("99.9 M rows"), func(s *Stage, _ string) string { return several(quantity(s.Metrics.RowsIn), "row") }},
	{len("99.9 GB"), func(s *Stage, _ string) string {
		if s.Metrics.BytesIn == 0 {
			return ""
		}
		return size(s.Metrics.BytesIn)
	}},
	{len("99.9 MB/s"), func(_ *Stage, speed string) string { return speed }},
	{len("59m59s"), func(s *Stage, _ string) string { return duration(s.Seconds) }},
}

const gap = "  " // between two cells

// The shares of the name and of the bar: at least the first as long as any fact is shown, more as the terminal is wider.
const (
	minNameColumns, goodNameColumns              = 20, 28
	minBarColumns, goodBarColumns, maxBarColumns = 8, 16, 40
)

// layout returns the layout of lines of the given width.
func (st style) layout(width int, stages []Stage) layout {
	l := layout{style: st, bar: minBarColumns, facts: facts}
	full := 0
	for i := range stages {
		full = max(full, columns(st.label(&stages[i])))
		l.tasks = max(l.tasks, len(ofTasks(stages[i].Tasks, stages[i].Tasks)))
	}
	l.name = min(minNameColumns, full)
	room := width - l.name - l.bar - l.tasks - 2*len(gap)
	for _, f := range l.facts {
		room -= len(gap) + f.columns
	}
	for room < 0 && len(l.facts) > 0 {
		room += len(gap) + l.facts[0].columns
		l.facts = l.facts[1:]
	}
	if room < 0 {
		cut := min(l.bar, -room)
		l.bar, l.name = l.bar-cut, max(0, l.name+room+cut)
		return l
	}
	give := func(cell *int, upTo int) {
		n := max(0, min(room, upTo-*cell))
		*cell += n
		room -= n
	}
	give(&l.name, min(goodNameColumns, full))
	give(&l.bar, goodBarColumns)
	give(&l.name, full)
	give(&l.bar, maxBarColumns)
	return l
}

// stage writes the line of one stage.
func (l *layout) stage(to *line, s *Stage, speed string) {
	to.add(plainText, pad(l.style.shorten(l.style.label(s), l.name), l.name, false)+gap)
	color := busy
	if s.ended() {
		color = complete
	}
	full, rest := l.style.bar(s.done(), l.bar)
	to.add(color, full)
	to.add(faint, rest)
	to.add(plainText, gap+pad(ofTasks(s.Completed, s.Tasks), l.tasks, true))
	for _, f := range l.facts {
		to.add(plainText, gap+pad(f.text(s, speed), f.columns, true))
	}
}

// label returns what stands before a stage's bar.
func (st style) label(s *Stage) string { return fmt.Sprintf("%d %s", s.ID, st.text(s.Name)) }
