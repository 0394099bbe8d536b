package storage

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"fletch/engine/plan"
)

// An output of a cluster's job is shared by several processes, on one machine or on several with the same file system
// under the same name: a master stages it, executors join it and create parts, and the master that leads in the end, or
// several in turn, adopts it and publishes or aborts.

// Stage begins an output of a cluster's job, which must not exist yet, and reserves it against other jobs: the error says
// which one has it. It may be called again for the same job.
func Stage(jobID string, loc plan.Location) error {
	return stage(jobID, loc, systemDisk)
}

func stage(jobID string, loc plan.Location, d disk) error {
	o, r, err := sharedOutput(jobID, loc, d)
	if err != nil {
		return err
	}
	synced := existingAbove(filepath.Dir(o.path))
	if err := prepare(o.path); err != nil {
		return err
	}
	if err := r.make(o.path); err != nil {
		return fmt.Errorf("output %s: %w", o.path, err)
	}
	if err := syncUp(r.outer, synced, d); err != nil {
		return fmt.Errorf("output %s: %w", o.path, err)
	}
	syncUp(filepath.Dir(synced), "", d) //nolint:errcheck // old directories, unless an earlier call died before it could sync them
	return nil
}

// JoinOutput returns an output that a master has staged, for an executor to create parts. They are durable, with their
// names, once committed. Publish is an error there, and Abort does nothing.
func JoinOutput(jobID string, loc plan.Location) (Output, error) {
	return joinOutput(jobID, loc, systemDisk)
}

func joinOutput(jobID string, loc plan.Location, d disk) (*joined, error) {
	o, r, err := sharedOutput(jobID, loc, d)
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("output %s: %w", o.path, err)
	}
	o.disk.create = func(path string) (partFile, error) {
		file, err := d.create(path)
		if err != nil {
			return nil, err
		}
		return &durableFile{partFile: file, disk: d}, nil
	}
	return &joined{dirOutput: o, reservation: r}, nil
}

// AdoptOutput returns an output that a master has staged, this one or another, to be published or aborted. Both may be
// done again, by any master, whatever became of the one that began. Masters that publish the same parts at the same time
// don't disturb each other.
func AdoptOutput(jobID string, loc plan.Location) (Output, error) {
	return adoptOutput(jobID, loc, systemDisk)
}

func adoptOutput(jobID string, loc plan.Location, d disk) (*adopted, error) {
	o, r, err := sharedOutput(jobID, loc, d)
	if err != nil {
		return nil, err
	}
	return &adopted{dirOutput: o, reservation: r}, nil
}

func sharedOutput(jobID string, loc plan.Location, d disk) (*dirOutput, *reservation, error) {
	if err := checkOutput(jobID, loc); err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(loc.Path, memScheme) {
		return nil, nil, permanentf("output %s: only a job in one process can keep its output in memory: give a path", loc.Path)
	}
	path, err := localPath(loc.Path)
	if err != nil {
		return nil, nil, err
	}
	if !filepath.IsAbs(path) {
		return nil, nil, permanentf("output %s: a cluster needs an absolute path", path)
	}
	r := reservationOf(path, jobID, d)
	return &dirOutput{
		jobID: jobID, path: path, suffix: loc.Suffix, synced: filepath.Dir(path), staging: r.dir(), owner: r, disk: d,
	}, r, nil
}

// joined is a shared output as an executor has it.
type joined struct {
	*dirOutput
	reservation *reservation
}

func (o *joined) Create(attempt string, partition int) (*PartWriter, error) {
	w, err := o.dirOutput.Create(attempt, partition)
	if isMissing(err) {
		return nil, fmt.Errorf("output %s: begin a part: %w", o.path, cmp.Or(o.reservation.check(), err))
	}
	return w, err
}

func (o *joined) Publish([]plan.Part) error {
	return permanentf("output %s: a master publishes it, not an executor", o.path)
}

func (*joined) Abort() error { return nil }

// adopted is a shared output as a master has it.
type adopted struct {
	*dirOutput
	reservation *reservation
}

func (o *adopted) Publish(parts []plan.Part) error {
	err := o.dirOutput.Publish(parts)
	if isMissing(err) {
		if missing := o.reservation.check(); missing != nil {
			return fmt.Errorf("publish output %s: %w", o.path, missing)
		}
	}
	return err
}

// durableFile is a part whose name has to outlive the machine, as the commit of its attempt does.
type durableFile struct {
	partFile
	disk disk
}

func (f *durableFile) Sync() error {
	if err := f.partFile.Sync(); err != nil {
		return err
	}
	return f.disk.syncDir(filepath.Dir(f.Name()))
}
