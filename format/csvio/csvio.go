package csvio

import (
	"cmp"
	"io"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/plan"
	"fletch/format/internal/input"
)

// Read returns the records of the CSV files that a pattern names: a path, a directory (all files below it) or a glob in
// which ** stands for any directories. Records come in the order of the files' names. Of each file, only the columns
// that T names are read. A field that is none of its column's type fails the job, and so does a record longer than
// --max-line.
func Read[T any](job *engine.Job, pattern string, options ...Option) engine.Dataset[T] {
	o := newOptions(pattern, options)
	source := engine.Source[T]{Op: "csvio.Read", Input: plan.Input{Patterns: o.patterns}, Err: o.err}
	var l *layout
	codec, err := batch.CodecOf[T]()
	if err == nil { // else From says why T is not supported
		l, err = layoutOf(codec.Schema())
		source.Err = cmp.Or(source.Err, err)
	}
	source.Open = func(t *engine.Task, split plan.Split) (engine.Reader, error) {
		if err != nil {
			return nil, err
		}
		return newReader(split.Files, codec.Schema(), l, reading{
			options: o, ctx: t.Context(), maxLine: t.MaxLine(), sample: t.Sampled(), memory: t,
			start: input.Beside[piece](t.Coroutine()), do: t.Do, alive: t.Alive,
		}), nil
	}
	return engine.From(job, source)
}

// Write makes dir a directory of CSV files, part-00000.csv and so on, each with a header. Two columns of one name are a
// mistake that Job.Err reports.
func Write[T any](in engine.Dataset[T], dir string) {
	sink := engine.Sink[T]{Op: "csvio.Write", Location: plan.Location{Path: dir, Suffix: ".csv"}}
	sink.Open = func(_ *engine.Task, w io.Writer) (engine.Writer, error) {
		codec, err := batch.CodecOf[T]()
		if err != nil {
			return nil, err
		}
		return newWriter(codec.Schema(), w)
	}
	if codec, err := batch.CodecOf[T](); err == nil {
		_, sink.Err = newTable(codec.Schema())
	}
	engine.To(in, sink)
}
