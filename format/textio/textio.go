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
	if len(patterns) == 0 {
		patterns = []string{""} // which the engine refuses; a source of no files at all reads nothing
	}
	return engine.From(job, engine.Source[string]{
		Op:    "textio.Read",
		Input: plan.Input{Patterns: patterns},
		Open: func(t *engine.Task, split plan.Split) (engine.Reader, error) {
			return newReader(t.Context(), split.Files, t.MaxLine(), input.Beside[block](t.Coroutine())), nil
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
