package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"fletch/engine/plan"
)

// dirOutput publishes a directory. Until then everything is in a staging directory beside it, on the same file system:
//
//	.<base>.fletch-<job>/lock              held while the job runs
//	.<base>.fletch-<job>/<attempt>.00003   an attempt's part of partition 3
//	.<base>.fletch-<job>/publish/          becomes the output: the parts' final names, _SUCCESS
//
// Publish goes through these steps, each of which may find its work done by an earlier call:
// link the parts into publish/, write the manifest, sync both, rename publish/ to the output unless something is there,
// sync the directory that it stands in, remove the staging directory.
type dirOutput struct {
	jobID   string
	path    string // of the output
	suffix  string
	synced  string // the directory above path that existed before; what was made below it needs a sync
	staging *owned
	placed  map[string]string // what Publish has linked so far: the part, by its final name
	disk    disk
}

const (
	stagingMark = ".fletch-"
	publishName = "publish"
)

func newDirOutput(jobID string, loc plan.Location, d disk) (*dirOutput, error) {
	path, err := localPath(loc.Path)
	if err != nil {
		return nil, err
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return nil, existsError(path)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("output %s: %w", path, err)
	}
	parent, prefix := stagingOf(path)
	synced := existingAbove(parent)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, fmt.Errorf("output %s: make the directory above it: %w", path, err)
	}
	sweepStaging(parent, prefix)
	o := &dirOutput{jobID: jobID, path: path, suffix: loc.Suffix, synced: synced, placed: map[string]string{}, disk: d}
	if o.staging, err = claimStaging(filepath.Join(parent, prefix+jobID)); err != nil {
		return nil, fmt.Errorf("output %s: %w", path, err)
	}
	return o, nil
}

// stagingOf returns the directory in which the staging directories of an output stand, and what their names begin with.
func stagingOf(path string) (parent, prefix string) {
	return filepath.Dir(path), "." + filepath.Base(path) + stagingMark
}

func sweepStaging(parent, prefix string) {
	sweep(parent, func(name string) bool {
		id, ok := strings.CutPrefix(name, prefix)
		return ok && nameForm.MatchString(id)
	})
}

// SweepOutput removes what dead jobs staged beside the output of that name, and never published.
func SweepOutput(name string) {
	if path, err := localPath(name); err == nil {
		sweepStaging(stagingOf(path))
	}
}

// claimStaging makes a staging directory. It gets its name with its lock already held: a directory of that name and
// without a living owner is always a dead one's.
func claimStaging(dir string) (*owned, error) {
	o, err := claim(func() string { return dir + ".new-" + randomHex() })
	if err != nil {
		return nil, err
	}
	if err := os.Rename(o.dir, dir); err != nil {
		if errors.Is(err, os.ErrExist) {
			err = permanentf("this job is already writing it: staging directory %s is in use", dir)
		}
		return nil, errors.Join(err, o.remove())
	}
	o.dir = dir
	return o, nil
}

var stagingForm = regexp.MustCompile(`^\..+\.fletch-[A-Za-z0-9_-]`)

// isStaging reports whether a directory of that name holds unpublished output.
func isStaging(name string) bool { return stagingForm.MatchString(name) }

// existingAbove returns dir or the closest directory above it that exists.
func existingAbove(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func (o *dirOutput) Create(attempt string, partition int) (*PartWriter, error) {
	if err := checkPartName(attempt, partition); err != nil {
		return nil, err
	}
	name := partName(attempt, partition)
	file, err := o.disk.create(filepath.Join(o.staging.dir, name))
	if err != nil {
		return nil, fmt.Errorf("output %s: begin a part: %w", o.path, err)
	}
	return newPartWriter(file, name, partition), nil
}

func (o *dirOutput) Publish(parts []plan.Part) error {
	if err := checkParts(parts); err != nil {
		return err
	}
	m := newManifest(o.jobID, o.suffix, parts)
	text := m.encode()
	if !o.holds(text) {
		ready := filepath.Join(o.staging.dir, publishName)
		if err := o.assemble(ready, m, parts, text); err != nil {
			return fmt.Errorf("publish output %s: %w", o.path, err)
		}
		err := o.disk.renameNoReplace(ready, o.path)
		if errors.Is(err, os.ErrExist) {
			return appearedError(o.path)
		}
		if err != nil {
			return fmt.Errorf("publish output %s: %w", o.path, err)
		}
	}
	if err := o.syncAbove(); err != nil {
		return fmt.Errorf("publish output %s: %w", o.path, err)
	}
	o.staging.remove() //nolint:errcheck // the output is complete; what stays is swept by the next one of its name
	return nil
}

// holds reports whether the output is there, published by an earlier call with the same parts.
func (o *dirOutput) holds(text []byte) bool {
	found, err := os.ReadFile(filepath.Join(o.path, manifestName))
	return err == nil && bytes.Equal(found, text)
}

// assemble fills the directory that becomes the output.
func (o *dirOutput) assemble(ready string, m manifest, parts []plan.Part, text []byte) error {
	if err := os.Mkdir(ready, 0o777); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for i, p := range parts {
		if err := o.place(p, m.Parts[i].Name); err != nil {
			return err
		}
	}
	if err := o.writeManifest(filepath.Join(ready, manifestName), text); err != nil {
		return err
	}
	return o.disk.syncDir(ready)
}

// place gives a committed part its final name as well.
func (o *dirOutput) place(p plan.Part, final string) error {
	if earlier, ok := o.placed[final]; ok && earlier != p.Name {
		return permanentf("%s is made of part %s already, not of %s", final, earlier, p.Name)
	} else if ok {
		return nil
	}
	from, to := filepath.Join(o.staging.dir, p.Name), filepath.Join(o.staging.dir, publishName, final)
	found, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if found.Size() != p.Bytes {
		return permanentf("part %s has %d bytes, %d were committed", p.Name, found.Size(), p.Bytes)
	}
	err = o.disk.link(from, to)
	if isLinkless(err) {
		err = os.Rename(from, to)
	}
	if err == nil {
		o.placed[final] = p.Name
	}
	return err
}

func (o *dirOutput) writeManifest(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !isMissing(err) {
		return err
	}
	f, err := o.disk.create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncAbove makes the output's name durable, with the directories that were made for it.
func (o *dirOutput) syncAbove() error {
	for dir := filepath.Dir(o.path); ; dir = filepath.Dir(dir) {
		if err := o.disk.syncDir(dir); err != nil {
			return err
		}
		if dir == o.synced || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (o *dirOutput) Abort() error { return o.staging.remove() }
