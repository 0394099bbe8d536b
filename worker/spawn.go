package worker

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
)

// spawner starts processes from one thread. A process's parent-death signal is sent when the thread that has started it
// ends, so that thread must live as long as the agent.
type spawner struct {
	requests chan spawnRequest // unbuffered; never closed
	gone     chan struct{}     // closed when run has ended
}

type spawnRequest struct {
	cmd  *exec.Cmd
	done chan error // capacity 1
}

func newSpawner() *spawner {
	return &spawner{requests: make(chan spawnRequest), gone: make(chan struct{})}
}

// run serves start until ctx ends. What was started has to have ended by then: it is killed with the thread.
func (s *spawner) run(ctx context.Context) {
	runtime.LockOSThread() // and never unlock: the thread ends with this goroutine
	defer close(s.gone)
	for {
		select {
		case r := <-s.requests:
			r.done <- r.cmd.Start()
		case <-ctx.Done():
			return
		}
	}
}

// start starts cmd.
func (s *spawner) start(cmd *exec.Cmd) error {
	r := spawnRequest{cmd: cmd, done: make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.done
	case <-s.gone:
		return errors.New("the agent has ended")
	}
}
