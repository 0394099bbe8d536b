// Package fakeworker is a worker without executors, for tests and benchmarks of masters: it takes orders as a real worker
// does, and what becomes of an attempt is up to a function.
package fakeworker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"fletch/api"
)

// Worker is a worker. It is configured before Run and not changed afterwards.
type Worker struct {
	ID          string
	Incarnation string
	Masters     []string // addresses
	Slots       int
	Address     string // of its HTTP server; none is needed
	// Attempt runs an attempt and returns its end; nil leaves it running until it is stopped. It is called on the
	// worker's receiving goroutine if Inline is set, else on a goroutine of its own, whose ctx ends with a StopOrder.
	Attempt func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded
	Inline  bool
	// Connected is called after each Welcome, if it is not nil.
	Connected func(*api.Welcome)

	mu struct {
		sync.Mutex
		jobs    map[string]*api.JobOrder
		stops   map[string]context.CancelFunc // running attempts
		ended   map[string]*api.AttemptEnded  // not yet acknowledged
		fresh   []*api.AttemptEnded           // of these, not yet sent on this stream
		dropped []string
		epoch   uint64
	}
	news chan struct{} // capacity one: fresh is not empty
}

// retryAfter is how long a worker waits before it tries the next master.
const retryAfter = 50 * time.Millisecond

// Run serves until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.jobs, w.mu.stops, w.mu.ended = map[string]*api.JobOrder{}, map[string]context.CancelFunc{}, map[string]*api.AttemptEnded{}
	w.news = make(chan struct{}, 1)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	for i := 0; ctx.Err() == nil; i++ {
		address := w.Masters[i%len(w.Masters)]
		err := w.connect(ctx, address, &attempts)
		if notLeader, ok := errors.AsType[*api.NotLeader](err); ok && notLeader.Leader != "" {
			i = max(slices.Index(w.Masters, notLeader.Leader), 0) - 1
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, stop := range w.mu.stops {
		stop()
	}
	return nil
}

// connect serves one stream until it ends.
func (w *Worker) connect(ctx context.Context, address string, attempts *sync.WaitGroup) error {
	connection, err := grpc.NewClient("passthrough:///"+address, api.DialOptions()...)
	if err != nil {
		return err
	}
	defer connection.Close() // the stream's error says all
	g, ctx := errgroup.WithContext(ctx)
	stream, err := api.NewWorkersClient(connection).Connect(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&api.WorkerMessage{Message: &api.WorkerMessage_Hello{Hello: w.hello()}}); err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	welcome := first.GetWelcome()
	w.mu.Lock()
	if w.mu.epoch != 0 && w.mu.epoch != welcome.GetEpoch() {
		w.dropLocked()
	}
	w.mu.epoch = welcome.GetEpoch()
	w.mu.fresh = nil
	for _, e := range w.mu.ended {
		w.mu.fresh = append(w.mu.fresh, e)
	}
	w.mu.Unlock()
	if w.Connected != nil {
		w.Connected(welcome)
	}
	g.Go(func() error {
		return w.report(ctx, stream, time.Duration(welcome.GetHeartbeatMillis())*time.Millisecond)
	})
	g.Go(func() error {
		for {
			m, err := stream.Recv()
			if err != nil {
				return err
			}
			w.take(ctx, m, attempts)
		}
	})
	return g.Wait()
}

func (w *Worker) hello() *api.Hello {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := &api.Hello{Id: w.ID, Incarnation: w.Incarnation, Address: cmp.Or(w.Address, "127.0.0.1:1"), Slots: int32(w.Slots), Epoch: w.mu.epoch}
	for name := range w.mu.stops {
		h.Running = append(h.Running, name)
	}
	for name := range w.mu.ended {
		h.Running = append(h.Running, name)
	}
	for id := range w.mu.jobs {
		h.Jobs = append(h.Jobs, id)
	}
	return h
}

// dropLocked lets go of what was ordered in an epoch that is over.
func (w *Worker) dropLocked() {
	for name, stop := range w.mu.stops {
		stop()
		delete(w.mu.stops, name)
	}
	clear(w.mu.jobs)
	clear(w.mu.ended)
}

// report sends what is new, and a heartbeat where nothing is.
func (w *Worker) report(ctx context.Context, stream api.Workers_ConnectClient, heartbeat time.Duration) error {
	ticks := time.NewTicker(heartbeat)
	defer ticks.Stop()
	for {
		w.mu.Lock()
		status := &api.Heartbeat{Ended: w.mu.fresh}
		w.mu.fresh = nil
		w.mu.Unlock()
		if err := stream.Send(&api.WorkerMessage{Message: &api.WorkerMessage_Heartbeat{Heartbeat: status}}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.news:
		case <-ticks.C:
		}
	}
}

// take obeys an order.
func (w *Worker) take(ctx context.Context, m *api.MasterMessage, attempts *sync.WaitGroup) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case m.GetJob() != nil:
		w.mu.jobs[m.GetJob().GetJob()] = m.GetJob()
	case m.GetStart() != nil:
		start := m.GetStart()
		job := w.mu.jobs[start.GetJob()]
		if w.Inline {
			w.endLocked(w.Attempt(ctx, job, start))
			return
		}
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		w.mu.stops[start.GetAttempt()] = stop
		attempts.Go(func() {
			end := w.Attempt(ctx, job, start)
			if end == nil {
				<-ctx.Done()
				end = Failed(start, context.Canceled)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			stop()
			if w.mu.stops[start.GetAttempt()] != nil { // else it was dropped
				delete(w.mu.stops, start.GetAttempt())
				w.endLocked(end)
			}
		})
	case m.GetStop() != nil:
		if stop := w.mu.stops[m.GetStop().GetAttempt()]; stop != nil {
			stop()
		}
	case m.GetDone() != nil:
		for _, name := range m.GetDone().GetAttempts() {
			delete(w.mu.ended, name)
		}
		w.mu.dropped = append(w.mu.dropped, m.GetDone().GetDropped()...)
	case m.GetEndJob() != nil:
		delete(w.mu.jobs, m.GetEndJob().GetJob())
		for name, stop := range w.mu.stops {
			if strings.HasPrefix(name, m.GetEndJob().GetJob()+"_") {
				stop()
			}
		}
	}
}

func (w *Worker) endLocked(end *api.AttemptEnded) {
	w.mu.ended[end.GetAttempt()] = end
	w.mu.fresh = append(w.mu.fresh, end)
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// Jobs returns the jobs that the worker has been told of and not to let go.
func (w *Worker) Jobs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for id := range w.mu.jobs {
		ids = append(ids, id)
	}
	return ids
}

// Succeeded is the end of an attempt that has written what result says.
func Succeeded(start *api.StartOrder, result *api.Result) *api.AttemptEnded {
	return &api.AttemptEnded{Attempt: start.GetAttempt(), Result: result}
}

// Failed is the end of an attempt that has failed.
func Failed(start *api.StartOrder, err error) *api.AttemptEnded {
	return &api.AttemptEnded{Attempt: start.GetAttempt(), Error: api.ErrorOf(err)}
}
