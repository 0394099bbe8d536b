package textio

import (
	"io"

	"fletch/engine"
	"fletch/engine/plan"
	"fletch/format/internal/input"
)

// Read returns the lines of the files that the patterns name: each is a path, a directory (all files below it) or a glob
// in which ** stands for any directories. Lines come in the order of the files' names. A line longer than --max-line
// fails the job.
func Read(job *engine.Job, patterns ...string) engine.Dataset[string] {
	return source[string](job, "textio.Read", patterns, func(r *reader) engine.Reader { return r })
}

// ReadLines is Read with the file of each line and its place there.
func ReadLines(job *engine.Job, patterns ...string) engine.Dataset[Line] {
	return source[Line](job, "textio.ReadLines", patterns, func(r *reader) engine.Reader { return &placedReader{reader: r} })
}

// source adds a source of lines; as makes records of type T of them.
func source[T any](job *engine.Job, op string, patterns []string, as func(*reader) engine.Reader) engine.Dataset[T] {
	if len(patterns) == 0 {
		patterns = []string{""} // which the engine refuses; a source of no files at all reads nothing
	}
	return engine.From(job, engine.Source[T]{
		Op:    op,
		Input: plan.Input{Patterns: patterns},
		Open: func(t *engine.Task, split plan.Split) (engine.Reader, error) {
			return as(newReader(t.Context(), split.Files, t.MaxLine(), t, input.Beside[block](t.Coroutine()))), nil
		},
	})
}

// Write makes dir a directory of text files, part-00000.txt and so on, with a line for each record. A record that holds
// a newline fails the job, as it would be read back as two.
func Write(in engine.Dataset[string], dir string) {
	engine.To(in, engine.Sink[string]{
		Op:       "textio.Write",
		Location: plan.Location{Path: dir, Suffix: ".txt"},
		Open:     func(_ *engine.Task, w io.Writer) (engine.Writer, error) { return newWriter(w), nil },
	})
}
