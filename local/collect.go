package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/batch/frame"
	"fletch/engine/plan"
	"fletch/storage"
)

// Collect computes a dataset in this process, with the default configuration, and returns its records in the order of
// its parts. The sinks of its job are left alone. It serves tests and programs whose results fit into memory.
func Collect[T any](ctx context.Context, in engine.Dataset[T]) ([]T, error) {
	return CollectWith(ctx, in, Config{})
}

// CollectWith is Collect under a configuration.
func CollectWith[T any](ctx context.Context, in engine.Dataset[T], config Config) ([]T, error) {
	codec, err := batch.CodecOf[T]() // an error is the job's as well, with the operator's name
	path := "mem:collect-" + rand.Text()
	job := engine.Only(in, engine.Sink[T]{
		Op: "Collect", Location: plan.Location{Path: path, Suffix: ".frames"},
		Open: func(_ *engine.Task, w io.Writer) (engine.Writer, error) {
			return &frameWriter{w: w, encoder: frame.NewEncoder(codec.Schema())}, nil
		},
	})
	if err := errors.Join(job.Err(), err); err != nil {
		return nil, err
	}
	if _, err := Run(ctx, job, config); err != nil {
		return nil, err
	}
	parts, ok := storage.MemParts(path)
	if !ok {
		return nil, errors.New("collect: the result is gone")
	}
	var out []T
	for _, part := range parts {
		if out, err = appendPart(out, codec, part); err != nil {
			return nil, fmt.Errorf("collect: %w", err)
		}
	}
	return out, nil
}

func appendPart[T any](out []T, codec *batch.Codec[T], part []byte) ([]T, error) {
	r := frame.NewReader(bytes.NewReader(part), codec.Schema())
	d := codec.NewDecoder()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		err = d.Reset(rec)
		if err == nil {
			start := len(out)
			out = append(out, make([]T, d.Len())...)
			d.Read(out[start:], 0)
		}
		rec.Release()
		if err != nil {
			return nil, err
		}
	}
}

// frameWriter writes batches as a stream of frames.
type frameWriter struct {
	w            io.Writer
	encoder      *frame.Encoder
	buf          []byte
	frames, rows int64
}

func (f *frameWriter) Write(rec arrow.Record) (err error) {
	if f.buf, err = f.encoder.Append(f.buf[:0], rec); err != nil {
		return err
	}
	f.frames++
	f.rows += rec.NumRows()
	_, err = f.w.Write(f.buf)
	return err
}

func (f *frameWriter) Close() error {
	_, err := f.w.Write(frame.AppendEnd(nil, f.frames, f.rows))
	return err
}
