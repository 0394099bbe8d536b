package contest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// digest stands for the rows of a result in any order and in any number of parts: their number and the sum of their
// hashes. Equal digests mean equal rows, repeated ones included.
type digest struct {
	rows   int64
	hashes [2]uint64
}

func (d *digest) add(row []string) {
	var b []byte
	for _, field := range row {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	sum := sha256.Sum256(b)
	d.rows++
	d.hashes[0] += binary.LittleEndian.Uint64(sum[:8])
	d.hashes[1] += binary.LittleEndian.Uint64(sum[8:])
}

func digestRows(path string) (d digest, err error) {
	err = eachRow(path, func(row []string) { d.add(row) })
	return d, err
}

// eachRow visits the rows of a CSV file, or of those in a directory, without their headers. A row is valid until visit
// returns; its strings stay valid.
func eachRow(path string, visit func(row []string)) error {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.csv")); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: no CSV files", path)
	}
	for _, file := range files {
		if err := eachRowOfFile(file, visit); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func eachRowOfFile(path string, visit func(row []string)) error {
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
	if !slices.Equal(header, []string{"key", "value"}) {
		return fmt.Errorf("header is %q, not key,value", strings.Join(header, ","))
	}
	for {
		row, err := reader.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		visit(row)
	}
}

// difference returns an error that says how the rows of two results differ. It holds one of them in memory.
func difference(reference, result string) error {
	missing := map[string]int{} // a row's text -> how often it is missing; negative: how often it is too many
	count := func(path string, by int) error {
		return eachRow(path, func(row []string) {
			text := strings.Join(row, ",")
			if missing[text] += by; missing[text] == 0 {
				delete(missing, text)
			}
		})
	}
	if err := errors.Join(count(reference, 1), count(result, -1)); err != nil {
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
	shown := lines[:min(len(lines), 10)]
	return fmt.Errorf("result differs from that of %s in %d rows:\n%s", filepath.Base(reference), len(lines), strings.Join(shown, "\n"))
}
