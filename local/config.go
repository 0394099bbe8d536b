package local

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Config says how jobs run. A field that is zero takes its default.
type Config struct {
	// Parallelism is how many tasks use a core at a time. Default: the number of cores.
	Parallelism int
	// Partitions is the number of hash partitions where an operator names none. Default: it follows the input's size.
	Partitions int
	// MemoryBytes is the memory that the engine may use. Default: half of the machine's, or of the cgroup's limit.
	MemoryBytes int64
	// TempDir is where intermediate data goes that memory does not hold. Default: the system's directory for such files.
	TempDir string
	// MaxLineBytes is the length at which a line of text is refused. Default: 16 MiB.
	MaxLineBytes int
	// Explain prints the plan instead of running it, for Main.
	Explain bool
	// JSON prints the result as JSON on standard output, for Main.
	JSON bool
	// Quiet prints no progress and no summary, for Main.
	Quiet bool
	// Log takes what the engine and user code log. Default: nothing is logged; Main logs to standard error.
	Log *slog.Logger
}

// Settings names the settings that stand in the environment, in the order of help texts.
var Settings = []Setting{
	{"FLETCH_PARALLELISM", "parallelism", "N", "tasks that use a core at a time (default: the cores)"},
	{"FLETCH_PARTITIONS", "partitions", "N", "hash partitions, and so part files (default: follows the input's size)"},
	{"FLETCH_MEMORY", "memory", "SIZE", "memory to use, such as 512MiB (default: half of the machine's)"},
	{"FLETCH_TMP", "tmp", "DIR", "directory for intermediate data (default: the system's)"},
	{"FLETCH_MAX_LINE", "max-line", "SIZE", "longest line of text to accept (default: 16MiB)"},
	{"FLETCH_EXPLAIN", "explain", "", "print the plan and do not run it"},
	{"FLETCH_JSON", "json", "", "print the result as JSON on standard output"},
	{"FLETCH_QUIET", "quiet", "", "print neither progress nor a summary"},
}

// Setting is one setting of Config: a variable of the environment and a flag of fletch run.
type Setting struct {
	Env, Flag string
	Value     string // what stands for the value in a help text; empty for a switch
	Usage     string
}

// FromEnv returns the configuration that the environment gives. It reports every wrong value, by its variable.
func FromEnv(getenv func(string) string) (Config, error) {
	var c Config
	e := env{getenv: getenv}
	c.Parallelism = e.number("FLETCH_PARALLELISM", maxParallelism)
	c.Partitions = e.number("FLETCH_PARTITIONS", maxPartitions)
	c.MemoryBytes = e.size("FLETCH_MEMORY")
	c.TempDir = getenv("FLETCH_TMP")
	c.MaxLineBytes = int(e.size("FLETCH_MAX_LINE"))
	c.Explain = e.on("FLETCH_EXPLAIN")
	c.JSON = e.on("FLETCH_JSON")
	c.Quiet = e.on("FLETCH_QUIET")
	return c, errors.Join(e.errs...)
}

const (
	maxParallelism = 4096
	maxPartitions  = 100_000
	minMemory      = 64 << 20
	maxLine        = 1 << 30 // a line has to fit into a column of a batch with others
)

// env reads variables and collects what is wrong with them.
type env struct {
	getenv func(string) string
	errs   []error
}

func (e *env) fail(name, value, want string) {
	e.errs = append(e.errs, fmt.Errorf("%s=%s: want %s", name, value, want))
}

func (e *env) number(name string, limit int) int {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > limit {
		e.fail(name, value, fmt.Sprintf("a number from 1 to %d", limit))
	}
	return n
}

func (e *env) on(name string) bool {
	value := e.getenv(name)
	if value == "" {
		return false
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		e.fail(name, value, "true or false")
	}
	return on
}

func (e *env) size(name string) int64 {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	n, err := ParseSize(value)
	if err != nil {
		e.fail(name, value, "a size above zero, such as 512MiB or 2GB")
	}
	return n
}

// units of sizes; the longer names come first, as shorter ones are their ends.
var units = []struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1}, {"", 1},
}

// ParseSize reads a number of bytes with a unit: 512MiB, 1.5 GB, 64k (of 1024), 1000.
func ParseSize(s string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, u := range units {
		number, ok := strings.CutSuffix(lower, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n > 0) || n*u.bytes > 1<<60 || n*u.bytes < 1 {
			break
		}
		return int64(n * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is no size; write a number with a unit, such as 512MiB", s)
}

// withDefaults returns the configuration with its defaults, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	require(c.Parallelism >= 0 && c.Parallelism <= maxParallelism, "parallelism %d: want 1 to %d", c.Parallelism, maxParallelism)
	require(c.Partitions >= 0 && c.Partitions <= maxPartitions, "partitions %d: want 1 to %d", c.Partitions, maxPartitions)
	require(c.MemoryBytes == 0 || c.MemoryBytes >= minMemory, "memory of %d bytes: want at least %d MiB", c.MemoryBytes, minMemory>>20)
	require(c.MaxLineBytes >= 0 && c.MaxLineBytes <= maxLine, "longest line of %d bytes: want 1 to %d", c.MaxLineBytes, maxLine)
	if c.Parallelism == 0 {
		c.Parallelism = runtime.GOMAXPROCS(0)
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = max(machineMemory()/2, minMemory)
	}
	if c.MaxLineBytes == 0 {
		c.MaxLineBytes = 16 << 20
	}
	if c.TempDir == "" {
		c.TempDir = os.TempDir()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return c, errors.Join(errs...)
}
