package attempt

import (
	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/exec"
	"fletch/shuffle/spill"
)

// spillFile is the attempt's spill file as the operators see it: neither package knows the other.
type spillFile struct{ *spill.File }

// Create implements exec.Spill.
func (f spillFile) Create(schema *arrow.Schema) (exec.SpillWriter, error) {
	w, err := f.File.Create(schema)
	return spillWriter{w}, err
}

type spillWriter struct{ *spill.Writer }

// Close implements exec.SpillWriter.
func (w spillWriter) Close() (exec.Run, error) {
	r, err := w.Writer.Close()
	return spilledRun{r}, err
}

type spilledRun struct{ *spill.Run }

// Open implements exec.Run.
func (r spilledRun) Open() (exec.Source, error) { return r.Run.Open() }
