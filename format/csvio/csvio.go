package csvio

import (
	"io"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/plan"
)

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
