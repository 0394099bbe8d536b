// Package storagetest serves files to tests, from memory.
package storagetest

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"fletch/engine/plan"
	"fletch/storage"
)

func init() { storage.Register("test", &files) }

// files is a storage of byte strings, by names that begin with test://.
var files bucket

type bucket struct {
	content sync.Map
	read    sync.Map // *atomic.Int64: the bytes, by name
}

type file struct {
	*bytes.Reader
	fail error
	read *atomic.Int64
}

func (f file) Size() int64 { return f.Reader.Size() }
func (file) Close() error  { return nil }
func (f file) ReadAt(p []byte, at int64) (int, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	n, err := f.Reader.ReadAt(p, at)
	f.read.Add(int64(n))
	return n, err
}

func (b *bucket) List(_ context.Context, name string) ([]storage.Info, error) {
	f, err := b.Open(context.Background(), name)
	if err != nil {
		return nil, err
	}
	return []storage.Info{{Name: name, Size: f.Size()}}, nil
}

func (b *bucket) Open(_ context.Context, name string) (storage.File, error) {
	content, _ := b.content.Load(name)
	if err, ok := content.(error); ok {
		return file{Reader: bytes.NewReader(make([]byte, 100)), fail: err}, nil
	}
	return file{Reader: bytes.NewReader(content.([]byte)), read: b.counter(name)}, nil
}

func (b *bucket) counter(name string) *atomic.Int64 {
	n, _ := b.read.LoadOrStore(name, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// BytesRead returns how much has been read of a file that Put stored.
func BytesRead(r plan.FileRange) int64 { return files.counter(r.Path).Load() }

// Put stores a file as test://name and returns the range of all of it.
func Put(name string, content []byte) plan.FileRange {
	path := "test://" + name
	files.content.Store(path, content)
	return plan.FileRange{Path: path, Length: int64(len(content)), Size: int64(len(content))}
}

// PutBroken stores a file whose every read fails.
func PutBroken(name string, err error) plan.FileRange {
	path := "test://" + name
	files.content.Store(path, err)
	return plan.FileRange{Path: path, Length: 100, Size: 100}
}

// Zip compresses texts, each for itself, for files whose names end in suffix: .gz or .zst.
func Zip(t testing.TB, suffix string, texts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, text := range texts {
		var w io.WriteCloser = gzip.NewWriter(&out)
		if suffix == ".zst" {
			z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
			if err != nil {
				t.Fatal(err)
			}
			w = z
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// ZipWindow compresses a text so that decompressing it takes a window of so many bytes, for a file whose name ends in .zst.
func ZipWindow(t testing.TB, window int, text []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(text, nil)
}
