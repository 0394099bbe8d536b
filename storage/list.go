package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"
)

// List finds files by a path, a directory or a glob. A name that exists is never taken for a glob. Below a directory,
// and where a glob matches, it
//
//   - takes regular files, those whose names begin with a dot included, and follows symbolic links, except one that
//     leads back to a directory that it stands in;
//   - passes over sockets, pipes and devices, and what this package itself leaves in an output's place: _SUCCESS
//     manifests and staging directories, so that one job's output is the next one's input as it is.
func (local) List(ctx context.Context, pattern string) ([]Info, error) {
	path, err := localPath(pattern)
	if err != nil {
		return nil, err
	}
	w := walk{ctx: ctx}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		if err := w.dir(path, "", nil); err != nil {
			return nil, listError(err)
		}
		if len(w.files) == 0 {
			return nil, permanentf("input directory %s holds no files", pattern)
		}
		return w.files, nil
	case err == nil:
		if !info.Mode().IsRegular() {
			return nil, notRegular(pattern, info.Mode())
		}
		return []Info{{path, info.Size()}}, listError(checkReadable(path))
	case !isMissing(err):
		return nil, listError(err)
	case !isGlob(path):
		return nil, permanentf("input %s does not exist", pattern)
	}
	return w.glob(pattern, path)
}

func (w *walk) glob(pattern, path string) ([]Info, error) {
	if !doublestar.ValidatePattern(path) {
		return nil, permanentf("input %s is not a valid glob: check its brackets and braces", pattern)
	}
	base, rest := doublestar.SplitPattern(path)
	w.setPattern(rest)
	if _, err := os.Stat(base); isMissing(err) {
		return nil, permanentf("input %s: directory %s does not exist", pattern, base)
	}
	if err := w.dir(base, "", nil); err != nil {
		return nil, listError(err)
	}
	if len(w.files) == 0 {
		return nil, permanentf("no file matches the input %s (* stays within a directory, ** does not)", pattern)
	}
	return w.files, nil
}

// walk collects the files of one pattern, in the order of their names within each directory.
type walk struct {
	ctx   context.Context
	files []Info

	pattern string // relative to the directory where the walk began; empty: every file
	// prefixes[d] is what the name of a directory at depth d+1 matches if any file below it can. Deeper than that,
	// only an open pattern goes on: one with ** or with braces around a slash.
	prefixes []string
	open     bool
}

func (w *walk) setPattern(pattern string) {
	w.pattern = pattern
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		if part == "**" || strings.Count(part, "{") != strings.Count(part, "}") {
			w.open = true
			return
		}
		if i < len(parts)-1 {
			w.prefixes = append(w.prefixes, strings.Join(parts[:i+1], "/"))
		}
	}
}

// enters reports whether files below the directory rel can match.
func (w *walk) enters(rel string, depth int) bool {
	if w.pattern == "" || depth > len(w.prefixes) {
		return w.pattern == "" || w.open
	}
	return doublestar.MatchUnvalidated(w.prefixes[depth-1], rel)
}

// dir walks one directory. rel is its name relative to where the walk began; parents are the directories above it.
func (w *walk) dir(path, rel string, parents []fs.FileInfo) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	self, err := os.Stat(path)
	if err != nil {
		return err
	}
	for _, p := range parents {
		if os.SameFile(p, self) {
			return nil
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	parents = append(parents, self)
	for _, e := range entries {
		if err := w.entry(path, rel, e, parents); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(dir, rel string, e fs.DirEntry, parents []fs.FileInfo) error {
	path, rel := filepath.Join(dir, e.Name()), filepath.Join(rel, e.Name())
	mode, isLink := e.Type(), e.Type()&fs.ModeSymlink != 0
	wanted := w.pattern == "" || doublestar.MatchUnvalidated(w.pattern, rel)
	if mode.IsRegular() && !wanted {
		return nil
	}
	var info fs.FileInfo
	if isLink || mode.IsRegular() {
		var err error
		if info, err = os.Stat(path); err != nil {
			if !wanted {
				return nil // a dangling link that a glob does not ask for
			}
			return err
		}
		mode = info.Mode()
	}
	switch {
	case mode.IsDir():
		if isStaging(e.Name()) || !w.enters(rel, len(parents)) {
			return nil
		}
		return w.dir(path, rel, parents)
	case !mode.IsRegular() || !wanted || e.Name() == manifestName:
		return nil
	}
	w.files = append(w.files, Info{path, info.Size()})
	return checkReadable(path)
}

// checkReadable finds out now what would otherwise fail the job half way.
func checkReadable(path string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}

// listError classifies a failure of the file system during a listing.
func listError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return permanentf("input may not be read by this user: grant the permission or name other files: %w", err)
	case isMissing(err):
		return permanentf("input is a symbolic link to nothing, or was removed during the listing: %w", err)
	case errors.Is(err, unix.ELOOP):
		return permanentf("input is a symbolic link that leads to itself: remove it: %w", err)
	}
	return fmt.Errorf("list input: %w", err)
}
