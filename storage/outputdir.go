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
// Publish goes through these steps: link the parts into publish/, write the manifest, sync both, rename publish/ to the
// output unless something is there, sync the directory that it stands in, remove the staging directory. Each may find its
// work done: by an earlier call, by a process that has died since, or by one that publishes the same parts right now. So
// nothing that stands in publish/ is ever replaced by something else, and a step that fails while the output is there,
// with the same manifest, has only come too late.
type dirOutput struct {
	jobID   string
	path    string // of the output
	suffix  string
	synced  string                      // the directory above path that existed before; what was made below it needs a sync
	staging string                      // directory
	owner   interface{ remove() error } // of staging
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
	parent, prefix := stagingOf(path)
	synced := existingAbove(parent)
	if err := prepare(path); err != nil {
		return nil, err
	}
	if holder := reservationOf(path, jobID, d).holder(); holder != "" {
		return nil, reservedError(path, holder)
	}
	staging, err := claimStaging(filepath.Join(parent, prefix+jobID))
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", path, err)
	}
	return &dirOutput{
		jobID: jobID, path: path, suffix: loc.Suffix, synced: synced, staging: staging.dir, owner: staging, disk: d,
	}, nil
}

// prepare makes room for the staging directory of an output that must not exist yet.
func prepare(path string) error {
	if err := vacant(path); err != nil {
		return err
	}
	parent, prefix := stagingOf(path)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fmt.Errorf("output %s: make the directory above it: %w", path, err)
	}
	sweepStaging(parent, prefix)
	return nil
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

var stagingForm = regexp.MustCompile(`^\..+\.fletch-[A-Za-z0-9._-]`)

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
	file, err := o.disk.create(filepath.Join(o.staging, name))
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
	if there, err := o.holds(text); err != nil {
		return o.wrap(err)
	} else if !there {
		if err := o.appear(m, parts, text); err != nil && !o.late(text) {
			return err
		}
	}
	if err := syncUp(filepath.Dir(o.path), o.synced, o.disk); err != nil {
		return o.wrap(err)
	}
	o.owner.remove() //nolint:errcheck // the output is complete; what stays is removed by the next one of its name
	return nil
}

// holds reports whether the output is there, made of the same parts for the same job.
func (o *dirOutput) holds(text []byte) (bool, error) {
	found, err := os.ReadFile(filepath.Join(o.path, manifestName))
	if isMissing(err) {
		return false, nil
	}
	return bytes.Equal(found, text), err
}

// late reports that somebody else has published the same parts meanwhile.
func (o *dirOutput) late(text []byte) bool {
	there, err := o.holds(text)
	return there && err == nil
}

// appear gives the output its name, with all that belongs to it.
func (o *dirOutput) appear(m manifest, parts []plan.Part, text []byte) error {
	ready := filepath.Join(o.staging, publishName)
	err := o.assemble(ready, m, parts, text)
	if err == nil {
		err = o.disk.renameNoReplace(ready, o.path)
		if errors.Is(err, os.ErrExist) {
			return appearedError(o.path)
		}
	}
	return o.wrap(err)
}

func (o *dirOutput) wrap(err error) error {
	if err != nil {
		return fmt.Errorf("publish output %s: %w", o.path, err)
	}
	return nil
}

// assemble fills the directory that becomes the output.
func (o *dirOutput) assemble(ready string, m manifest, parts []plan.Part, text []byte) error {
	if err := o.disk.mkdir(ready); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for i, p := range parts {
		if err := o.place(p, filepath.Join(ready, m.Parts[i].Name)); err != nil {
			return err
		}
	}
	if err := o.writeManifest(filepath.Join(ready, manifestName), text); err != nil {
		return err
	}
	return o.disk.syncDir(ready)
}

// writeManifest writes the manifest beside the directory that becomes the output and moves it in, so that it is never
// there in part.
func (o *dirOutput) writeManifest(path string, text []byte) error {
	f, err := o.disk.create(filepath.Join(o.staging, "manifest-"+randomHex()))
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = o.disk.rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, f.Remove())
	}
	return nil
}

// syncUp makes the names in dir durable, and those of the directories above it up to one that has long been there.
func syncUp(dir, synced string, d disk) error {
	for ; ; dir = filepath.Dir(dir) {
		if err := d.syncDir(dir); err != nil {
			return err
		}
		if dir == synced || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (o *dirOutput) Abort() error { return o.owner.remove() }
