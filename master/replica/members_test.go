package replica

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"fletch/fault"
	"fletch/master/state"
)

// join starts a master that waits to be added.
func (c *cluster) join(id string) *master {
	c.t.Helper()
	l := listen(c.t, "127.0.0.1:0")
	m := &master{Server: Server{ID: id, Address: l.Addr().String(), Voter: true}, dir: c.t.TempDir()}
	c.masters[id] = m
	c.servers = append(c.servers, m.Server)
	c.run(id, Config{Listener: l})
	return m
}

func TestAddAndRemove(t *testing.T) {
	c := newClusterWith(t, 1, small)
	c.fill("job", 50)
	for _, id := range []string{"m2", "m3"} {
		m := c.join(id)
		if err := c.leader().replica.Add(c.context(), m.Server); err != nil {
			t.Fatal(err)
		}
		eventually(t, m.replica, "has all jobs", func(s *state.Machine) bool { return len(s.Jobs()) == 50 })
	}
	if have := c.leader().replica.Servers(); !slices.Equal(have, c.servers) {
		t.Fatalf("the members are %+v", have)
	}
	// The leader hands over before it is removed.
	old := c.leader()
	var notLeader *NotLeaderError
	if err := old.replica.Remove(c.context(), old.ID); !errors.As(err, &notLeader) {
		t.Fatalf("the leader is asked to remove itself: %v", err)
	}
	next := c.leader()
	if err := next.replica.Remove(c.context(), old.ID); err != nil {
		t.Fatal(err)
	}
	c.stop(old.ID)
	delete(c.masters, old.ID)
	if have := c.leader().replica.Servers(); len(have) != 2 || slices.Contains(have, old.Server) {
		t.Fatalf("the members are %+v", have)
	}
	c.fill("after", 1)
}

func TestMembersRefuse(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	followers := c.followers()
	refused := func(what string, err error, word string) {
		t.Helper()
		if err == nil || fault.ClassOf(err) != fault.Permanent || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want a permanent error with %q", what, err, word)
		}
	}
	ctx := c.context()
	refused("an unknown master", leader.replica.Remove(ctx, "m9"), "no master m9")
	refused("an address that is taken", leader.replica.Add(ctx, Server{ID: "m9", Address: leader.Address, Voter: true}), "has the address")
	refused("an address where nobody answers", leader.replica.Add(ctx, Server{ID: "m9", Address: "127.0.0.1:1", Voter: true}), "start it first")
	stranger := newCluster(t, 1)
	stranger.leader()
	refused("another master's address", leader.replica.Add(ctx, Server{ID: "m9", Address: stranger.masters["m1"].Address, Voter: true}), "is m1")

	c.stop(followers[0].ID)
	refused("a master that the quorum needs", leader.replica.Remove(ctx, followers[1].ID), "could not go on: 1 of its 2 masters")
	if err := leader.replica.Remove(ctx, followers[0].ID); err != nil {
		t.Errorf("the master that is gone: %v", err)
	}

	alone := stranger.masters["m1"].replica
	refused("the last master", alone.Remove(ctx, "m1"), "could not go on")
}
