package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// program is a job's program in the cache:
//
//	<user's cache>/fletch/jobs/<hash of the package's directory>/lock
//	<user's cache>/fletch/jobs/<hash of the package's directory>/<name>
//
// The lock is held from before the build until the program has started, so that what starts is what was built; later
// builds replace the file and leave a running program alone.
type program struct {
	path string
	lock *os.File
}

// build builds the package. The program's lock is held until release, which the zero program may be asked for as well.
func build(ctx context.Context, name string) (p program, err error) {
	goTool, err := findGo()
	if err != nil {
		return p, err
	}
	s, err := find(ctx, goTool, name)
	if err != nil {
		return p, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return p, fmt.Errorf("find a directory for built jobs: %w", err)
	}
	hash := sha256.Sum256([]byte(s.dir))
	dir := filepath.Join(cache, "fletch", "jobs", hex.EncodeToString(hash[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return p, fmt.Errorf("make a directory for the built job: %w", err)
	}
	if p.lock, err = lock(ctx, filepath.Join(dir, "lock")); err != nil {
		return p, err
	}
	p.path = filepath.Join(dir, filepath.Base(s.dir))
	if p.path == p.lock.Name() {
		p.path += "-job"
	}
	if _, err := s.run(ctx, goTool, "build", "-o", p.path, s.pattern); err != nil {
		return p, fmt.Errorf("%s does not compile\n\n%s", name, inTermsOf(name, s, err.Error()))
	}
	return p, nil
}

func (p program) release() error {
	if p.lock == nil {
		return nil
	}
	return p.lock.Close()
}

// errNoGo means that there is no go tool to build with.
var errNoGo = errors.New("the go tool is needed to build a job, and is not in PATH: install Go from https://go.dev/dl")

// findGo finds the go tool, also where Go is installed but not in PATH.
func findGo() (string, error) {
	if path, err := exec.LookPath("go"); err == nil {
		return path, nil
	}
	for _, root := range []string{os.Getenv("GOROOT"), "/usr/local/go"} {
		if path, err := exec.LookPath(filepath.Join(root, "bin", "go")); root != "" && err == nil {
			return path, nil
		}
	}
	return "", errNoGo
}

// lockPoll is how often a lock is tried that another process has; it has it for the length of a build.
const lockPoll = 20 * time.Millisecond

// lock opens and locks a file. The lock ends with this process.
func lock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(lockPoll):
		}
	}
}

var besideGo = regexp.MustCompile(`(?m)^(vet: )?\./`)

// inTermsOf makes the files in the compiler's messages, which are relative to the package, relative to here.
func inTermsOf(name string, s *source, messages string) string {
	if s.workDir == "" {
		return messages
	}
	return besideGo.ReplaceAllString(messages, "${1}"+filepath.Clean(name)+"/")
}
