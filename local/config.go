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

	"fletch/engine/plan"
	"fletch/internal/machine"
)

// Config says how jobs run. A field that is zero takes its default.
type Config struct {
	// Parallelism is how many tasks use a core at a time. Default: the number of cores.
	Parallelism int
	// Partitions is the number of hash partitions where an operator names none. Default: it follows the input's size.
	Partitions int
	// MemoryBytes is the memory that the engine aims at: half of it is for what tasks keep, a fifth for blocks, and both are
	// written out beyond that; the whole is the garbage collector's limit. Fewer tasks run at a time where each would have
	// less than 16 MiB. Default: half of the machine's, or of the cgroup's limit.
	MemoryBytes int64
	// TempDir is where intermediate data goes that memory does not hold. Default: the system's directory for such files.
	TempDir string
	// MaxLineBytes is the length of the longest line of text that is accepted. Default: 16 MiB.
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

// Settings are the settings that stand in the environment, in the order of help texts.
var Settings = []Setting{
	{"FLETCH_PARALLELISM", "parallelism", false, "let `N` tasks use a core at a time (default: as many as cores)",
		number(maxParallelism, func(c *Config) *int { return &c.Parallelism })},
	{"FLETCH_PARTITIONS", "partitions", false, "make `N` hash partitions (default: by the input's size)",
		number(plan.MaxPartitions, func(c *Config) *int { return &c.Partitions })},
	{"FLETCH_MEMORY", "memory", false, "use up to `SIZE`, such as 512MiB (default: half of the memory)",
		size(machine.LeastMemory, 1<<60, func(c *Config, n int64) { c.MemoryBytes = n })},
	{"FLETCH_TMP", "tmp", false, "put intermediate data into `DIR` (default: the system's)",
		func(c *Config, value string) error { c.TempDir = value; return nil }},
	{"FLETCH_MAX_LINE", "max-line", false, "refuse longer lines of text than `SIZE` (default: 16MiB)",
		size(1, maxLine, func(c *Config, n int64) { c.MaxLineBytes = int(n) })},
	{"FLETCH_EXPLAIN", "explain", true, "print the plan and do not run the job",
		on(func(c *Config) *bool { return &c.Explain })},
	{"FLETCH_JSON", "json", true, "print the result as JSON on standard output",
		on(func(c *Config) *bool { return &c.JSON })},
	{"FLETCH_QUIET", "quiet", true, "print neither progress nor a summary",
		on(func(c *Config) *bool { return &c.Quiet })},
}

// Setting is one setting of Config: a variable of the environment and a flag of fletch run.
type Setting struct {
	Env, Flag string
	Switch    bool   // it is on or off
	Usage     string // with the name of the value in backquotes, as in package flag
	set       func(*Config, string) error
}

// Set sets the setting from its text; an empty one leaves the default. The error says what is wanted, not of whom.
func (s *Setting) Set(c *Config, value string) error {
	if value == "" {
		return nil
	}
	return s.set(c, value)
}

// FromEnv returns the configuration that the environment gives. It reports every wrong value, by its variable.
func FromEnv(getenv func(string) string) (Config, error) {
	var c Config
	var errs []error
	for _, s := range Settings {
		value := getenv(s.Env)
		if err := s.Set(&c, value); err != nil {
			errs = append(errs, fmt.Errorf("%s=%s: %w", s.Env, value, err))
		}
	}
	return c, errors.Join(errs...)
}

const (
	maxParallelism = 4096
	maxLine        = 1 << 30 // a line has to fit into a column of a batch with others
)

func number(limit int, field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > limit {
			return fmt.Errorf("want a number from 1 to %d", limit)
		}
		*field(c) = n
		return nil
	}
}

func on(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, value string) error {
		on, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("want true or false")
		}
		*field(c) = on
		return nil
	}
}

func size(least, most int64, set func(*Config, int64)) func(*Config, string) error {
	return func(c *Config, value string) error {
		n, err := ParseSize(value)
		switch {
		case err != nil:
			return errors.New("want a size with its unit, such as 512MiB or 2GB")
		case n < least:
			return fmt.Errorf("want at least %d MiB", least>>20)
		case n > most:
			return fmt.Errorf("want at most %d MiB", most>>20)
		}
		set(c, n)
		return nil
	}
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
	require(c.Partitions >= 0 && c.Partitions <= plan.MaxPartitions, "partitions %d: want 1 to %d", c.Partitions, plan.MaxPartitions)
	require(c.MemoryBytes == 0 || c.MemoryBytes >= machine.LeastMemory, "memory of %d bytes: want at least %d MiB", c.MemoryBytes, machine.LeastMemory>>20)
	require(c.MaxLineBytes >= 0 && c.MaxLineBytes <= maxLine, "longest line of %d bytes: want 1 to %d", c.MaxLineBytes, maxLine)
	if c.Parallelism == 0 {
		c.Parallelism = runtime.GOMAXPROCS(0)
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = machine.DefaultMemory()
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
