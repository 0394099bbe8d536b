// Package fletch carries the sources of its own packages that a job links. A job's plugin shares these packages with the
// program that opens it, and Go does not notice every difference between the two: see package plugins.
package fletch

import (
	"embed"
	"path/filepath"
	"runtime"
)

// Sources holds the Go files of every package that a job can link. Test files are among them, as patterns can't leave
// them out.
//
//go:embed engine/*.go engine/batch/*.go engine/batch/frame/*.go engine/batch/gather/*.go engine/budget/*.go engine/coro/*.go engine/exec/*.go engine/plan/*.go
//go:embed fault/*.go internal/machine/*.go report/*.go shuffle/*.go shuffle/extent/*.go shuffle/spill/*.go storage/*.go worker/attempt/*.go local/*.go master/state/*.go master/schedule/*.go master/view/*.go
//go:embed format/csvio/*.go format/jsonio/*.go format/textio/*.go format/internal/input/*.go format/internal/jsontext/*.go format/internal/rows/*.go
var Sources embed.FS

// Dir returns the directory that the sources were compiled in; none if the build left it out, as -trimpath does.
func Dir() (dir string, ok bool) {
	_, file, _, ok := runtime.Caller(0)
	return filepath.Dir(file), ok && filepath.IsAbs(file)
}
