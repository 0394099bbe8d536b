package api

import (
	"errors"
	"io"
)

// SendPlugin sends a plugin that r yields in chunks. It ends early without an error if the receiver has ended the stream:
// its answer says why.
func SendPlugin(sha256 string, size int64, r io.Reader, send func(*PluginChunk) error) error {
	chunk := &PluginChunk{Sha256: sha256, Size: size}
	for {
		buffer := make([]byte, min(ChunkBytes, max(size, 1))) // a fresh one, as a message may be sent later
		n, err := io.ReadFull(r, buffer)
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return err
		}
		if chunk.Data = buffer[:n]; n > 0 || chunk.Sha256 != "" {
			if err := send(chunk); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		chunk = &PluginChunk{}
	}
}

// PluginReader reads the data of a stream of chunks, from the first one on.
func PluginReader(first *PluginChunk, next func() (*PluginChunk, error)) io.Reader {
	return &pluginReader{rest: first.GetData(), next: next}
}

type pluginReader struct {
	rest []byte
	next func() (*PluginChunk, error)
}

func (r *pluginReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		chunk, err := r.next()
		if err != nil {
			return 0, err
		}
		r.rest = chunk.GetData()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
