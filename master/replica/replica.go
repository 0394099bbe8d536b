// Package replica is the replicated part of a master: it keeps a state.Machine the same on all masters of a cluster.
package replica

import (
	"context"

	"fletch/master/state"
)

// Replica is one master's copy of the state.
type Replica struct{}

// Outcome is what became of a command.
type Outcome struct {
	Job *state.Job
	Err error
}

// Open checks the directory.
func Open(Config) (*Replica, error) { return &Replica{}, nil }

// Close releases a replica that is not run.
func (r *Replica) Close() error { return nil }

// Run serves until ctx ends or the disk fails.
func (r *Replica) Run(context.Context) error { return nil }

// Apply applies commands on the leader.
func (r *Replica) Apply(context.Context, ...state.Command) []Outcome { return nil }

// Read calls f with the state.
func (r *Replica) Read(func(*state.Machine)) {}

// Changed returns a channel that is closed at the next change.
func (r *Replica) Changed() <-chan struct{} { return nil }

// Leading calls f in each term that this master leads.
func (r *Replica) Leading(context.Context, func(ctx context.Context, term uint64) error) error {
	return nil
}

// Leader returns the leader.
func (r *Replica) Leader() (Server, bool) { return Server{}, false }

// Term returns the current term.
func (r *Replica) Term() uint64 { return 0 }

// Verify asks a quorum whether this master leads.
func (r *Replica) Verify(context.Context) error { return nil }

// Servers returns the members.
func (r *Replica) Servers() []Server { return nil }

// Add adds a member.
func (r *Replica) Add(context.Context, Server) error { return nil }

// Remove removes a member.
func (r *Replica) Remove(context.Context, string) error { return nil }

// Transfer gives leadership to another master.
func (r *Replica) Transfer(context.Context) error { return nil }
