// Package report shows what was measured beside its targets.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is what one contestant reached in one benchmark. A zero number means that the row doesn't have it.
type Row struct {
	Benchmark  string             `json:"benchmark"`
	Contestant string             `json:"contestant"`
	Seconds    float64            `json:"seconds,omitempty"`       // median
	Rate       float64            `json:"mb_per_s,omitempty"`      // of input, 1 MB is 10^6 bytes
	CoreRate   float64            `json:"mb_per_s_core,omitempty"` // the same by the CPU's seconds, user and system
	PeakMB     float64            `json:"peak_mb,omitempty"`
	Speed      map[string]float64 `json:"speed,omitempty"` // by contestant: how many times as fast as that one
	Bytes      float64            `json:"bytes,omitempty"` // of a benchmark that measures memory
	Targets    []Target           `json:"targets,omitempty"`
	Notes      []string           `json:"notes,omitempty"` // what else there is to say, such as a ratio without a target
}

// Target is what a row should reach.
type Target struct {
	What string `json:"what"` // what is wanted, such as "peak <= 600 MB"
	Met  bool   `json:"met"`
}

// AtMost is the target that a value is no more than a bound.
func AtMost(what string, value, bound float64, unit string) Target {
	return Target{What: strings.TrimSpace(fmt.Sprintf("%s <= %g %s", what, bound, unit)), Met: value <= bound}
}

// AtLeast is the target that a value is no less than a bound.
func AtLeast(what string, value, bound float64, unit string) Target {
	return Target{What: strings.TrimSpace(fmt.Sprintf("%s >= %g %s", what, bound, unit)), Met: value >= bound}
}

// WriteJSON writes the rows as one JSON array.
func WriteJSON(w io.Writer, rows []Row) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rows)
}

// WriteText writes the rows as an aligned table; peers are the contestants that the others are compared with, a column
// each.
func WriteText(w io.Writer, rows []Row, peers ...string) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	header := []string{"BENCHMARK", "CONTESTANT", "MEDIAN", "MB/S", "MB/S/CORE", "PEAK MB"}
	for _, peer := range peers {
		header = append(header, "VS "+strings.ToUpper(peer))
	}
	line(table, append(header, "TARGET", "")...)
	for _, r := range rows {
		cells := []string{r.Benchmark, r.Contestant, measure(r), number("%.1f", r.Rate), number("%.1f", r.CoreRate), number("%.0f", r.PeakMB)}
		for _, peer := range peers {
			cells = append(cells, number("%.2f", r.Speed[peer]))
		}
		remarks := r.remarks()
		if len(remarks) == 0 {
			remarks = [][2]string{{}}
		}
		blank := make([]string, len(cells))
		for _, remark := range remarks {
			line(table, append(cells, remark[:]...)...)
			cells = blank
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// remarks are the targets, each with what became of it, and the notes.
func (r *Row) remarks() (remarks [][2]string) {
	for _, t := range r.Targets {
		remarks = append(remarks, [2]string{t.What, met(t.Met)})
	}
	for _, note := range r.Notes {
		remarks = append(remarks, [2]string{note})
	}
	return remarks
}

// line writes to a tabwriter, which keeps an error for its Flush.
func line(table *tabwriter.Writer, cells ...string) {
	fmt.Fprintln(table, strings.Join(cells, "\t"))
}

func measure(r Row) string {
	if r.Bytes != 0 {
		return number("%.0f B", r.Bytes)
	}
	d := time.Duration(r.Seconds * float64(time.Second))
	switch {
	case d >= time.Second:
		return number("%.2f s", r.Seconds)
	case d >= time.Millisecond:
		return number("%.1f ms", r.Seconds*1e3)
	default:
		return number("%.1f ns", r.Seconds*1e9)
	}
}

func number(format string, f float64) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf(format, f)
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "NOT MET"
}
