package replica

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
)

// Config is what a replica is opened with. ID, Address, Dir, Cluster and Listener are required.
type Config struct {
	// ID names the master within its cluster, for ever: a master that has lost its directory takes a new one.
	ID string
	// Address is where the other masters reach this one: the server's address in Raft, in a NotLeaderError and for clients.
	Address string
	// Dir keeps the log, the snapshots and the identity. It is created where it is missing.
	Dir string
	// Cluster is the cluster's identity. Dir belongs to it once it has been used.
	Cluster string
	// Bootstrap are the masters that a new cluster begins with, this one among them, the same list on each of them. It
	// counts while Dir has no state. Without it, a new replica waits until the leader adds it.
	Bootstrap []Server
	// Listener yields the connections whose first bytes are PreamblePrefix. Run closes it.
	Listener net.Listener
	// Log takes what happens. Default: nothing is logged.
	Log *slog.Logger
	// ElectionTimeout is how long a follower waits for a silent leader before it stands for election: between once and
	// twice this time. Default: 1 s.
	ElectionTimeout time.Duration
	// WriteDeadline is how long the disk may take over a read or write of the log. Beyond it Run fails, as a leader whose
	// disk hangs would hold up the cluster. Default: 10 s.
	WriteDeadline time.Duration
}

// Server is a member of the cluster.
type Server struct {
	ID      string
	Address string
	Voter   bool
}

const (
	minElectionTimeout = 50 * time.Millisecond
	maxName            = 100 // bytes of an ID and of a cluster's identity
)

func (c Config) withDefaults() (Config, error) {
	c.ElectionTimeout = cmp.Or(c.ElectionTimeout, time.Second)
	c.WriteDeadline = cmp.Or(c.WriteDeadline, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	errs := []error{validName("ID", c.ID), validName("cluster identity", c.Cluster)}
	if c.Address == "" {
		errs = append(errs, errors.New("the replica's address is missing"))
	}
	if c.Dir == "" {
		errs = append(errs, errors.New("the replica's directory is missing"))
	}
	if c.Listener == nil {
		errs = append(errs, errors.New("the replica's listener is missing"))
	}
	if c.ElectionTimeout < minElectionTimeout {
		errs = append(errs, fmt.Errorf("an election timeout of %s: it takes %s or more", c.ElectionTimeout, minElectionTimeout))
	}
	if c.WriteDeadline < 0 {
		errs = append(errs, fmt.Errorf("a write deadline of %s: it can't be negative", c.WriteDeadline))
	}
	return c, errors.Join(append(errs, c.checkBootstrap())...)
}

// checkBootstrap holds the list against this replica: on each master the same list must contain that master.
func (c Config) checkBootstrap() error {
	if len(c.Bootstrap) == 0 {
		return nil
	}
	ids, addresses := make(map[string]bool), make(map[string]bool)
	self := false
	for _, s := range c.Bootstrap {
		if err := validName("ID", s.ID); err != nil {
			return err
		}
		if s.Address == "" || ids[s.ID] || addresses[s.Address] {
			return fmt.Errorf("the first masters need an ID and an address each, all different: master %s at %q", s.ID, s.Address)
		}
		ids[s.ID], addresses[s.Address] = true, true
		self = self || s.ID == c.ID && s.Address == c.Address
	}
	if !self {
		return fmt.Errorf("master %s at %s is not among the first masters of the cluster: list it, or let the leader add it", c.ID, c.Address)
	}
	return nil
}

// validName accepts letters, digits, hyphens, dots and underscores: names stand in a line of the preamble and in logs.
func validName(what, name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
	if name == "" || len(name) > maxName || strings.Trim(name, letters) != "" {
		return fmt.Errorf("the replica's %s is %.*q: it takes 1 to %d letters, digits, hyphens, dots and underscores", what, maxName, name, maxName)
	}
	return nil
}
