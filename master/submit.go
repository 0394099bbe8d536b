package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc/peer"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/state"
	"fletch/storage"
)

// listWait is how long listing a job's inputs may take.
const listWait = time.Minute

// Submit plans a job as far as its graph and inputs allow and adds it.
func (s *clusterServer) Submit(ctx context.Context, r *api.SubmitRequest) (*api.SubmitReply, error) {
	l, err := s.leader()
	if err == nil {
		err = l.submit(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return &api.SubmitReply{Id: r.GetId()}, nil
}

func (l *leader) submit(ctx context.Context, r *api.SubmitRequest) error {
	graph, err := r.GetGraph().Plan()
	if err != nil {
		return fault.As(fault.Permanent, err)
	}
	if err := graph.Validate(); err != nil {
		return fault.As(fault.Permanent, err)
	}
	if known, err := l.submitted(r, graph); known || err != nil {
		return err
	}
	if _, ok := l.plugins.Path(r.GetPlugin()); !ok {
		if err := l.fetchPlugin(ctx, r.GetPlugin()); err != nil {
			return err
		}
	}
	if err := l.quorum(ctx, r.GetPlugin(), l.givePlugin); err != nil {
		return err
	}
	stages, err := plan.Stages(graph)
	if err != nil {
		return fault.As(fault.Permanent, err)
	}
	splits, err := listed(ctx, graph, stages)
	if err != nil {
		return err
	}
	if err := vacant(graph, stages); err != nil {
		return err
	}
	settings := r.GetSettings()
	return l.apply(ctx, state.Submit{
		ID: r.GetId(), Graph: graph, Splits: splits, Plugin: r.GetPlugin(), Args: r.GetArgs(), User: userOf(ctx, r.GetUser()), At: time.Now(),
		Settings: state.Settings{
			Partitions: int(settings.GetPartitions()), MaxLineBytes: settings.GetMaxLineBytes(), MaxUser: int(settings.GetMaxUser()),
		},
	})
}

// submitted tells whether the same job has been submitted before, as its sender may not have heard of it. The inputs are
// not listed again: they may have changed.
func (l *leader) submitted(r *api.SubmitRequest, graph *plan.Graph) (known bool, err error) {
	var j *state.Job
	l.replica.Read(func(s *state.Machine) { j = s.Job(r.GetId()) })
	switch {
	case j == nil:
		return false, nil
	case j.Plugin == r.GetPlugin() && slices.Equal(j.Args, r.GetArgs()) && j.MadeOf(graph):
		return true, nil
	default:
		return true, fault.As(fault.Permanent, fmt.Errorf("job %s exists already, and is another one: choose another id", r.GetId()))
	}
}

// listed lists the inputs of the stages' sources and cuts them.
func listed(ctx context.Context, graph *plan.Graph, stages []plan.Stage) (map[int][]plan.Split, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listWait, fmt.Errorf("the inputs could not be listed within %v", listWait))
	defer cancel()
	splits := map[int][]plan.Split{}
	for _, s := range stages {
		n := &graph.Nodes[s.Root]
		if n.Kind != plan.Source || len(n.Source.Patterns) == 0 {
			continue
		}
		found, err := storage.Splits(ctx, n.Source.Patterns)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
		splits[n.ID] = found
	}
	return splits, nil
}

// vacant refuses a job whose outputs exist, before anything has been done for it. They are reserved when it is planned.
func vacant(graph *plan.Graph, stages []plan.Stage) error {
	var errs []error
	for _, s := range stages {
		for _, id := range s.Outputs {
			if n := &graph.Nodes[id]; n.Kind == plan.Sink {
				if err := storage.Vacant(*n.Sink); err != nil {
					errs = append(errs, fmt.Errorf("%v: %w", n, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// userOf names who asks: as the client says, and where it asks from.
func userOf(ctx context.Context, user string) string {
	const longest = 200 // bytes of what the client says
	user = user[:min(len(user), longest)]
	if p, ok := peer.FromContext(ctx); ok {
		host, _, err := net.SplitHostPort(p.Addr.String())
		if err != nil {
			host = p.Addr.String()
		}
		user += " from " + host
	}
	return user
}
