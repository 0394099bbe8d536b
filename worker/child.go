package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"fletch/api"
)

// child is an executor process as the agent sees it. Its run is an actor; what is said to it waits in out until it
// listens.
type child struct {
	dir     string // its working and temporary directory
	out     *queue[*api.AgentMessage]
	printed printed
	process process
	spoke   chan struct{} // closed when it has said Hello
	hungUp  chan struct{} // closed when its stream has ended
	ending  chan struct{} // closed by end
	endOnce sync.Once
	outputs atomic.Pointer[jobOutputs] // of its job; nil while it is a spare

	// The rest belongs to the loop.

	job      *job      // nil while it is a spare
	loaded   bool      // it has loaded its job
	loadBy   time.Time // the deadline of that; zero before it was told to
	granted  int64     // the memory that it was told to use at the most when it loaded its job
	limit    int64     // the same at present
	lowered  time.Time // when limit was made less
	resident int64     // bytes, at the last look
	verdict  *verdict  // why the loop has killed it; nil if it has not
}

func newChild(dir string) *child {
	return &child{
		dir: dir, out: newQueue[*api.AgentMessage](),
		spoke: make(chan struct{}), hungUp: make(chan struct{}), ending: make(chan struct{}),
	}
}

// say sends a message, in order.
func (c *child) say(m *api.AgentMessage) { c.out.put(m) }

// end tells the executor to end, which it has to do within Config.waits.end.
func (c *child) end() {
	c.endOnce.Do(func() {
		close(c.ending)
		c.out.close()
	})
}

// exit is how an executor ended.
type exit struct {
	status syscall.WaitStatus
	err    error  // why there was no process, or why its actor killed it
	dump   string // of the runtime, as far as there is one
	last   string // what it printed last
}

// run starts the process, serves it and returns after it and all that it started have ended. It ends the process when
// ctx ends.
func (c *child) run(ctx context.Context, w *Worker, host executorHost) (x exit) {
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return exit{err: err}
	}
	defer func() {
		if err := os.RemoveAll(c.dir); err != nil {
			w.config.Log.Warn("could not remove an executor's directory", "dir", c.dir, "error", err)
		}
	}()
	socks, err := newSockets()
	if err != nil {
		return exit{err: err}
	}
	if err := c.process.start(w.spawner, w.config.Executable, c.dir, socks.theirs, &c.printed); err != nil {
		c.process.kill()
		if c.process.cmd != nil {
			_, e := c.process.wait()
			err = errors.Join(err, e)
		}
		return exit{err: errors.Join(err, socks.close())}
	}
	if err := socks.started(); err != nil {
		w.config.Log.Warn("could not close a socket", "error", err)
	}

	var group errgroup.Group
	server := newExecutorServer(c, socks, host)
	group.Go(func() error { return server.serve() })
	exited := make(chan struct{}) // closed when x.status is known
	group.Go(func() error {
		defer close(exited)
		var err error
		x.status, err = c.process.wait()
		return err
	})
	reason := c.supervise(ctx, w, exited)
	server.stop()
	if err := errors.Join(group.Wait(), socks.close()); err != nil {
		w.config.Log.Warn("an executor's end was not clean", "error", err)
	}
	x.err, x.dump, x.last = reason, c.printed.dump(), c.printed.last()
	return x
}

// errHungUp is why an executor was killed that has left its connection, or was left as it did not answer pings.
var errHungUp = errors.New("it ended its connection to the agent and did not exit, or it did not answer for a minute: was it stopped?")

// supervise returns when the process has exited, and sees to that. Its error says why it had to kill it; there is none
// where the loop or the process itself wanted the end.
func (c *child) supervise(ctx context.Context, w *Worker, exited <-chan struct{}) (reason error) {
	waits := &w.config.waits
	speaks := time.NewTimer(waits.hello)
	defer speaks.Stop()
	late := time.NewTimer(0)
	defer late.Stop()
	<-late.C
	spoke, hungUp, ending, done := c.spoke, c.hungUp, c.ending, ctx.Done()
	for {
		select {
		case <-exited:
			return reason
		case <-spoke:
			spoke = nil
			speaks.Stop()
		case <-speaks.C:
			reason = fmt.Errorf("the executor has not connected within %v", waits.hello)
			c.process.kill()
		case <-hungUp:
			hungUp = nil
			late.Reset(waits.end)
		case <-ending:
			ending = nil
			late.Reset(waits.end)
		case <-done:
			done = nil
			c.end()
		case <-late.C:
			if ending != nil {
				reason = errHungUp
			}
			c.process.kill()
		}
	}
}

// dumpAndKill has the executor show its stacks, then kills it.
func (c *child) dumpAndKill(wait time.Duration) {
	c.printed.forget()
	c.process.quit()
	time.AfterFunc(wait, c.process.kill)
}
