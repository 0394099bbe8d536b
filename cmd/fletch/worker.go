package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/config"
	"fletch/internal/machine"
	"fletch/worker"
)

// workerSettings are those of a worker.
type workerSettings struct {
	id, listen, advertise, dir, cluster string
	masters                             []string
	slots, parallelism                  int
	memory                              int64
	stuck                               time.Duration
	insecure                            bool
	log                                 logSettings
}

func (s *workerSettings) section() config.Section {
	return config.Section{Name: "worker", Settings: append([]config.Setting{
		{Name: "master", Usage: "serve the masters at `ADDRESSES`: host:port,... (default: " + defaultMasterAddress + ")", Value: config.Addresses(&s.masters)},
		{Name: "listen", Usage: "serve on `HOST:PORT` (default: a free port of 127.0.0.1)", Value: config.Address(&s.listen)},
		{Name: "advertise", Usage: "be known to others as `HOST:PORT` (default: where it listens)", Value: config.Address(&s.advertise)},
		{Name: "dir", Usage: "keep the data in `DIR` (default: fletch/worker in $XDG_STATE_HOME)", Value: config.Text(&s.dir)},
		{Name: "id", Usage: "be the worker `NAME` (default: what DIR says, or a new name)", Value: config.Text(&s.id)},
		{Name: "cluster", Usage: "belong to the cluster `NAME` (default: what DIR says, or any)", Value: config.Text(&s.cluster)},
		{Name: "slots", Usage: "run up to `N` attempts at a time (default: 2 for each core)", Value: config.Count(&s.slots, 1, 1<<14)},
		{Name: "parallelism", Usage: "let a job use `N` cores at a time (default: all)", Value: config.Count(&s.parallelism, 1, 4096)},
		{Name: "memory", Usage: "use up to `SIZE`, such as 8GiB (default: half of the memory)", Value: config.Size(&s.memory, machine.LeastMemory, 1<<60)},
		{Name: "stuck-after", Usage: "give up an attempt that finishes no record for `DURATION` (default: 10m)", Value: config.Duration(&s.stuck, time.Second)},
		{Name: "insecure", Usage: "listen beyond this machine: whoever reaches the port can read intermediate data", Value: config.Switch(&s.insecure)},
	}, s.log.settings()...)}
}

func workerCommand() *cli.Command {
	var s workerSettings
	return command(&cli.Command{
		Name: "worker", Usage: "be a worker",
		Description: `A worker runs the attempts that the master that leads orders, each job's in a process of its
own, and serves what they have made to the other workers.

It serves until SIGTERM or Ctrl-C; http://HOST:PORT has /livez, /readyz and /metrics.`,
	}, s.run, s.section())
}

// run is a worker until a signal asks for its end.
func (s *workerSettings) run(c *cli.Context) (err error) {
	if s.dir == "" {
		if s.dir, err = stateDir("worker"); err != nil {
			return err
		}
	}
	if len(s.masters) == 0 {
		s.masters = []string{defaultMasterAddress}
	}
	log := s.log.logger(c.App.ErrWriter)
	w, err := worker.New(worker.Config{
		Dir: s.dir, ID: s.id, Cluster: s.cluster, Masters: s.masters, Listen: s.listen, Advertise: s.advertise, Insecure: s.insecure,
		Version: thisVersion().String(), Slots: s.slots, Parallelism: s.parallelism, MemoryBytes: s.memory, StuckAfter: s.stuck, Log: log,
	})
	if err != nil {
		return err
	}
	log.Info("serving", "worker", w.ID(), "address", w.Address(), "dir", s.dir, "version", thisVersion().String())
	return serve(c, log, w.Run)
}
