package storage

import (
	"errors"

	"fletch/engine/plan"
)

var errUnbuilt = errors.New("outputs shared by processes are not built yet")

// Stage makes the staging directory of a cluster's job, which belongs to no process. It may be called again.
func Stage(jobID string, loc plan.Location) error { return errUnbuilt }

// JoinOutput returns an output that was staged, for its parts to be created by any process. It is neither published nor
// aborted there.
func JoinOutput(jobID string, loc plan.Location) (Output, error) { return nil, errUnbuilt }

// AdoptOutput returns an output that was staged, by whichever process, to be published or aborted.
func AdoptOutput(jobID string, loc plan.Location) (Output, error) { return nil, errUnbuilt }
