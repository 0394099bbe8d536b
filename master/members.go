package master

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
	"fletch/fault"
	"fletch/master/replica"
	"fletch/master/state"
)

// AddMaster makes a running master, which has no state of its own yet, a member.
func (s *clusterServer) AddMaster(ctx context.Context, r *api.AddMasterRequest) (*api.StatusReply, error) {
	return s.changeMembers(ctx, state.Audit{User: userOf(ctx, r.GetUser()), Action: "add master", Subject: r.GetId() + " " + r.GetAddress()}, func() error {
		if err := s.joinable(ctx, r); err != nil {
			return err
		}
		return s.replica.Add(ctx, replica.Server{ID: r.GetId(), Address: r.GetAddress(), Voter: true})
	})
}

// joinable refuses an address where the master that is to be added does not answer: the cluster would have to wait for a
// member that is not there.
func (m *Master) joinable(ctx context.Context, r *api.AddMasterRequest) error {
	ctx, cancel := context.WithTimeout(ctx, helloWait)
	defer cancel()
	// A connection that is kept would still be waiting to be tried again, if the master has begun only after an earlier call.
	connection, err := grpc.NewClient("passthrough:///"+r.GetAddress(), api.DialOptions()...)
	if err != nil {
		return fault.As(fault.Permanent, err)
	}
	defer connection.Close() // it was only asked
	reply, err := api.NewClusterClient(connection).Ping(ctx, &api.PingRequest{})
	switch {
	case err != nil:
		return fault.As(fault.Permanent, fmt.Errorf("no master answers at %s: start it first, with --join %s (%w)", r.GetAddress(), m.address, err))
	case reply.GetId() != r.GetId():
		return fault.As(fault.Permanent, fmt.Errorf("the master at %s is %s, not %s", r.GetAddress(), reply.GetId(), r.GetId()))
	case reply.GetCluster() != m.config.Cluster:
		return fault.As(fault.Permanent, fmt.Errorf("the master at %s belongs to cluster %s, this is %s", r.GetAddress(), reply.GetCluster(), m.config.Cluster))
	}
	return nil
}

// RemoveMaster ends a master's membership.
func (s *clusterServer) RemoveMaster(ctx context.Context, r *api.RemoveMasterRequest) (*api.StatusReply, error) {
	return s.changeMembers(ctx, state.Audit{User: userOf(ctx, r.GetUser()), Action: "remove master", Subject: r.GetId()}, func() error {
		return s.replica.Remove(ctx, r.GetId())
	})
}

// changeMembers changes the members on the leader and records who asked for it.
func (s *clusterServer) changeMembers(ctx context.Context, audit state.Audit, change func() error) (*api.StatusReply, error) {
	l, err := s.leader()
	if err != nil {
		return nil, err
	}
	audit.At = time.Now()
	if err := l.apply(ctx, audit); err != nil {
		return nil, err
	}
	if err := change(); undecided(err) {
		return nil, s.notLeader() // the client asks the next leader, and a change that is made already is made again
	} else if err != nil {
		return nil, err
	}
	s.quorums.known.Clear()
	return s.Status(ctx, &api.StatusRequest{})
}
