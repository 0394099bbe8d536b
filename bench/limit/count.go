// Package limit counts words as fast as a program written by hand for that alone can: it is the limit that Fletch's word
// count is measured against. The input is mapped; each core counts ranges of whole lines in a table of its own, whose
// slots hold short words themselves; the tables are merged by ranges of the hash, a core each, and written as CSV parts.
//
// A word is what strings.Fields says it is. The rows of a part stand in no order.
package limit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// rangeBytes is what a core takes at a time: small enough that all cores end together.
const rangeBytes = 4 << 20

// Count counts the words of the file input on the given number of cores and writes the counts into the new directory
// output, as files part-00000.csv and so on with the columns key and value.
func Count(input, output string, cores int) (err error) {
	if err := os.Mkdir(output, 0o755); err != nil {
		return err
	}
	text, unmap, err := mapFile(input)
	if err != nil {
		return fmt.Errorf("map %s: %w", input, err)
	}
	defer func() { err = errors.Join(err, unmap()) }()
	tables := countRanges(text, cores)
	var group errgroup.Group
	for i := range tables {
		group.Go(func() error {
			part := filepath.Join(output, fmt.Sprintf("part-%05d.csv", i))
			return writePart(part, merge(text, tables, i))
		})
	}
	return group.Wait()
}

// countRanges returns a table for each core; a word may stand in several.
func countRanges(text []byte, cores int) []*table {
	var next atomic.Int64
	tables := make([]*table, cores)
	var group sync.WaitGroup
	for i := range tables {
		group.Go(func() {
			counter := newCounter(text)
			for {
				lo := int(next.Add(rangeBytes)) - rangeBytes
				if lo >= len(text) {
					break
				}
				counter.count(lineStart(text, lo), lineStart(text, lo+rangeBytes))
			}
			tables[i] = counter.table
		})
	}
	group.Wait()
	return tables
}

// lineStart returns where the first line begins that begins at offset at or later.
func lineStart(text []byte, at int) int {
	if at == 0 {
		return 0
	}
	if at > len(text) {
		return len(text)
	}
	n := bytes.IndexByte(text[at-1:], '\n')
	if n < 0 {
		return len(text)
	}
	return at + n
}

// mapFile maps a file for reading. An empty file has nothing to map.
func mapFile(path string) (text []byte, unmap func() error, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() == 0 {
		return nil, func() error { return nil }, nil
	}
	text, err = unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return text, func() error { return unix.Munmap(text) }, nil
}
