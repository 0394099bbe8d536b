package master

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/master/state"
	"fletch/master/view"
	"fletch/report"
)

// clusterServer is the side of the masters that clients use.
type clusterServer struct {
	api.UnimplementedClusterServer
	*Master
}

// watchEvery is how often a watcher hears of a job at most, but for its end.
const watchEvery = 100 * time.Millisecond

// job returns a job as the leader knows it. It is described off the loop: many may watch a job with many attempts.
func (l *leader) job(ctx context.Context, id string) (*api.Job, error) {
	var s *state.Job
	var running []view.Attempt
	err := l.do(ctx, func() {
		l.replica.Read(func(m *state.Machine) { s = m.Job(id) })
		if s != nil && !s.Status.Ended() {
			running = l.runningOf(id)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, &api.NotFound{What: "job " + id}
	}
	return putJob(s, view.Job(s, running, time.Now())), nil
}

// putJob adds to a report what the state alone knows.
func putJob(s *state.Job, j report.Job) *api.Job {
	out := api.JobOf(&j)
	out.User, out.SubmittedUnixNanos = s.User, s.Submitted.UnixNano()
	if s.Failure != nil {
		out.ErrorClass = uint32(s.Failure.Class)
	}
	return out
}

// runningOf describes the attempts of a job that are at work.
func (l *leader) runningOf(id string) []view.Attempt {
	var running []view.Attempt
	for _, w := range l.workers {
		for _, a := range w.running {
			if a.id.Job == id {
				running = append(running, view.Attempt{Stage: a.id.Stage, Rows: a.rows, Bytes: a.bytes})
			}
		}
	}
	return running
}

// GetJob returns a job.
func (s *clusterServer) GetJob(ctx context.Context, r *api.GetJobRequest) (*api.Job, error) {
	l, err := s.leader()
	if err != nil {
		return nil, err
	}
	return l.job(ctx, r.GetId())
}

// WatchJob sends a job as it changes, and returns after its end.
func (s *clusterServer) WatchJob(r *api.GetJobRequest, stream grpc.ServerStreamingServer[api.Job]) error {
	l, err := s.leader()
	if err != nil {
		return err
	}
	ctx := stream.Context()
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	var ended bool
	for {
		j, err := l.job(ctx, r.GetId())
		if err == nil {
			err = stream.Send(j)
		}
		if err != nil {
			return err
		}
		if ended {
			return nil
		}
		for tick := false; !tick && !ended; {
			changed := l.replica.Changed()
			if ended = l.hasEnded(r.GetId()); ended {
				break
			}
			select {
			case <-ticks.C:
				tick = true
			case <-changed:
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-l.ctx.Done():
				return l.notLeader()
			}
		}
	}
}

func (l *leader) hasEnded(id string) (ended bool) {
	l.replica.Read(func(m *state.Machine) {
		j := m.Job(id)
		ended = j == nil || j.Status.Ended()
	})
	return ended
}

// ListJobs lists jobs, the latest first.
func (s *clusterServer) ListJobs(_ context.Context, r *api.ListJobsRequest) (*api.ListJobsReply, error) {
	l, err := s.leader()
	if err != nil {
		return nil, err
	}
	limit := int(r.GetLimit())
	if limit <= 0 {
		limit = 100
	}
	jobs, total := l.list(limit, r.GetActive())
	return &api.ListJobsReply{Jobs: jobs, Total: int32(total)}, nil
}

func (m *Master) list(limit int, active bool) (jobs []*api.Job, total int) {
	var all []*state.Job
	m.replica.Read(func(m *state.Machine) {
		if all = m.Active(); !active {
			all = m.Jobs()
		}
	})
	for i := len(all) - 1; i >= 0 && len(jobs) < limit; i-- {
		j := view.Job(all[i], nil, time.Now())
		j.Stages = nil
		jobs = append(jobs, putJob(all[i], j))
	}
	return jobs, len(all)
}

// CancelJob ends a job.
func (s *clusterServer) CancelJob(ctx context.Context, r *api.CancelJobRequest) (*api.Job, error) {
	l, err := s.leader()
	if err != nil {
		return nil, err
	}
	err = l.apply(ctx, state.Cancel{Job: r.GetId(), Reason: "cancelled by " + r.GetUser(), User: userOf(ctx, r.GetUser()), At: time.Now()})
	if errors.Is(err, state.ErrNoJob) {
		err = &api.NotFound{What: "job " + r.GetId()}
	}
	if err != nil {
		return nil, err
	}
	return l.job(ctx, r.GetId())
}

// ExplainJob returns a job's plan as text.
func (s *clusterServer) ExplainJob(_ context.Context, r *api.GetJobRequest) (*api.ExplainReply, error) {
	if _, err := s.leader(); err != nil {
		return nil, err
	}
	var j *state.Job
	s.replica.Read(func(m *state.Machine) { j = m.Job(r.GetId()) })
	if j == nil {
		return nil, &api.NotFound{What: "job " + r.GetId()}
	}
	return &api.ExplainReply{Text: plan.Explain(j.Graph, j.Plan(), j.Facts())}, nil
}

// statusJobs is how many jobs a Status shows.
const statusJobs = 20

// Status describes the cluster.
func (s *clusterServer) Status(ctx context.Context, _ *api.StatusRequest) (*api.StatusReply, error) {
	leader, _ := s.replica.Leader()
	reply := &api.StatusReply{Cluster: s.config.Cluster, Version: s.config.Version, Leader: leader.Address}
	for _, m := range s.replica.Servers() {
		reply.Masters = append(reply.Masters, &api.Master{Id: m.ID, Address: m.Address, Leader: m.ID == leader.ID})
	}
	s.ask(ctx, reply.Masters)
	l := s.leading.Load()
	if l == nil {
		return reply, nil
	}
	err := l.do(ctx, func() {
		for _, w := range l.workers {
			reply.Workers = append(reply.Workers, w.describe())
		}
		slices.SortFunc(reply.Workers, func(a, b *api.Worker) int { return cmp.Compare(a.GetId(), b.GetId()) })
	})
	if err == nil {
		reply.Jobs, _ = s.list(statusJobs, false)
	}
	return reply, err
}

func (w *worker) describe() *api.Worker {
	out := &api.Worker{Id: w.id, Address: w.address, Epoch: w.epoch, Running: int32(len(w.running)), HeardSeconds: time.Since(w.gone).Seconds()}
	if c := w.connection; c != nil {
		out.Pid, out.Slots, out.Version, out.MemoryBytes = c.hello.GetPid(), c.hello.GetSlots(), c.hello.GetVersion(), c.hello.GetMemoryBytes()
		out.HeardSeconds = time.Since(c.heard).Seconds()
	}
	return out
}

// Audit returns who asked for what, the latest first.
func (s *clusterServer) Audit(_ context.Context, r *api.AuditRequest) (*api.AuditReply, error) {
	if _, err := s.leader(); err != nil {
		return nil, err
	}
	limit := int(r.GetLimit())
	if limit <= 0 {
		limit = 100
	}
	var entries []state.AuditEntry
	s.replica.Read(func(m *state.Machine) { entries = m.Audit() })
	reply := &api.AuditReply{}
	for i := len(entries) - 1; i >= 0 && len(reply.Entries) < limit; i-- {
		e := entries[i]
		reply.Entries = append(reply.Entries, &api.AuditEntry{TimeUnixNanos: e.At.UnixNano(), User: e.User, Action: e.Action, Subject: e.Subject})
	}
	return reply, nil
}
