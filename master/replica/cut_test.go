package replica

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"fletch/master/state"
)

// small cuts the log every few entries.
var small = limits{bytes: 1 << 30, entries: 20, trailing: 5}

func snapshotsOf(t testing.TB, m *master) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(m.dir, snapshotDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// fill applies entries of one command each.
func (c *cluster) fill(name string, n int) {
	c.t.Helper()
	for i := range n {
		c.must(submitOf(fmt.Sprintf("%s-%d", name, i), 1))
	}
}

func jobs(n int) func(*state.Machine) bool {
	return func(m *state.Machine) bool { return len(m.Jobs()) == n }
}

// A follower whose log ends before the leader's begins gets the leader's snapshot, and what came after it.
func TestFollowerCatchesUpBySnapshot(t *testing.T) {
	c := newClusterWith(t, 3, small)
	c.fill("before", 3)
	late := c.followers()[0]
	eventually(t, late.replica, "has the first jobs", jobs(3))
	c.stop(late.ID)
	c.fill("between", 100)
	for len(snapshotsOf(t, c.leader())) < snapshotsKept {
		<-time.After(time.Millisecond)
	}
	c.run(late.ID, Config{})
	eventually(t, c.masters[late.ID].replica, "has all jobs", jobs(103))
	c.fill("after", 3)
	eventually(t, c.masters[late.ID].replica, "has the last jobs", jobs(106))
	if len(snapshotsOf(t, late)) == 0 {
		t.Error("the follower has no snapshot of its own")
	}
	// What it has got it finds on its disk again.
	c.restart(late.ID)
	eventually(t, c.masters[late.ID].replica, "has all jobs after a restart", jobs(106))
}

func TestRestartFromSnapshot(t *testing.T) {
	c := newClusterWith(t, 3, small)
	c.fill("job", 60)
	c.stop("m1", "m2", "m3")
	for _, s := range c.servers {
		if n := len(snapshotsOf(t, c.masters[s.ID])); n == 0 || n > snapshotsKept {
			t.Errorf("%s has %d snapshots", s.ID, n)
		}
		c.run(s.ID, Config{})
	}
	for _, m := range c.masters {
		eventually(t, m.replica, "has all jobs", jobs(60))
	}
	c.fill("again", 1)
}
