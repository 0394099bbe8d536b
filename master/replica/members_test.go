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
		if err := c.ask(func(leader *master) error { return leader.replica.Add(c.context(), m.Server) }); err != nil {
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
	if err := c.ask(func(leader *master) error { return leader.replica.Remove(c.context(), old.ID) }); err != nil {
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
	refused := func(what, word string, change func(leader *master) error) {
		t.Helper()
		if err := c.ask(change); err == nil || fault.ClassOf(err) != fault.Permanent || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want a permanent error with %q", what, err, word)
		}
	}
	stranger := newCluster(t, 1)
	add := func(address string) func(*master) error {
		return func(leader *master) error {
			return leader.replica.Add(c.context(), Server{ID: "m9", Address: address, Voter: true})
		}
	}
	refused("an unknown master", "no master m9", func(leader *master) error { return leader.replica.Remove(c.context(), "m9") })
	refused("an address that is taken", "has the address", add(c.servers[1].Address))
	refused("an address where nobody answers", "start it first", add("127.0.0.1:1"))
	refused("another master's address", "is m1", add(stranger.masters["m1"].Address))

	gone := c.followers()[0].ID
	c.stop(gone)
	refused("a master that the quorum needs", "could not go on: 1 of its 2 masters", func(leader *master) error {
		for _, s := range c.servers {
			if s.ID != gone && s.ID != leader.ID {
				return leader.replica.Remove(c.context(), s.ID)
			}
		}
		return nil
	})
	if err := c.ask(func(leader *master) error { return leader.replica.Remove(c.context(), gone) }); err != nil {
		t.Errorf("the master that is gone: %v", err)
	}
	if err := stranger.leader().replica.Remove(c.context(), "m1"); err == nil || !strings.Contains(err.Error(), "could not go on") {
		t.Errorf("the last master: %v", err)
	}
}

// ask asks the leader, and again where the leader has changed meanwhile.
func (c *cluster) ask(question func(leader *master) error) error {
	for {
		err := question(c.leader())
		if _, ok := errors.AsType[*NotLeaderError](err); !ok {
			return err
		}
	}
}
