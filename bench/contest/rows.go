package contest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Rows is a Judge of tables that have to have the same rows, in any order and in any number of parts. A table is a CSV
// file, or the .csv files of a directory, each with a header.
type Rows struct {
	Header []string
	// Floats are the columns whose values may differ a little from one result to the other, as the order of additions
	// tells in the last digits. A value that is changed in its ninth digit is noticed in a table of millions of rows.
	Floats []string

	first string  // the first result
	want  *digest // of it
}

// Check compares a result with the first one.
func (r *Rows) Check(result string) error {
	got, err := r.digest(result)
	if err != nil {
		return err
	}
	if r.want == nil {
		r.first, r.want = result, got
		return nil
	}
	if differing := r.want.differing(got); len(differing) > 0 {
		return r.difference(result, differing)
	}
	return nil
}

// Len returns the number of rows that the results have.
func (r *Rows) Len() (rows int64) {
	for _, b := range r.want.exact {
		rows += b.size
	}
	return rows
}

func (r *Rows) digest(result string) (*digest, error) {
	split := r.splitter()
	d := newDigest(len(r.Floats))
	err := r.each(result, func(row []string) error {
		exact, floats, err := split.split(row)
		if err == nil {
			d.add(exact, floats)
		}
		return err
	})
	return d, err
}

// each visits the rows of a result. A row is valid until visit returns; its strings stay valid.
func (r *Rows) each(result string, visit func(row []string) error) error {
	parts, err := partsOf(result, ".csv")
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := r.eachOfPart(part, visit); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

func (r *Rows) eachOfPart(path string, visit func(row []string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.ReuseRecord = true
	header, err := reader.Read()
	if err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	if !slices.Equal(header, r.Header) {
		return fmt.Errorf("header is %q, not %q", strings.Join(header, ","), strings.Join(r.Header, ","))
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(row)
		}
		if err != nil {
			return err
		}
	}
}

// maxBuckets is how many buckets are searched for the rows that differ: where all do, a few will tell.
const maxBuckets = 100

// difference returns an error that shows rows of the buckets that differ. It holds these rows in memory.
func (r *Rows) difference(result string, differing []int) error {
	looked := map[int]bool{}
	for _, bucket := range differing[:min(len(differing), maxBuckets)] {
		looked[bucket] = true
	}
	split := r.splitter()
	missing := map[string]int{} // a row's text -> how often it is missing; negative: how often it is too many
	count := func(result string, by int) error {
		return r.each(result, func(row []string) error {
			exact, floats, err := split.split(row)
			if err != nil || !looked[bucketOf(new(multiset).add(exact))] {
				return err
			}
			text := r.text(row, floats)
			if missing[text] += by; missing[text] == 0 {
				delete(missing, text)
			}
			return nil
		})
	}
	if err := errors.Join(count(r.first, 1), count(result, -1)); err != nil {
		return err
	}
	var lines []string
	for text, n := range missing {
		if n > 0 {
			lines = append(lines, fmt.Sprintf("lacks  %s", text))
		} else {
			lines = append(lines, fmt.Sprintf("adds   %s", text))
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
	return fmt.Errorf("has other rows than the first result:\n%s", strings.Join(lines[:min(len(lines), 10)], "\n"))
}

// text shows a row, its floats with as many digits as are compared.
func (r *Rows) text(row []string, floats []float64) string {
	shown := slices.Clone(row)
	for i, name := range r.Floats {
		shown[slices.Index(r.Header, name)] = fmt.Sprintf("%.9g", floats[i])
	}
	return strings.Join(shown, ",")
}

func (r *Rows) splitter() *splitter {
	s := &splitter{isFloat: make([]bool, len(r.Header))}
	for i, name := range r.Header {
		s.isFloat[i] = slices.Contains(r.Floats, name)
	}
	return s
}
