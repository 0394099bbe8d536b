package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"fletch/api"
	"fletch/engine/coro"
)

// Config sets an executor up.
type Config struct {
	// Open opens the job's plugin. The agent, which runs the same program, has checked the file just before: to read all of
	// it again would take longer than to open it.
	Open Opener
	// Agent is the connection to the agent.
	Agent net.Conn
	// Files is where the agent sends descriptors.
	Files *net.UnixConn
}

const (
	// reportEvery is how often progress is reported.
	reportEvery = 200 * time.Millisecond
	// grace is how long attempts may take to unwind once the agent has gone, which kills the executor a second later.
	grace = time.Second
)

// executor is the state of Serve; the loop owns it.
type executor struct {
	config  Config
	agent   api.ExecutorsClient
	out     *outbox
	files   *descriptors
	serving context.Context // ends with the executor

	orders chan *api.AgentMessage // unbuffered; closed by no one
	loaded chan loaded            // room for the one that comes; closed by no one
	ended  chan ended             // unbuffered; closed by no one

	loading bool
	job     *job             // nil until it is loaded
	ticks   <-chan time.Time // nil until there is something to report
	limits  limits
}

// maxStackBytes ends a recursion without end. It is room for a million calls; by default the runtime would first take and
// copy eight times as much.
const maxStackBytes = 128 << 20

// Serve runs the attempts that the agent orders until its connection or ctx ends. It returns nil then, or what did not
// unwind in time and is left behind. It takes over the two connections.
func Serve(ctx context.Context, config Config) (err error) {
	debug.SetMaxStack(maxStackBytes)
	conn, err := dial(config.Agent)
	if err != nil {
		return errors.Join(fmt.Errorf("connect to the agent: %w", err), config.Agent.Close(), config.Files.Close())
	}
	serving, end := context.WithCancelCause(ctx)
	x := &executor{
		config: config, agent: api.NewExecutorsClient(conn), out: newOutbox(), files: newDescriptors(config.Files), serving: serving,
		orders: make(chan *api.AgentMessage), loaded: make(chan loaded, 1), ended: make(chan ended),
	}
	var g errgroup.Group
	defer func() {
		end(errEnded)
		err = errors.Join(err, conn.Close(), config.Files.Close(), g.Wait(), x.unwind())
	}()
	stream, err := x.agent.Connect(serving)
	if err != nil {
		return gone(err)
	}
	x.out.add(&api.ExecutorMessage{Message: &api.ExecutorMessage_Hello{Hello: &api.ExecutorHello{Pid: int64(os.Getpid())}}})
	run := func(part func() error) {
		g.Go(func() error {
			err := part()
			end(err)
			return gone(err)
		})
	}
	run(func() error { return x.receive(stream) })
	run(func() error { return x.out.run(serving, stream.Send) })
	run(x.files.run)
	return x.loop()
}

// errEnded is the cause of the end of all that is left when the executor ends.
var errEnded = errors.New("the executor ends")

// gone returns nil for an error that says no more than that the connection has ended, or is being ended.
func gone(err error) error {
	for _, end := range []error{io.EOF, errGone, errEnded, api.ErrUnreachable, context.Canceled} {
		if errors.Is(err, end) {
			return nil
		}
	}
	return err
}

// receive hands messages to the loop until the connection ends.
func (x *executor) receive(stream api.Executors_ConnectClient) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("receive from the agent: %w", err)
		}
		select {
		case x.orders <- m:
		case <-x.serving.Done():
			return nil
		}
	}
}

// loop does what the agent orders until the connection ends or an order makes no sense.
func (x *executor) loop() error {
	for {
		select {
		case m := <-x.orders:
			if err := x.obey(m); err != nil {
				return fmt.Errorf("order of the agent: %w", err)
			}
		case l := <-x.loaded:
			x.begin(l)
		case e := <-x.ended:
			x.end(e)
		case <-x.ticks:
			x.report()
		case <-x.serving.Done():
			return nil
		}
	}
}

// obey does what a message asks for. An error is a mistake of the agent.
func (x *executor) obey(m *api.AgentMessage) error {
	switch m := m.Message.(type) {
	case *api.AgentMessage_Load:
		if x.loading || x.job != nil {
			return errors.New("a second job to load")
		}
		x.loading = true
		return x.load(m.Load)
	case *api.AgentMessage_Limits:
		x.limits.set(m.Limits.GetMemoryBytes())
		if x.job != nil {
			x.job.limit(x.limits)
		}
		return nil
	}
	if x.job == nil {
		return errors.New("there is no job yet")
	}
	switch m := m.Message.(type) {
	case *api.AgentMessage_Producers:
		return x.job.setProducers(m.Producers)
	case *api.AgentMessage_Start:
		return x.start(m.Start)
	case *api.AgentMessage_Stop:
		x.stop(m.Stop)
		return nil
	default:
		return fmt.Errorf("the message %T is unknown", m)
	}
}

// unwind cancels what runs and waits for it. What does not come back in time is left behind.
func (x *executor) unwind() error {
	if x.job == nil {
		return nil
	}
	err := x.job.close()
	if stuck, ok := errors.AsType[*coro.StuckError](err); ok {
		return fmt.Errorf("functions did not return, they are left behind: %w", stuck)
	}
	return err
}
