// Package cluster runs a cluster as processes of this machine. Up starts masters and workers in the background and waits
// until they serve; Down ends exactly these. What has been started stands in a directory, with everything that the
// processes keep, so that a later Up goes on where the last one stopped.
package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	mathrand "math/rand/v2"

	"fletch/cmd/fletch/flock"
	"fletch/internal/machine"
)

// Config says what to start.
type Config struct {
	Dir         string
	Masters     int   // zero: as many as there are, or 3
	Workers     int   // zero: as many as there are, or 4
	MemoryBytes int64 // of all workers together; zero: half of the machine's
	Cores       int   // of all workers together
	Slots       int   // of each worker; zero: the worker's default
	Program     string
	Wait        time.Duration // until all serve
}

// The numbers of a new cluster.
const (
	defaultMasters = 3
	defaultWorkers = 4
)

// Result is the cluster as it runs.
type Result struct {
	Cluster string     `json:"cluster"`
	Dir     string     `json:"dir"`
	Masters []*Process `json:"masters"`
	Workers []*Process `json:"workers"`
	Started int        `json:"started"` // processes that did not run before
}

// Addresses returns those of the masters.
func (r *Result) Addresses() []string { return (&state{Masters: r.Masters}).addresses() }

// UsageError is a wish that the cluster in the directory can't fulfil.
type UsageError struct{ message string }

func (e *UsageError) Error() string { return e.message }

// stopGrace is how long a process may take to end by itself.
const stopGrace = 12 * time.Second

// Up starts what does not run yet and waits until the whole cluster serves. If that fails, it stops what it has started.
func Up(ctx context.Context, config Config) (*Result, error) {
	lock, err := lockDir(ctx, config.Dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	s, err := load(config.Dir)
	if err == nil {
		s, err = plan(s, config)
	}
	if err == nil {
		err = s.save(config.Dir)
	}
	if err != nil {
		return nil, err
	}
	return s.up(ctx, config)
}

// lockDir makes and locks a cluster's directory, which a Down may be about to delete.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		lock, err := flock.Take(ctx, filepath.Join(dir, "lock"))
		if !errors.Is(err, os.ErrNotExist) {
			return lock, err
		}
	}
}

// plan returns the state with all processes that are to run, each with its address.
func plan(s *state, config Config) (*state, error) {
	if s == nil {
		id := make([]byte, 8)
		rand.Read(id) // it never fails: crypto/rand ends the process instead
		s = &state{Format: stateFormat, Cluster: hex.EncodeToString(id)}
		config.Masters, config.Workers = orDefault(config.Masters, defaultMasters), orDefault(config.Workers, defaultWorkers)
	}
	masters, workers := orDefault(config.Masters, len(s.Masters)), orDefault(config.Workers, len(s.Workers))
	if len(s.Masters) > 0 && masters != len(s.Masters) {
		return nil, &UsageError{fmt.Sprintf("the cluster in %s has %d masters, which stay what they are: leave out --masters, "+
			"or begin anew after fletch cluster down --delete", config.Dir, len(s.Masters))}
	}
	if least := machine.LeastMemory * int64(workers); config.MemoryBytes > 0 && config.MemoryBytes < least {
		return nil, &UsageError{fmt.Sprintf("a memory of %d MiB for %d workers: want at least %d MiB, which is %d for each of them, or fewer --workers",
			config.MemoryBytes>>20, workers, least>>20, machine.LeastMemory>>20)}
	}
	ports := newPorts(s)
	var err error
	if s.Masters, err = ports.extend(s.Masters, "m", masters); err != nil {
		return nil, err
	}
	s.Workers, err = ports.extend(s.Workers, "w", workers)
	return s, err
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// The ports that are chosen from: none that the kernel gives to connections by itself, as such a port may be in use when
// the cluster starts again.
const firstPort, endPort = 12_000, 32_000

// ports chooses ports that nobody listens on.
type ports map[string]bool // the addresses that are taken

func newPorts(s *state) ports {
	taken := make(ports)
	for _, p := range s.all() {
		taken[p.Address] = true
	}
	return taken
}

// extend adds processes up to n.
func (taken ports) extend(list []*Process, prefix string, n int) ([]*Process, error) {
	for len(list) < n {
		address, err := taken.choose()
		if err != nil {
			return nil, err
		}
		list = append(list, &Process{ID: prefix + strconv.Itoa(len(list)+1), Address: address})
	}
	return list, nil
}

func (taken ports) choose() (string, error) {
	var err error
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+mathrand.IntN(endPort-firstPort)))
		if taken[address] {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", address); err != nil { //nolint:noctx // it does not wait
			continue
		}
		taken[address] = true
		return address, l.Close()
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

// up starts what is planned and does not run.
func (s *state) up(ctx context.Context, config Config) (*Result, error) {
	workers := s.Workers
	if config.Workers > 0 {
		workers = workers[:min(config.Workers, len(workers))]
	}
	var started []*daemon
	run := func(p *Process, args []string) error {
		if p.running() {
			return nil
		}
		d, err := startDaemon(config.Dir, config.Program, p, args...)
		if d != nil {
			started = append(started, d)
		}
		return err
	}
	var err error
	for _, m := range s.Masters {
		err = errors.Join(err, run(m, s.masterArgs(config, m)))
	}
	for _, w := range workers {
		err = errors.Join(err, run(w, s.workerArgs(config, w, len(workers))))
	}
	err = errors.Join(err, s.save(config.Dir))
	result := &Result{s.Cluster, config.Dir, s.Masters, running(s.Workers), len(started)}
	if err == nil {
		err = ready(ctx, config.Wait, result, started)
	}
	if err == nil {
		return result, nil
	}
	var processes []*Process
	for _, d := range started {
		processes = append(processes, d.Process)
	}
	_, stopErr := stop(processes, stopGrace)
	return nil, errors.Join(err, stopErr, s.save(config.Dir))
}

func running(list []*Process) []*Process {
	out := []*Process{}
	for _, p := range list {
		if p.running() {
			out = append(out, p)
		}
	}
	return out
}

// electionTimeout is short: the masters are neighbours.
const electionTimeout = "300ms"

func (s *state) masterArgs(config Config, m *Process) []string {
	var peers []string
	for _, p := range s.Masters {
		peers = append(peers, p.ID+"="+p.Address)
	}
	return []string{
		"master", "--id", m.ID, "--listen", m.Address, "--advertise", m.Address, "--dir", filepath.Join(config.Dir, m.ID),
		"--cluster", s.Cluster, "--peers", strings.Join(peers, ","), "--election-timeout", electionTimeout,
	}
}

// share is the memory of each of so many workers.
func (c *Config) share(workers int) int64 {
	memory := c.MemoryBytes
	if memory == 0 {
		memory = machine.Memory() / 2
	}
	return max(machine.LeastMemory, memory/int64(workers))
}

func (s *state) workerArgs(config Config, w *Process, workers int) []string {
	args := []string{
		"worker", "--id", w.ID, "--listen", w.Address, "--advertise", w.Address, "--dir", filepath.Join(config.Dir, w.ID),
		"--cluster", s.Cluster, "--master", strings.Join(s.addresses(), ","),
		"--memory", strconv.FormatInt(config.share(workers), 10),
		"--parallelism", strconv.Itoa(max(1, config.Cores/workers)),
	}
	if config.Slots > 0 {
		args = append(args, "--slots", strconv.Itoa(config.Slots))
	}
	return args
}
