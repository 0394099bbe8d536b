package master

import "time"

// settleTime is how long a new leader waits at most for the workers to report what they run. It bounds how long the jobs stand
// still if a worker has gone together with the leader before.
const settleTime = 2 * time.Second

// settling is the beginning of a term. What runs is not replicated: a task that nobody seems to run may run on a worker
// that has not connected to this leader yet, and would run twice if it were started elsewhere.
type settling struct {
	awaited map[string]bool // the workers that have not connected and are not lost, by id
	until   time.Time
}

func newSettling(now time.Time) settling {
	return settling{awaited: map[string]bool{}, until: now.Add(settleTime)}
}

// over tells whether attempts may be started.
func (s *settling) over(now time.Time) bool { return len(s.awaited) == 0 || !now.Before(s.until) }
