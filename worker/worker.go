package worker

import (
	"context"
	"errors"
	"net"
)

// Worker is the agent of one machine.
type Worker struct {
	config      Config
	dir         *directory
	incarnation string
	listener    net.Listener
	address     string // as others know it
}

// New opens the data directory and listens. It starts nothing; Run has to be called once.
func New(config Config) (*Worker, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, err := openDirectory(config.Dir, config.ID, config.Cluster)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, errors.Join(err, dir.close())
	}
	return &Worker{config: config, dir: dir, incarnation: lowerText(), listener: l, address: l.Addr().String()}, nil
}

// Address returns the address of the worker's HTTP server, as others reach it.
func (w *Worker) Address() string { return w.address }

// ID returns the worker's name in its cluster.
func (w *Worker) ID() string { return w.dir.identity.ID }

// Run serves until ctx ends, and returns nil then, or until the worker can't go on. All that it has started has ended
// when it returns.
func (w *Worker) Run(ctx context.Context) error {
	<-ctx.Done()
	return errors.Join(w.listener.Close(), w.dir.close())
}
