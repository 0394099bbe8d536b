package api

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestPluginChunks(t *testing.T) {
	for _, size := range []int{0, 1, ChunkBytes - 1, ChunkBytes, ChunkBytes + 1, 3*ChunkBytes + 5} {
		want := bytes.Repeat([]byte("0123456"), size/7+1)[:size]
		var chunks []*PluginChunk
		err := SendPlugin("sum", int64(size), iotest.OneByteReader(bytes.NewReader(want)), func(c *PluginChunk) error {
			chunks = append(chunks, c)
			return nil
		})
		if err != nil || len(chunks) == 0 || chunks[0].GetSha256() != "sum" || chunks[0].GetSize() != int64(size) {
			t.Fatalf("%d bytes: %d chunks, %v", size, len(chunks), err)
		}
		first, rest := chunks[0], chunks[1:]
		got, err := io.ReadAll(PluginReader(first, func() (*PluginChunk, error) {
			if len(rest) == 0 {
				return nil, io.EOF
			}
			c := rest[0]
			rest = rest[1:]
			if c.GetSha256() != "" || len(c.GetData()) > ChunkBytes {
				t.Errorf("%d bytes: a later chunk of %d bytes with sum %q", size, len(c.GetData()), c.GetSha256())
			}
			return c, nil
		}))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d arrived, %v", size, len(got), err)
		}
	}
}

func TestSendPluginEnds(t *testing.T) {
	data := bytes.NewReader(make([]byte, 3*ChunkBytes))
	if err := SendPlugin("sum", 3*ChunkBytes, data, func(*PluginChunk) error { return io.EOF }); err != nil || data.Len() != 2*ChunkBytes {
		t.Errorf("the receiver has ended the stream: %v, %d bytes are left", err, data.Len())
	}
	broken := errors.New("broken")
	if err := SendPlugin("sum", 1, bytes.NewReader([]byte("x")), func(*PluginChunk) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("sending fails: %v", err)
	}
	if err := SendPlugin("sum", 1, iotest.ErrReader(broken), func(*PluginChunk) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("reading fails: %v", err)
	}
}
