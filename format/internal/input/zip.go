package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/storage"
)

// maxWindowBytes bounds the memory that one compressed file may demand: a file names the window that decompressing it
// takes. Up to zstd -21 is within it, zstd -22 and --long=27 are not.
const maxWindowBytes = 64 << 20

// zipBufferBytes is read at once of a compressed file.
const zipBufferBytes = 128 << 10

// zipReader decompresses a file as it is read. Members or frames that follow each other are one text.
type zipReader struct {
	open   func(io.Reader) (io.Reader, func(), error)
	window func(beginning []byte) int // what decompressing keeps in memory

	file    countingReader
	buf     *bufio.Reader // of file
	plain   io.Reader     // nil before the first read
	release func()
}

// newZipReader returns nil if the file's name does not say that it is compressed.
func newZipReader(f storage.File, in plan.FileRange) *zipReader {
	z := &zipReader{file: countingReader{r: io.NewSectionReader(f, 0, in.Size)}}
	switch path.Ext(in.Path) {
	case ".gz":
		z.open, z.window = openGzip, func([]byte) int { return 0 }
	case ".zst":
		z.open, z.window = openZstd, zstdWindow
	default:
		return nil
	}
	z.buf = bufio.NewReaderSize(&z.file, zipBufferBytes)
	return z
}

// zstdWindow returns the window that a file's first frame names; those behind it are mostly like it. What is no frame is
// left to who decompresses it.
func zstdWindow(beginning []byte) int {
	var h zstd.Header
	if h.Decode(beginning) != nil || h.Skippable {
		return 0
	}
	n := h.WindowSize
	if h.SingleSegment {
		n = h.FrameContentSize
	}
	if n > maxWindowBytes {
		return 0 // it is refused
	}
	return int(n)
}

func openGzip(r io.Reader) (io.Reader, func(), error) {
	z, err := gzip.NewReader(r)
	return z, func() {}, err
}

func openZstd(r io.Reader) (io.Reader, func(), error) {
	z, err := zstd.NewReader(r,
		zstd.WithDecoderConcurrency(1), // no goroutines of its own: the caller's is an I/O goroutine already
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindowBytes))
	if err != nil {
		return nil, nil, err
	}
	return z, z.Close, nil
}

func (z *zipReader) Read(p []byte) (int, error) {
	if z.plain == nil {
		if _, err := z.buf.Peek(1); errors.Is(err, io.EOF) {
			return 0, io.ErrUnexpectedEOF // an empty file is no compressed one: even nothing has a header
		}
		var err error
		if z.plain, z.release, err = z.open(z.buf); errors.Is(err, io.EOF) {
			return 0, io.ErrUnexpectedEOF
		} else if err != nil {
			z.plain = nil
			return 0, err
		}
	}
	return z.plain.Read(p)
}

func (z *zipReader) close() {
	if z.release != nil {
		z.release()
	}
}

// explain says what is wrong with the file around a position of its text.
func (z *zipReader) explain(err error, where string) error {
	where = fmt.Sprintf("%s (before byte %d of the file)", where, z.file.n)
	switch {
	case z.file.err != nil:
		return fmt.Errorf("%s: %w", where, z.file.err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the compressed file is cut short: write it again")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		err = fmt.Errorf("decompressing takes more than %d MiB of memory: compress the file again without --ultra and --long", maxWindowBytes>>20)
	default:
		err = fmt.Errorf("the compressed file is damaged: %w", err)
	}
	return fault.As(fault.User, fmt.Errorf("%s: %w", where, err))
}

// countingReader remembers how far it came and what went wrong below decompression.
type countingReader struct {
	r   io.Reader
	n   int64
	err error // other than io.EOF
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
