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
	var a AttemptID
	parts := strings.Split(s, "_")
	if len(parts) == 4 {
		a.Job = parts[0]
		a.Stage, a.StageAttempt = pair(parts[1])
		a.Task, _ = strconv.Atoi(parts[2])
		term, number := pair(parts[3])
		a.Term, a.Number = uint64(term), uint64(number)
	}
	if validJobID(a.Job) != nil || a.String() != s {
		return AttemptID{}, fmt.Errorf("%q names no attempt", s)
	}
	return a, nil
}

// pair reads "1.2"; what can't be read becomes zeros, which do not print as they were.
func pair(s string) (int, int) {
	first, second, _ := strings.Cut(s, ".")
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(second)
	return a, b
}

// maxJobID leaves room for the rest of an attempt's name within the 255 bytes of a file name.
const maxJobID = 100

// validJobID accepts lower-case letters, digits and hyphens: a job's ID stands in names of files, in URLs and in logs.
func validJobID(id string) error {
	if id == "" || len(id) > maxJobID || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("job ID %.*q: it takes 1 to %d lower-case letters, digits and hyphens", maxJobID, id, maxJobID)
	}
	return nil
}
