package shuffle

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// errNoBlock means that an output has no such exchange or partition.
var errNoBlock = errors.New("the attempt did not write to this exchange and partition")

// output is what an attempt committed: in memory, or in a file.
type output struct {
	attempt string
	held    int64                 // of the Store's budget
	memory  map[int][]memoryBlock // by exchange and partition; nil if the output is a file
	path    string
	index   atomic.Pointer[index] // of the file, once somebody has read it
}

// memoryBlock is a block whose frames are in memory. They are immutable.
type memoryBlock struct {
	frames [][]byte
	rows   int64
}

// block returns a block of an output in memory.
func (o *output) block(exchange, partition int) (memoryBlock, error) {
	if blocks := o.memory[exchange]; partition < len(blocks) {
		return blocks[partition], nil
	}
	return memoryBlock{}, errNoBlock
}

// loadIndex returns the file's index. The first call reads and verifies it; it needs an I/O goroutine.
func (o *output) loadIndex(files files) (*index, error) {
	if x := o.index.Load(); x != nil {
		return x, nil
	}
	f, err := files.open(o.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := readIndex(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.path, err)
	}
	if x.attempt != o.attempt {
		return nil, fmt.Errorf("%s: %w: it is attempt %q's", o.path, errIndex, x.attempt)
	}
	o.index.Store(x)
	return x, nil
}

func readIndex(f readableFile) (*index, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if size < footerBytes {
		return nil, fmt.Errorf("%w: a file of %d bytes", errIndex, size)
	}
	last := make([]byte, footerBytes)
	if err := readFull(f, last, size-footerBytes); err != nil {
		return nil, err
	}
	foot, err := parseFooter(last, size)
	if err != nil {
		return nil, err
	}
	b := make([]byte, foot.length)
	if err := readFull(f, b, foot.offset); err != nil {
		return nil, err
	}
	return parseIndex(b, foot)
}

// readFull fills b from offset on; a file that ends before is io.ErrUnexpectedEOF.
func readFull(f io.ReaderAt, b []byte, offset int64) error {
	n, err := f.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d, got %d: %w", len(b), offset, n, err)
}
