package worker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"fletch/internal/machine"
)

// Config sets a worker up. A field that is zero takes its default.
type Config struct {
	// Dir holds what outlives the process: the worker's identity, plugins and logs. It is made if it is missing.
	Dir string
	// ID names the worker in its cluster. Default: what Dir says, or a new random one.
	ID string
	// Cluster is the id of the cluster that the worker has to belong to. Default: what Dir says, or the first that
	// accepts it.
	Cluster string
	// Masters are addresses of masters; one that can be reached is enough to find the leader.
	Masters []string
	// Listen is the address of the HTTP server. Default: any free port of 127.0.0.1.
	Listen string
	// Advertise is the address by which others reach it. Default: the one that it listens on.
	Advertise string
	// Insecure permits to listen beyond loopback.
	Insecure bool
	// Version is that of this program, for the masters to show.
	Version string
	// Slots is how many attempts run at a time; those that wait for data use no core. Default: two per core, as the tables of
	// more contend for its caches.
	Slots int
	// Parallelism is how many cores an executor uses at a time. Default: all.
	Parallelism int
	// MemoryBytes is what executors and blocks may use together. Default: half of the machine's, or of the cgroup's limit.
	MemoryBytes int64
	// StuckAfter is how long an attempt may go without finishing a record. Default: 10 minutes.
	StuckAfter time.Duration
	// Executable is the program whose command "executor serve" is an executor. Default: this program.
	Executable string
	// Log takes what the agent does. Default: nothing is logged.
	Log *slog.Logger

	// check says whether this program can open a plugin; one that was fetched just now has its SHA-256. Default: checkPlugin.
	check func(path, sha256 string, fetched bool) error
	// waits are shortened by tests.
	waits waits
}

// waits are the deadlines of the agent.
type waits struct {
	hello   time.Duration // of a new executor, until it speaks; of a master, until it answers
	load    time.Duration // of an executor, until the job is loaded
	stop    time.Duration // of an attempt, until it has obeyed a Stop
	end     time.Duration // of an executor, until it has ended
	dump    time.Duration // of an executor, until it has shown its stacks
	fetch   time.Duration // of a plugin, until it is here
	poll    time.Duration // between two looks at the executors' memory
	shrink  time.Duration // of an executor, until it has got used to a smaller share
	send    time.Duration // of a reader of a log, until it has taken a piece
	backoff time.Duration // the longest between two attempts to reach a master
}

var defaultWaits = waits{
	hello:   10 * time.Second,
	load:    30 * time.Second,
	stop:    10 * time.Second,
	end:     2 * time.Second,
	dump:    2 * time.Second,
	fetch:   2 * time.Minute,
	poll:    100 * time.Millisecond,
	shrink:  5 * time.Second,
	send:    30 * time.Second,
	backoff: time.Second,
}

const (
	slotsPerCore  = 2
	maxSlots      = 4096
	defaultListen = "127.0.0.1:0"
)

// withDefaults returns the configuration with its defaults, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	require(c.Dir != "", "the worker's data directory is missing")
	require(len(c.Masters) > 0, "the addresses of the masters are missing")
	require(c.ID == "" || validName(c.ID), "worker id %q: want letters, digits, '-' and '.', at most %d", c.ID, maxName)
	require(c.Slots >= 0 && c.Slots <= maxSlots, "%d slots: want 1 to %d", c.Slots, maxSlots)
	require(c.Parallelism >= 0, "parallelism %d: want at least 1", c.Parallelism)
	require(c.MemoryBytes == 0 || c.MemoryBytes >= machine.LeastMemory, "memory of %d bytes: want at least %d MiB", c.MemoryBytes, machine.LeastMemory>>20)
	require(c.StuckAfter >= 0, "an attempt is stuck after %v: want a positive duration", c.StuckAfter)
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.Parallelism == 0 {
		c.Parallelism = runtime.GOMAXPROCS(0)
	}
	if c.Slots == 0 {
		c.Slots = slotsPerCore * c.Parallelism
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = machine.DefaultMemory()
	}
	if c.StuckAfter == 0 {
		c.StuckAfter = 10 * time.Minute
	}
	if c.Executable == "" {
		c.Executable = "/proc/self/exe"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.check == nil {
		c.check = checkPlugin
	}
	if c.waits == (waits{}) {
		c.waits = defaultWaits
	}
	return c, errors.Join(errs...)
}

// maxName is the length of the longest name of a job or worker, so that a file name has room for more.
const maxName = 100

// validName tells whether s can be the name of a job or worker, and so of a file.
func validName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.':
		default:
			return false
		}
	}
	return true
}
