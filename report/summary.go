package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The summary's stage names are shortened so that its lines fit summaryColumns, but not below minName.
const (
	summaryColumns = 120
	minName        = 24
)

// leastWait is how long the attempts of a stage have to wait for what they spilled before that is worth a word.
const leastWait = 100 * time.Millisecond

// Summary writes what came of a job: a table of its stages, a line about the whole, the user's counters and the outputs.
func Summary(w io.Writer, j Job) {
	fmt.Fprintf(w, "%s\n", clean(strings.TrimSpace(j.Name+"  "+j.ID)))
	if len(j.Stages) > 0 {
		fmt.Fprint(w, "\n")
		writeTable(w, "", stageTable(j.Stages))
	}
	for i := range j.Stages {
		fmt.Fprint(w, skew(&j.Stages[i]))
	}
	fmt.Fprintf(w, "\n%s\n", whole(&j))
	if j.Error != "" {
		fmt.Fprint(w, "\n"+failure(j.Error))
	}
	if len(j.Counters) > 0 {
		fmt.Fprint(w, "\ncounters\n")
		writeTable(w, "  ", counterTable(j.Counters))
	}
	if len(j.Outputs) > 0 {
		fmt.Fprint(w, "\noutputs\n")
		writeTable(w, "  ", outputTable(j.Outputs))
	}
}

// stageColumns are the figures of stages that have started. A figure that says nothing is left out.
var stageColumns = []struct {
	title string
	cell  func(s *Stage) string
}{
	{"TASKS", tasks},
	{"ATTEMPTS", func(s *Stage) string {
		if s.Attempts <= s.Completed+s.Running {
			return ""
		}
		return strconv.Itoa(s.Attempts)
	}},
	{"ROWS IN", func(s *Stage) string { return quantity(s.Metrics.RowsIn) }},
	{"ROWS OUT", func(s *Stage) string { return quantity(s.Metrics.RowsOut) }},
	{"BYTES IN", func(s *Stage) string { return sizeIfAny(s.Metrics.BytesIn) }},
	{"BYTES OUT", func(s *Stage) string { return sizeIfAny(s.Metrics.BytesOut) }},
	{"SHUFFLED", func(s *Stage) string { return sizeIfAny(s.Metrics.ShuffleBytes) }},
	{"PEAK", func(s *Stage) string { return sizeIfAny(s.Metrics.PeakBytes) }},
	{"SPILLED", func(s *Stage) string {
		if s.Metrics.Spills == 0 {
			return ""
		}
		return fmt.Sprintf("%s in %d", size(s.Metrics.SpilledBytes), s.Metrics.Spills)
	}},
	{"WAITED", func(s *Stage) string {
		wait := time.Duration(s.Metrics.SpillWaitNanos)
		if wait < leastWait {
			return ""
		}
		return duration(wait.Seconds())
	}},
	{"TIME", func(s *Stage) string { return duration(s.Seconds) }},
}

func sizeIfAny(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return size(bytes)
}

// stageTable has the names last: they are of any length.
func stageTable(stages []Stage) []*column {
	table := []*column{{title: "STAGE", right: true}}
	for _, c := range stageColumns {
		table = append(table, &column{title: c.title, right: true})
	}
	table = append(table, &column{title: "OPERATORS"})
	for i := range stages {
		s := &stages[i]
		add := func(column int, cell string) { table[column].cells = append(table[column].cells, cell) }
		add(0, strconv.Itoa(s.ID))
		for k, c := range stageColumns {
			cell := ""
			if s.started() {
				cell = c.cell(s)
			}
			add(k+1, cell)
		}
		add(len(table)-1, clean(s.Name))
	}
	names := table[len(table)-1]
	room := summaryColumns
	for _, c := range table[:len(table)-1] {
		if wide := c.width(); wide > 0 {
			room -= wide + 2
		}
	}
	for i, name := range names.cells {
		names.cells[i] = unicodeGlyphs.shorten(name, max(room, minName))
	}
	return table
}

// tasks returns how many tasks a stage has, and how many of them are completed where it isn't all.
func tasks(s *Stage) string {
	if s.ended() {
		return strconv.Itoa(s.Tasks)
	}
	return ofTasks(s.Completed, s.Tasks)
}

// skew returns the lines about a stage that has a partition which is much larger than the others.
func skew(s *Stage) string {
	if s.Skew == nil {
		return ""
	}
	operator, _, _ := strings.Cut(s.Name, " ")
	return fmt.Sprintf("\nstage %d is skewed: partition %d of %s has %s, %.1f times the mean, and one task reads all of it\n"+
		"  more partitions help (--partitions), unless one key has most of it: then divide that key, and combine the parts after\n",
		s.ID, s.Skew.Partition, clean(operator), size(s.Skew.Bytes), float64(s.Skew.Bytes)/float64(max(s.Skew.MeanBytes, 1)))
}

// whole returns the line about the job as a whole.
func whole(j *Job) string {
	var words []string
	switch j.State {
	case Waiting, Running:
		words = append(words, fmt.Sprintf("%s for %s", j.State, duration(j.Seconds)))
	case Succeeded:
		words = append(words, "succeeded in "+duration(j.Seconds))
	default:
		words = append(words, fmt.Sprintf("%s after %s", j.State, duration(j.Seconds)))
	}
	if j.InputBytes > 0 {
		words = append(words, "read "+size(j.InputBytes))
	}
	if s := speed(j.InputBytes, j.Seconds); s != "" {
		words = append(words, s)
		if j.Parallelism > 0 {
			words = append(words, fmt.Sprintf("%s per core on %s", speed(j.InputBytes, j.Seconds*float64(j.Parallelism)), several(strconv.Itoa(j.Parallelism), "core")))
		}
	}
	if j.CPUSeconds > 0 {
		words = append(words, "CPU time "+duration(j.CPUSeconds))
	}
	if j.PeakMemoryBytes > 0 {
		words = append(words, "peak memory "+size(j.PeakMemoryBytes))
	}
	return strings.Join(words, ", ")
}

// failure returns the lines of an error, which may hold a stack trace.
func failure(text string) string {
	var b strings.Builder
	before := "error: "
	for l := range strings.Lines(strings.TrimSpace(text)) {
		l = clean(strings.ReplaceAll(strings.TrimRight(l, " \t\r\n"), "\t", "    "))
		b.WriteString(strings.TrimRight(before+l, " ") + "\n")
		before = "  "
	}
	return b.String()
}

// counterTable shows every digit: the counters are the user's, who may compare them.
func counterTable(counters map[string]int64) []*column {
	names, values := &column{}, &column{right: true}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		names.cells = append(names.cells, clean(name))
		values.cells = append(values.cells, exact(counters[name]))
	}
	return []*column{names, values}
}

func outputTable(outputs []Output) []*column {
	table := []*column{{}, {right: true}, {right: true}, {right: true}}
	for _, o := range outputs {
		cells := []string{clean(o.Path), several(strconv.Itoa(o.Parts), "part"), several(quantity(o.Rows), "row"), size(o.Bytes)}
		for i, cell := range cells {
			table[i].cells = append(table[i].cells, cell)
		}
	}
	return table
}
