package storage

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// ownerEnv names the variable that turns the test binary into a process which owns a temporary directory and an output
// below the variable's value.
const ownerEnv = "FLETCH_TEST_OWNER"

func ownUntilKilled(parent string) {
	dir, _, err := TempDir(parent)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "data"), []byte("data"), 0o666)
	}
	runtime.GC() // what nobody can reach any more is closed by now
	runtime.GC()
	fmt.Println(dir, err)
	select {}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestTempDirOutlivesNoProcess(t *testing.T) {
	parent := t.TempDir()
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), ownerEnv+"="+parent)
	out, err := owner.StdoutPipe()
	must(t, err)
	must(t, owner.Start())
	var theirs, problem string
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if _, err := fmt.Sscan(line, &theirs, &problem); err != nil || problem != "<nil>" {
		t.Fatalf("the owner said %q", line)
	}

	mine, release, err := TempDir(parent)
	must(t, err)
	if !exists(filepath.Join(theirs, "data")) {
		t.Fatal("the directory of a living process was swept")
	}
	must(t, owner.Process.Kill())
	if err := owner.Wait(); err == nil {
		t.Error("the owner ended by itself")
	}
	_, release2, err := TempDir(parent)
	must(t, err)
	if exists(theirs) {
		t.Error("the directory of a dead process was not swept")
	}
	if !exists(mine) {
		t.Error("a directory of this process was swept")
	}
	must(t, release())
	must(t, release())
	must(t, release2())
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTempDirIsPrivate(t *testing.T) {
	dir, release, err := TempDir(filepath.Join(t.TempDir(), "made", "for", "it"))
	must(t, err)
	defer func() { must(t, release()) }()
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
}

// Claims and sweeps at once: no claimed directory may be swept while it is owned.
func TestTempDirRaces(t *testing.T) {
	parent := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 40 {
				dir, release, err := TempDir(parent)
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o666); err != nil {
					t.Error(err)
				}
				sweep(parent, tempName.MatchString)
				if !exists(filepath.Join(dir, "data")) {
					t.Error("swept while it was owned")
				}
				if err := release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The directories that were made for a temporary one go with it, but not what was there before or is in use.
func TestTempDirTakesItsParentsAlong(t *testing.T) {
	parent := t.TempDir()
	_, first, err := TempDir(filepath.Join(parent, "a/b"))
	must(t, err)
	_, second, err := TempDir(filepath.Join(parent, "a/b/c"))
	must(t, err)
	must(t, first())
	if !exists(filepath.Join(parent, "a/b/c")) {
		t.Error("a directory that is in use was removed")
	}
	must(t, second())
	if exists(filepath.Join(parent, "a/b/c")) || !exists(filepath.Join(parent, "a/b")) {
		t.Error("what is left is not what the second one found")
	}
	_, third, err := TempDir(filepath.Join(parent, "x/y"))
	must(t, err)
	must(t, third())
	if exists(filepath.Join(parent, "x")) || !exists(parent) {
		t.Error("what is left is not what the third one found")
	}
	must(t, os.WriteFile(filepath.Join(parent, "file"), nil, 0o666))
	if _, _, err := TempDir(filepath.Join(parent, "file/y")); err == nil {
		t.Error("a directory in a file")
	}
}
