package state

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// AttemptID is the identity of one try at a task. It fences: an attempt of a stage attempt that was replaced, or of a
// task that another one has won, is refused.
type AttemptID struct {
	Job          string `json:"job"`
	Stage        int    `json:"stage"`
	StageAttempt int    `json:"stage_attempt"` // Task.StageAttempt when it was ordered
	Task         int    `json:"task"`          // index within the stage
	Term         uint64 `json:"term"`          // of the master that ordered it
	Number       uint64 `json:"number"`        // unique within the term
}

// String returns the attempt's name, such as wordcount-7f3a_1.0_17_1.42: safe as a file name and unique in a cluster.
func (a AttemptID) String() string {
	return fmt.Sprintf("%s_%d.%d_%d_%d.%d", a.Job, a.Stage, a.StageAttempt, a.Task, a.Term, a.Number)
}

// Compare orders attempts by job, stage, task, stage attempt, term and number.
func (a AttemptID) Compare(b AttemptID) int {
	return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Task, b.Task),
		cmp.Compare(a.StageAttempt, b.StageAttempt), cmp.Compare(a.Term, b.Term), cmp.Compare(a.Number, b.Number))
}

// ParseAttemptID reads what String wrote, and nothing else.
func ParseAttemptID(s string) (AttemptID, error) {
	job, rest, _ := strings.Cut(s, "_")
	words := strings.FieldsFunc(rest, func(r rune) bool { return r == '_' || r == '.' })
	var n [5]uint64
	var err error
	for i := range min(len(words), len(n)) {
		if n[i], err = strconv.ParseUint(words[i], 10, 64); err != nil {
			return AttemptID{}, fmt.Errorf("%q names no attempt: %w", s, err)
		}
	}
	a := AttemptID{Job: job, Stage: int(n[0]), StageAttempt: int(n[1]), Task: int(n[2]), Term: n[3], Number: n[4]}
	if validJobID(job) != nil || a.String() != s {
		return AttemptID{}, fmt.Errorf("%q names no attempt", s)
	}
	return a, nil
}

// maxJobID leaves room for the rest of an attempt's name within the 255 bytes of a file name.
const maxJobID = 100

// validJobID accepts lower-case letters, digits and, but for the first, hyphens: a job's ID stands in names of files, in
// URLs, in logs and on command lines.
func validJobID(id string) error {
	if id == "" || len(id) > maxJobID || id[0] == '-' || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("job ID %.*q: it takes 1 to %d lower-case letters, digits and, after the first, hyphens", maxJobID, id, maxJobID)
	}
	return nil
}
