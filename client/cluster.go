package client

import (
	"context"
	"errors"
	"time"

	"fletch/api"
)

// Status is a cluster as one of its masters sees it. Only the leader knows workers and jobs.
type Status struct {
	Cluster string   `json:"cluster"`
	Version string   `json:"version"` // of that master
	Leader  string   `json:"leader"`  // address; empty where none is known
	Masters []Master `json:"masters"`
	Workers []Worker `json:"workers"`
	Jobs    []Job    `json:"jobs"` // without stages: the active ones and the latest that ended
}

// Master is a master in a Status.
type Master struct {
	ID        string `json:"id"`
	Address   string `json:"address"`
	PID       int    `json:"pid"` // zero where unknown
	Leader    bool   `json:"leader"`
	Reachable bool   `json:"reachable"`
}

// Worker is a worker in a Status.
type Worker struct {
	ID           string  `json:"id"`
	Address      string  `json:"address"`
	PID          int     `json:"pid"`
	Epoch        uint64  `json:"epoch"`
	Slots        int     `json:"slots"`
	Running      int     `json:"running"` // attempts
	MemoryBytes  int64   `json:"memory_bytes"`
	Version      string  `json:"version"`
	HeardSeconds float64 `json:"heard_seconds"` // since its last message
}

// Status describes the cluster. With a NoLeaderError comes what a master said that answered, if one did.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	c.swapReply(nil)
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.Status(ctx, &api.StatusRequest{})
		if err == nil {
			s, err = statusOf(reply)
		}
		return err
	})
	if _, ok := errors.AsType[*NoLeaderError](err); ok {
		if of, replyErr := statusOf(c.swapReply(nil)); replyErr == nil {
			s = of
		}
	}
	return s, err
}

// members changes who the masters are, and returns what the leader then says of the cluster.
func (c *Client) members(ctx context.Context, change func(context.Context, api.ClusterClient) (*api.StatusReply, error)) (s Status, err error) {
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := change(ctx, master)
		if err == nil {
			s, err = statusOf(reply)
		}
		return err
	})
	return s, err
}

// AddMaster makes the master at an address a member. It has to run already.
func (c *Client) AddMaster(ctx context.Context, id, address, user string) (Status, error) {
	return c.members(ctx, func(ctx context.Context, master api.ClusterClient) (*api.StatusReply, error) {
		return master.AddMaster(ctx, &api.AddMasterRequest{Id: id, Address: address, User: api.Text(user)})
	})
}

// RemoveMaster ends the membership of a master.
func (c *Client) RemoveMaster(ctx context.Context, id, user string) (Status, error) {
	return c.members(ctx, func(ctx context.Context, master api.ClusterClient) (*api.StatusReply, error) {
		return master.RemoveMaster(ctx, &api.RemoveMasterRequest{Id: id, User: api.Text(user)})
	})
}

// AuditEntry says who asked for what.
type AuditEntry struct {
	Time    time.Time `json:"time"`
	User    string    `json:"user"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
}

// Audit returns the latest entries of the audit log, the newest first. Limit zero: 100.
func (c *Client) Audit(ctx context.Context, limit int) (entries []AuditEntry, err error) {
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.Audit(ctx, &api.AuditRequest{Limit: int32(limit)})
		entries = make([]AuditEntry, 0, len(reply.GetEntries()))
		for _, e := range reply.GetEntries() {
			entries = append(entries, AuditEntry{time.Unix(0, e.GetTimeUnixNanos()).UTC(), e.GetUser(), e.GetAction(), e.GetSubject()})
		}
		return err
	})
	return entries, err
}

func statusOf(m *api.StatusReply) (s Status, err error) {
	s = Status{
		Cluster: m.GetCluster(), Version: m.GetVersion(), Leader: m.GetLeader(),
		Masters: make([]Master, 0, len(m.GetMasters())), Workers: make([]Worker, 0, len(m.GetWorkers())),
	}
	for _, x := range m.GetMasters() {
		s.Masters = append(s.Masters, Master{x.GetId(), x.GetAddress(), int(x.GetPid()), x.GetLeader(), x.GetReachable()})
	}
	for _, x := range m.GetWorkers() {
		s.Workers = append(s.Workers, Worker{
			ID: x.GetId(), Address: x.GetAddress(), PID: int(x.GetPid()), Epoch: x.GetEpoch(), Slots: int(x.GetSlots()),
			Running: int(x.GetRunning()), MemoryBytes: x.GetMemoryBytes(), Version: x.GetVersion(), HeardSeconds: x.GetHeardSeconds(),
		})
	}
	s.Jobs, err = jobsOf(m.GetJobs())
	return s, err
}
