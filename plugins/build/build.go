// Package build builds a job's package as a plugin.
package build

import (
	"context"
	"io"
)

// Build builds the package as a plugin that this program can open, into the file out. What takes time is told to log.
func Build(ctx context.Context, pkg, out string, log io.Writer) error { return nil }
