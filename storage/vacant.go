package storage

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"fletch/engine/plan"
)

// Vacant returns why an output that a cluster's job wants to write can't be begun: something is there already, or it
// names no place that several processes share.
func Vacant(loc plan.Location) error {
	if strings.HasPrefix(loc.Path, memScheme) {
		return permanentf("output %s: what stays in one process's memory can't be the output of a cluster's job: give a path", loc.Path)
	}
	path, err := localPath(loc.Path)
	if err != nil {
		return err
	}
	return vacant(path)
}

func vacant(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return existsError(path)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("output %s: %w", path, err)
	}
	return nil
}
