package csvio

import (
	"fletch/format/internal/input"
)

// kept is a file of which some bytes were read before their time: they are kept on the task's share of the memory until
// they are read again.
type kept struct {
	*input.File
	memory input.Memory
	chunks [][]byte
	start  int64 // offset of the first one
}

// peek reads up to n bytes and keeps them, behind those that are kept already. It returns none if the memory is not granted.
func (f *kept) peek(n int) ([]byte, error) {
	if !f.memory.TryHold(int64(n)) {
		return nil, nil
	}
	if len(f.chunks) == 0 {
		f.start = f.Pos()
	}
	chunk := input.Unzeroed(n)
	f.chunks = append(f.chunks, chunk)
	_, _, err := f.File.Fill(chunk)
	return chunk, err
}

// Fill is that of the file. What is kept is given up once it has been passed.
func (f *kept) Fill(p []byte) (n int, eof bool, err error) {
	for len(f.chunks) > 0 && f.start+int64(len(f.chunks[0])) <= f.Pos() {
		f.drop()
	}
	at := f.start
	for _, chunk := range f.chunks {
		if from := f.Pos() - at; 0 <= from && from < int64(len(chunk)) && n < len(p) {
			copied := copy(p[n:], chunk[from:])
			f.SkipTo(f.Pos() + int64(copied))
			n += copied
		}
		at += int64(len(chunk))
	}
	if n == len(p) {
		return n, f.Pos() == f.Size(), nil
	}
	more, eof, err := f.File.Fill(p[n:])
	return n + more, eof, err
}

// drop gives the first chunk up.
func (f *kept) drop() {
	n := int64(len(f.chunks[0]))
	f.chunks, f.start = f.chunks[1:], f.start+n
	f.memory.Drop(n)
}

// Close gives up what is kept as well.
func (f *kept) Close() error {
	for len(f.chunks) > 0 {
		f.drop()
	}
	return f.File.Close()
}
