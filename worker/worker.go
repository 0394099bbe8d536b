package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"

	"fletch/plugins"
	"fletch/serve"
)

// Worker is the agent of one machine.
type Worker struct {
	config      Config
	id          string
	dir         *directory
	incarnation string
	listener    net.Listener
	address     string // as others know it
	spawner     *spawner
	plugins     *plugins.Store
	logs        *logs
	outputs     *outputs
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
	w := &Worker{config: config, id: dir.identity.ID, dir: dir, incarnation: lowerText(), spawner: newSpawner()}
	if err := w.open(); err != nil {
		return nil, errors.Join(err, dir.close())
	}
	return w, nil
}

func (w *Worker) open() (err error) {
	if w.plugins, err = plugins.NewCache(w.dir.plugins()); err != nil {
		return err
	}
	if w.logs, err = openLogs(w.dir.logs()); err != nil {
		return fmt.Errorf("open the jobs' logs: %w", err)
	}
	if w.outputs, err = newOutputs(w.config.blockBytes()); err != nil {
		return err
	}
	if w.listener, err = serve.Listen(w.config.Listen, w.config.Insecure); err != nil {
		return err
	}
	w.address = cmp.Or(w.config.Advertise, w.listener.Addr().String())
	if host, _, err := net.SplitHostPort(w.address); err != nil || net.ParseIP(host).IsUnspecified() {
		return errors.Join(fmt.Errorf("others can't reach this worker at %s: say how with --advertise", w.address), w.listener.Close())
	}
	return nil
}

// Address returns the address of the worker's HTTP server, as others reach it.
func (w *Worker) Address() string { return w.address }

// ID returns the worker's name in its cluster.
func (w *Worker) ID() string { return w.id }

// Run serves until ctx ends, and returns nil then, or until the worker can't go on. All that it has started has ended
// when it returns.
func (w *Worker) Run(ctx context.Context) error {
	// The thread that starts executors outlives them: the kernel kills them with it.
	spawning, stopSpawner := context.WithCancel(context.WithoutCancel(ctx))
	var spawner errgroup.Group
	spawner.Go(func() error { w.spawner.run(spawning); return nil })

	g, ctx := errgroup.WithContext(ctx)
	a := newAgent(ctx, w, g)
	g.Go(a.loop)
	g.Go(func() error { return a.link.run(ctx) })
	g.Go(func() error { return serve.HTTP(ctx, w.listener, a.handler()) })
	err := g.Wait()
	stopSpawner()
	return errors.Join(err, spawner.Wait(), a.close(), w.dir.close())
}
