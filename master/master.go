// Package master is one master of a cluster: a replica of the jobs' state and, while it leads, the loop that plans jobs,
// hands tasks to workers, records which attempts won and publishes outputs. It sees plans, sizes and names; it never
// opens a plugin and never sees a record.
//
//	clients --gRPC--> server.go, submit.go ---- commands ----> replica (Raft, disk) ---> state.Machine
//	                                                              ^                         |
//	workers --stream--> connection.go --> leader.go: the loop ----+--- reads snapshots -----+
//	                                        | schedule, orders.go: starts and stops
//	                                        | duties.go: plan, publish
//	                                        | commands.go: batches of proposals
//
// One goroutine, the leader's loop, owns everything that lives for one term: which workers are connected, what runs
// where, and what has been proposed. Everything else that must survive is in the replicated state; a new leader finds it
// there and learns the rest from the workers, which reconnect and report what they run.
package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"fletch/api"
	"fletch/master/replica"
	"fletch/plugins"
	"fletch/serve"
)

// Config sets a master up.
type Config struct {
	// ID names the master within its cluster, for ever.
	ID string
	// Dir keeps its state: the log, snapshots and plugins.
	Dir string
	// Listen is the address of its one port, for clients, workers and other masters.
	Listen string
	// Address is what others reach it by. Default: what Listen came to.
	Address string
	// Peers are the masters that the cluster begins with, this one among them. They count when Dir is empty; a master
	// that joins an existing cluster has none.
	Peers []replica.Server
	// Cluster is the cluster's identity, the same on all masters. Dir belongs to it once it has been used.
	Cluster string
	// Insecure permits a Listen beyond loopback, where anybody who reaches the port can run code on the workers.
	Insecure bool
	// ElectionTimeout is how long a master waits for a silent leader before it stands for election. Default: 1 s.
	ElectionTimeout time.Duration
	// LostAfter is how long a worker may be gone before its tasks run elsewhere. Default: 10 s.
	LostAfter time.Duration
	// Version is of this program, for people.
	Version string
	// Log takes what the master logs. Default: nothing is logged.
	Log *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	var errs []error
	for _, field := range []struct{ name, value string }{{"ID", c.ID}, {"Dir", c.Dir}, {"Listen", c.Listen}, {"Cluster", c.Cluster}} {
		if field.value == "" {
			errs = append(errs, fmt.Errorf("master: %s is missing", field.name))
		}
	}
	c.ElectionTimeout = cmp.Or(c.ElectionTimeout, time.Second)
	c.LostAfter = cmp.Or(c.LostAfter, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, errors.Join(errs...)
}

// Master is one master.
type Master struct {
	config   Config
	address  string
	listener net.Listener
	mux      *serve.Mux
	replica  *replica.Replica
	plugins  *plugins.Store
	quorums  quorums
	peers    peers
	pid      int64
	metrics  *metrics

	// leading is the loop of the current term while this master leads.
	leading atomic.Pointer[leader]
}

// New opens the master's directory and its port; Run serves.
func New(config Config) (*Master, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	listener, err := serve.Listen(config.Listen, config.Insecure)
	if err != nil {
		return nil, err
	}
	m := &Master{config: config, listener: listener, mux: serve.NewMux(listener), metrics: newMetrics(), pid: int64(os.Getpid())}
	m.address = cmp.Or(config.Address, listener.Addr().String())
	m.replica, err = replica.Open(replica.Config{
		ID: config.ID, Address: m.address, Dir: filepath.Join(config.Dir, "raft"), Cluster: config.Cluster,
		Bootstrap: config.Peers, Listener: m.mux.Raft(), Log: config.Log, ElectionTimeout: config.ElectionTimeout,
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	m.plugins, err = plugins.NewStore(filepath.Join(config.Dir, "plugins"))
	if err != nil {
		return nil, errors.Join(err, m.replica.Close(), listener.Close())
	}
	return m, nil
}

// Address is what clients, workers and masters reach this master by.
func (m *Master) Address() string { return m.address }

// Run serves until ctx ends or a part fails.
func (m *Master) Run(ctx context.Context) error {
	server := grpc.NewServer(api.ServerOptions()...)
	api.RegisterClusterServer(server, &clusterServer{Master: m})
	api.RegisterWorkersServer(server, &workersServer{Master: m})

	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return m.mux.Run(inner) })
	g.Go(func() error { return m.replica.Run(inner) })
	g.Go(func() error { return m.replica.Leading(inner, m.lead) })
	g.Go(func() error { return m.collectPlugins(inner) })
	g.Go(func() error {
		return serve.HTTP(inner, m.mux.HTTP(), serve.Health(m.live, m.ready, m.metrics.registry))
	})
	g.Go(func() error { return serve.GRPC(inner, m.mux.GRPC(), server) })
	err := errors.Join(g.Wait(), m.peers.close())
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// live has nothing to ask: a replica that can't write ends the process.
func (m *Master) live() error { return nil }

// ready tells whether this master knows a leader, so that it can at least send clients there.
func (m *Master) ready() error {
	if _, ok := m.replica.Leader(); !ok {
		return errors.New("no leader is known")
	}
	return nil
}

// leader returns the loop of the current term, or an error with the address of the master that leads.
func (m *Master) leader() (*leader, error) {
	if l := m.leading.Load(); l != nil {
		return l, nil
	}
	return nil, m.notLeader()
}

func (m *Master) notLeader() error {
	server, ok := m.replica.Leader()
	if !ok || server.ID == m.config.ID { // it is about to lead
		return &api.NotLeader{}
	}
	return &api.NotLeader{Leader: server.Address}
}

type metrics struct {
	registry *prometheus.Registry
	leads    prometheus.Gauge
	term     prometheus.Gauge
	workers  prometheus.Gauge
	running  prometheus.Gauge
	ended    *prometheus.CounterVec
	applied  prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{registry: serve.NewRegistry()}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "fletch", Subsystem: "master", Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	m.leads = gauge("leads", "1 while this master leads.")
	m.term = gauge("term", "The last term in which this master led.")
	m.workers = gauge("workers", "Connected workers; 0 where this master does not lead.")
	m.running = gauge("running_attempts", "Attempts ordered and not ended; 0 where this master does not lead.")
	m.ended = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "fletch", Subsystem: "master", Name: "attempts_ended_total", Help: "Attempts by outcome.",
	}, []string{"outcome"})
	m.applied = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "fletch", Subsystem: "master", Name: "apply_seconds", Help: "Time to make a batch of commands durable on a quorum.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
	})
	m.registry.MustRegister(m.ended, m.applied)
	return m
}
