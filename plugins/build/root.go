package build

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"fletch/plugins"
)

// rootEnv names the variable that holds the directory of Fletch's sources, for a program that does not know it.
const rootEnv = "FLETCH_SDK"

// Root returns the directory of Fletch's sources, of which jobs are built: the one that this program was built in, or
// FLETCH_SDK.
func Root() (string, error) {
	this, err := plugins.ThisBuild()
	if err != nil {
		return "", err
	}
	return root(this, os.Getenv(rootEnv))
}

func root(this *plugins.Build, named string) (dir string, err error) {
	switch {
	case this.Root != "" && named != "" && !same(named, this.Root):
		return "", fmt.Errorf("%s is %s, but this fletch was built in %s, and jobs have to be built of the same directory: unset %s, or build fletch there: "+
			"cd %s && go build ./cmd/fletch", rootEnv, named, this.Root, rootEnv, named)
	case this.Root != "":
		dir = this.Root
	case named == "":
		return "", fmt.Errorf("this fletch does not know the directory of its sources, as it was built with -trimpath: set %s to it", rootEnv)
	default:
		if dir, err = filepath.Abs(named); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("fletch's sources are needed to build a job, and are not in %s: put them there, or build fletch anew where they are", dir)
	}
	if err != nil {
		return "", fmt.Errorf("find fletch's sources: %w", err)
	}
	if !bytes.HasPrefix(text, []byte("module fletch\n")) {
		return "", fmt.Errorf("%s has another module than fletch: set %s to the directory of fletch's sources", dir, rootEnv)
	}
	return dir, nil
}

// same reports whether two names are of one directory.
func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
