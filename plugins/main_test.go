package plugins

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// scratch is the directory of what the tests build.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "fletch-plugins-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(scratch)
		os.Exit(code)
	}))
}

// wordcount is the shared object of an example, as go build makes it, and a way of building that it fits. A test's own way
// would not do: it may be run with the race detector.
var wordcount = sync.OnceValues(func() (sharedObject, error) {
	path := filepath.Join(scratch, "wordcount.so")
	out, err := exec.Command("go", "build", "-buildmode=plugin", "-race=false", "-cover=false", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "fletch/examples/wordcount").CombinedOutput()
	if err != nil {
		return sharedObject{}, fmt.Errorf("build a plugin: %w\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return sharedObject{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return sharedObject{}, err
	}
	return sharedObject{path, text, buildOf(info)}, nil
})

type sharedObject struct {
	path  string
	text  []byte
	build *Build
}

// with returns the whole plugin, with this manifest but for the size and hash of the shared object.
func (o sharedObject) with(t *testing.T, m Manifest) []byte {
	t.Helper()
	sum := sha256.Sum256(o.text)
	m.Size, m.SHA256 = int64(len(o.text)), hex.EncodeToString(sum[:])
	text, err := m.Append(o.text[:len(o.text):len(o.text)])
	if err != nil {
		t.Fatal(err)
	}
	return text
}
