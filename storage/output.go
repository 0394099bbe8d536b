package storage

import (
	"fmt"
	"regexp"
	"strings"

	"fletch/engine/plan"
)

// Output is one sink of one job. Attempts write parts, each under a name of its own; Publish makes the parts that won
// appear together, or not at all. Its methods may be called by several goroutines at once, Publish and Abort by one,
// after the writers of the parts that count have committed.
type Output interface {
	// Create begins the part of an attempt. No two calls may have the same attempt and partition.
	Create(attempt string, partition int) (*PartWriter, error)
	// Publish makes the output out of committed parts, in the order given; an empty result still has one part. It may
	// be called again after a failure, with the same parts, and goes on where it stopped. It replaces nothing: if
	// something has appeared under the output's name, it fails and leaves both that and the parts alone.
	Publish(parts []plan.Part) error
	// Abort removes what is not published. After Publish it does nothing.
	Abort() error
}

// NewOutput begins an output, which must not exist yet. A path mem:<name> keeps it in the memory of this process, for
// MemParts to hand out.
func NewOutput(jobID string, loc plan.Location) (Output, error) {
	if err := checkOutput(jobID, loc); err != nil {
		return nil, err
	}
	if strings.HasPrefix(loc.Path, memScheme) {
		return newMemOutput(loc)
	}
	return newDirOutput(jobID, loc, systemDisk)
}

// checkOutput validates what an output is begun with.
func checkOutput(jobID string, loc plan.Location) error {
	if !validName(jobID, maxJobID) || strings.HasSuffix(jobID, deadSuffix) {
		return permanentf("job id %q: want up to %d letters, digits, dots, dashes and underlines, no dot first, and no %s at the end",
			jobID, maxJobID, deadSuffix)
	}
	if !suffixForm.MatchString(loc.Suffix) {
		return permanentf("output suffix %q: want a dot, then letters, digits and dots", loc.Suffix)
	}
	if scheme := schemeOf(loc.Path); scheme != "" && scheme != "file" {
		return permanentf("output %s: nothing can write to %q: give a path", loc.Path, scheme+"://")
	}
	return nil
}

// The longest names, in bytes. Together with a file's suffix they stay below the 255 of a file name.
const (
	maxJobID   = 100
	maxAttempt = 150
)

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)
	suffixForm = regexp.MustCompile(`^(\.[A-Za-z0-9]+)*$`)
)

func validName(name string, longest int) bool {
	return len(name) <= longest && nameForm.MatchString(name)
}

// checkPartName validates what Create is given.
func checkPartName(attempt string, partition int) error {
	if !validName(attempt, maxAttempt) {
		return permanentf("attempt %q: want up to %d letters, digits, dots, dashes and underlines, no dot first", attempt, maxAttempt)
	}
	if partition < 0 {
		return permanentf("attempt %s: partition %d is negative", attempt, partition)
	}
	return nil
}

// partName names a part of an attempt until it is published.
func partName(attempt string, partition int) string {
	return fmt.Sprintf("%s.%05d", attempt, partition)
}

// existsError is the answer to an output that is there already.
func existsError(path string) error {
	return permanentf("output directory %s already exists: remove it or choose another", path)
}

// appearedError is the answer to one that was not there when the job began.
func appearedError(path string) error {
	return permanentf("output directory %s appeared while the job ran; it was left as it is: remove it or choose another", path)
}
