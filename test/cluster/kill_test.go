package cluster

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"fletch/client"
)

// TestKills ends the leader, a worker and an executor without a warning while a job runs, and each time compares the
// output with that of a quiet run. At last it takes the masters away.
func TestKills(t *testing.T) {
	t.Parallel()
	unruly := plugin(t, "unruly")
	c := ownCluster(t)
	dir := t.TempDir()
	c.fletch(t, 0, "submit", "--quiet", "--partitions", "3", unruly, "--output", dir+"/quiet")
	wantDigits(t, dir+"/quiet")

	// disturb has something happen while a job is half done, and returns how often the job's tasks were attempted.
	disturb := func(name string, event func(id string)) (again int) {
		id := c.detach(t, "--partitions", "3", unruly, "--wait", dir+"/free-"+name, "--output", dir+"/"+name)
		eventually(t, "the job is half done", func() bool { return halfDone(c.job(t, id)) })
		event(id)
		must(t, os.WriteFile(dir+"/free-"+name, nil, 0o600))
		c.fletch(t, 0, "job", "wait", "--quiet", id)
		same(t, dir+"/"+name, dir+"/quiet")
		for _, s := range c.job(t, id).Stages {
			again += s.Attempts - s.Tasks
		}
		return again
	}
	if again := disturb("executor", func(string) {
		var all []int
		for _, w := range c.Workers {
			all = append(all, w.executors()...)
		}
		kill(t, all...)
	}); again != 4 {
		t.Errorf("%d attempts were made again after the executors were gone, 4 ran", again)
	}
	if again := disturb("leader", func(id string) {
		kill(t, leader(t, c).PID)
		eventually(t, "both workers have found the next leader", func() bool {
			workers := c.status(t).Workers // of nobody, as long as nobody leads
			return len(workers) == 2 && workers[0].Running > 0 && workers[1].Running > 0
		})
		if s := c.job(t, id).Stages[0]; s.Running != 4 {
			t.Errorf("%d attempts run, 4 did under the leader before", s.Running)
		}
	}); again != 0 {
		t.Errorf("%d attempts were made again after the leader was gone", again)
	}
	c.again(t)
	if again := disturb("worker", func(string) {
		w := busy(t, c)
		executors := w.executors()
		kill(t, w.PID)
		eventually(t, "the executors end with their worker", func() bool {
			return !slices.ContainsFunc(processes(), func(r running) bool { return slices.Contains(executors, r.pid) })
		})
	}); again < 1 || again > 4 {
		t.Errorf("%d completed tasks ran again after a worker was gone that had some of four", again)
	}

	t.Run("masters", func(t *testing.T) { takeMastersAway(t, c, dir) })
}

// takeMastersAway ends a quorum of the masters, then the last one, then the whole cluster in peace. Each time it continues
// with its history of four jobs.
func takeMastersAway(t *testing.T, c *cluster, dir string) {
	before := c.fletch(t, 0, "job", "list", "--json").stdout
	for _, gone := range [][]int{{c.Masters[0].PID, c.Masters[1].PID}, {c.Masters[2].PID}} {
		kill(t, gone...)
		c.complains(t, 3, `lead`, "submit", "--timeout", "1s", plugin(t, "unruly"), "--output", dir+"/none")
		c.complains(t, 3, `lead`, "job", "list", "--timeout", "1s") // by now one that has led knows that it does not
	}
	c.again(t)
	if after := c.fletch(t, 0, "job", "list", "--json").stdout; after != before || strings.Count(after, `"succeeded"`) != 4 {
		t.Errorf("the history was\n%s\nand is\n%s", before, after)
	}
	c.fletch(t, 0, "cluster", "down", "--dir", c.dir)
	c.complains(t, 3, `lead`, "job", "list", "--timeout", "1s")
	c.again(t)
	if after := c.fletch(t, 0, "job", "list", "--json").stdout; after != before {
		t.Errorf("the history was\n%s\nand is\n%s", before, after)
	}
	c.fletch(t, 0, "submit", "--quiet", "--partitions", "3", plugin(t, "unruly"), "--output", dir+"/again")
	same(t, dir+"/again", dir+"/quiet")
}

// again starts what does not run.
func (c *cluster) again(t *testing.T) {
	t.Helper()
	now, err := up(c.dir)
	must(t, err)
	*c = *now
}

// status returns how the cluster does.
func (c *cluster) status(t *testing.T) (s client.Status) {
	t.Helper()
	must(t, json.Unmarshal([]byte(c.fletch(t, 0, "cluster", "status", "--json").stdout), &s))
	return s
}

// leader returns the master that leads.
func leader(t *testing.T, c *cluster) *process {
	t.Helper()
	s := c.status(t)
	i := slices.IndexFunc(s.Masters, func(m client.Master) bool { return m.Leader })
	if i < 0 {
		t.Fatalf("no master leads: %+v", s.Masters)
	}
	return &process{s.Masters[i].ID, s.Masters[i].Address, s.Masters[i].PID}
}

// busy returns a worker that runs something.
func busy(t *testing.T, c *cluster) *process {
	t.Helper()
	s := c.status(t)
	i := slices.IndexFunc(s.Workers, func(w client.Worker) bool { return w.Running > 0 })
	if i < 0 {
		t.Fatalf("no worker runs anything: %+v", s.Workers)
	}
	return &process{s.Workers[i].ID, s.Workers[i].Address, s.Workers[i].PID}
}
