package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"fletch/cmd/fletch/flock"
	"fletch/plugins/source"
)

// program is what the child runs: of a package, the program in the cache,
//
//	<user's cache>/fletch/jobs/<hash of the package's directory>/lock
//	<user's cache>/fletch/jobs/<hash of the package's directory>/<name>
//
// whose lock is held from before the build until the program has started, so that what starts is what was built; later
// builds replace the file and leave a running program alone. Of a plugin it is this program, as an executor.
type program struct {
	path string
	name string   // for a person
	args []string // that come before the job's
	lock *os.File
}

// build builds the package. The program's lock is held until release, which the zero program may be asked for as well.
func build(ctx context.Context, name string) (p program, err error) {
	tool, err := source.FindTool()
	if err != nil {
		return p, err
	}
	s, err := source.Find(ctx, tool, name)
	if err != nil {
		return p, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return p, fmt.Errorf("find a directory for built jobs: %w", err)
	}
	hash := sha256.Sum256([]byte(s.Dir))
	dir := filepath.Join(cache, "fletch", "jobs", hex.EncodeToString(hash[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return p, fmt.Errorf("make a directory for the built job: %w", err)
	}
	if p.lock, err = flock.Take(ctx, filepath.Join(dir, "lock")); err != nil {
		return p, err
	}
	p.name = filepath.Base(s.Dir)
	p.path = filepath.Join(dir, p.name)
	if p.path == p.lock.Name() {
		p.path += "-job"
	}
	if _, err := tool.Run(ctx, s.WorkDir, "build", "-o", p.path, s.Pattern); err != nil {
		return p, s.Failed(err)
	}
	return p, nil
}

// executor is this program as the one that runs a plugin: it loads the plugin in a process of its own, as code that is
// loaded can't be unloaded.
func executor(plugin string) program {
	return program{path: "/proc/self/exe", name: "fletch", args: []string{"executor", "run", plugin, "--"}}
}

func (p program) release() error {
	if p.lock == nil {
		return nil
	}
	return p.lock.Close()
}
