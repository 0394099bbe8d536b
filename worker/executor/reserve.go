package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"fletch/api"
	"fletch/engine/coro"
)

// callWait is how long the agent may take to answer a call.
const callWait = 10 * time.Second

// place asks the agent for memory for the committed output of an attempt. The file is nil where it has none to spare.
func (x *executor) place(c *coro.Coroutine, attempt string, bytes int64) (*os.File, error) {
	return x.ask(c, attempt, func(ctx context.Context) (bool, error) {
		reply, err := x.agent.Reserve(ctx, &api.ReserveRequest{Attempt: attempt, Bytes: bytes})
		return reply.GetGranted(), err
	})
}

// find asks the agent for an output on this worker that another executor wrote. The file is nil where it has none.
func (x *executor) find(c *coro.Coroutine, attempt string) (*os.File, error) {
	return x.ask(c, attempt, func(ctx context.Context) (bool, error) {
		reply, err := x.agent.OpenOutput(ctx, &api.OpenOutputRequest{Attempt: attempt})
		return reply.GetFound(), err
	})
}

// ask makes a call that may bring a descriptor, while the coroutine waits. It waits to the end even if it is cancelled, so
// that no descriptor is left over.
func (x *executor) ask(c *coro.Coroutine, attempt string, call func(context.Context) (bool, error)) (*os.File, error) {
	return coro.Join(c, coro.Go(c, func() (*os.File, error) {
		ctx, cancel := context.WithTimeout(x.serving, callWait)
		defer cancel()
		file := x.files.expect(attempt)
		granted, err := call(ctx)
		if err != nil || !granted {
			return nil, errors.Join(err, x.files.forget(attempt, file))
		}
		select {
		case r := <-file:
			return r.file, r.err
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the agent granted a descriptor for attempt %s and did not send it", attempt), x.files.forget(attempt, file))
		}
	}))
}

// received is a descriptor of the agent's, or why it did not arrive.
type received struct {
	file *os.File
	err  error
}

func (r received) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// descriptors takes what the agent sends on its second socket, and hands it to who waits for it.
type descriptors struct {
	socket *net.UnixConn

	mu struct {
		sync.Mutex
		// waiting are those who wait, by attempt, the first to ask first. Each channel has room for one and is never closed.
		waiting map[string][]chan received
	}
}

func newDescriptors(socket *net.UnixConn) *descriptors {
	d := &descriptors{socket: socket}
	d.mu.waiting = map[string][]chan received{}
	return d
}

// expect says that a descriptor may come; whoever does not take it has to forget it.
func (d *descriptors) expect(attempt string) chan received {
	file := make(chan received, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.waiting[attempt] = append(d.mu.waiting[attempt], file)
	return file
}

// forget waits no longer. What has come by now is closed; so is what comes later, or another who waits for the same
// attempt gets it: it is the same file.
func (d *descriptors) forget(attempt string, file chan received) error {
	d.mu.Lock()
	rest := slices.DeleteFunc(d.mu.waiting[attempt], func(c chan received) bool { return c == file })
	d.setLocked(attempt, rest)
	d.mu.Unlock()
	select {
	case r := <-file:
		return r.close()
	default:
		return nil
	}
}

func (d *descriptors) setLocked(attempt string, waiting []chan received) {
	if len(waiting) == 0 {
		delete(d.mu.waiting, attempt)
		return
	}
	d.mu.waiting[attempt] = waiting
}

// maxNameBytes is the longest name of an attempt.
const maxNameBytes = 1024

// run receives until the socket ends.
func (d *descriptors) run() error {
	name, rights := make([]byte, maxNameBytes), make([]byte, unix.CmsgSpace(4))
	for {
		n, m, flags, _, err := d.socket.ReadMsgUnix(name, rights)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || err == nil && n == 0 && m == 0 {
			return errGone
		}
		var r received
		if err == nil {
			r, err = receive(string(name[:n]), rights[:m], flags)
		}
		if err == nil {
			err = d.deliver(string(name[:n]), r)
		}
		if err != nil {
			return fmt.Errorf("receive a descriptor: %w", err)
		}
	}
}

// receive takes the descriptor out of a packet.
func receive(name string, rights []byte, flags int) (received, error) {
	if flags&unix.MSG_CTRUNC != 0 {
		return received{err: fmt.Errorf("receive a descriptor: %w", unix.EMFILE)}, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return received{}, errors.Join(fmt.Errorf("packet %q has %d control messages, not one", name, len(messages)), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return received{}, errors.Join(fmt.Errorf("packet %q has %d descriptors, not one", name, len(fds)), err)
	}
	return received{file: os.NewFile(uintptr(fds[0]), name)}, nil
}

// deliver hands a descriptor to the first who waits for it.
func (d *descriptors) deliver(attempt string, r received) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := d.mu.waiting[attempt]
	if len(waiting) == 0 {
		return r.close()
	}
	waiting[0] <- r
	d.setLocked(attempt, waiting[1:])
	return nil
}
