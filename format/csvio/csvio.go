package csvio

import (
	"io"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/plan"
)

// Write makes dir a directory of CSV files, part-00000.csv and so on, each with a header.
func Write[T any](in engine.Dataset[T], dir string) {
	engine.To(in, engine.Sink[T]{
		Op:       "csvio.Write",
		Location: plan.Location{Path: dir, Suffix: ".csv"},
		Open: func(_ *engine.Task, w io.Writer) (engine.Writer, error) {
			codec, err := batch.CodecOf[T]()
			if err != nil {
				return nil, err
			}
			return newWriter(codec.Schema(), w)
		},
	})
}
