package contest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Contestant is a program that does the work.
type Contestant struct {
	Name    string
	Program string                       // path of the executable
	Args    func(output string) []string // output is an absolute path that doesn't exist yet
	Env     []string                     // NAME=value, beside this process's own environment
	// Servers are the processes that do the work where Program only asks for it: the memory of these and of what they
	// start counts in place of the program's.
	Servers []int
}

// Contest is one piece of work for several contestants.
type Contest struct {
	Name        string
	Scratch     string // directory for results and temporary files; what is written there is removed again
	Rounds      int
	Timeout     time.Duration // of one run
	Judge       Judge
	Contestants []Contestant
	Progress    io.Writer // a line for each round
}

// Judge compares results.
type Judge interface {
	// Check returns an error that says what is wrong with a result, which is a file or a directory. The first result
	// that is right stays where it is until the contest is over; others may be compared with it.
	Check(result string) error
}

// Score is what a contestant took: the medians of its times, and its highest peak.
type Score struct {
	Contestant string
	Usage
}

// Run lets every contestant run once to warm up, which fills the page cache and proves that all results are right, and
// then Rounds times in turn, checking all further results as well. Scores are in the order of the contestants.
//
// Programs find a directory for temporary files of their own in TMPDIR. What is left there at the end is an error.
func (c Contest) Run(ctx context.Context) (scores []Score, err error) {
	scratch, err := os.MkdirTemp(c.Scratch, "contest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if scratch, err = filepath.Abs(scratch); err != nil {
		return nil, err
	}
	r := rounds{Contest: c, scratch: scratch, usages: make([][]Usage, len(c.Contestants))}
	for round := range c.Rounds + 1 {
		fmt.Fprintf(c.Progress, "%s: round %d of %d:", c.Name, round, c.Rounds)
		for i := range c.Contestants {
			if err := r.run(ctx, round, i); err != nil {
				fmt.Fprintln(c.Progress)
				return nil, fmt.Errorf("%s: %s: %w", c.Name, c.Contestants[i].Name, err)
			}
		}
		fmt.Fprintln(c.Progress)
	}
	for i, contestant := range c.Contestants {
		scores = append(scores, Score{Contestant: contestant.Name, Usage: summary(r.usages[i])})
	}
	return scores, nil
}

// rounds is the state of a contest that runs.
type rounds struct {
	Contest
	scratch string
	kept    bool      // the first result is there
	usages  [][]Usage // by contestant
}

// run lets contestant i run once. Round 0 is the warm-up.
func (r *rounds) run(ctx context.Context, round, i int) error {
	contestant := r.Contestants[i]
	output := filepath.Join(r.scratch, fmt.Sprintf("%s-%d", contestant.Name, round))
	temporary := output + ".tmp"
	if err := os.Mkdir(temporary, 0o755); err != nil {
		return err
	}
	limited, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("took longer than %v", r.Timeout))
	defer cancel()
	usage, err := run(limited, process{
		program: contestant.Program, args: contestant.Args(output), env: append([]string{"TMPDIR=" + temporary}, contestant.Env...),
		servers: contestant.Servers,
	})
	if err != nil {
		return err
	}
	if round > 0 {
		r.usages[i] = append(r.usages[i], usage)
	}
	fmt.Fprintf(r.Progress, " %s %v", contestant.Name, usage.Wall.Round(time.Millisecond))
	if err := isEmpty(temporary); err != nil {
		return err
	}
	return r.check(output)
}

// isEmpty returns an error that names a file of the directory.
func isEmpty(dir string) error {
	left, err := os.ReadDir(dir)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("it leaves temporary files behind: %s", left[0].Name())
	}
	return err
}

// check has the result judged and removes all but the first one.
func (r *rounds) check(output string) error {
	if err := r.Judge.Check(output); err != nil {
		return err
	}
	if !r.kept {
		r.kept = true
		return nil
	}
	return os.RemoveAll(output)
}

func summary(usages []Usage) Usage {
	var u Usage
	var walls, cpus []time.Duration
	for _, of := range usages {
		walls = append(walls, of.Wall)
		cpus = append(cpus, of.CPU)
		u.PeakBytes = max(u.PeakBytes, of.PeakBytes)
	}
	u.Wall, u.CPU = median(walls), median(cpus)
	return u
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return (d[(len(d)-1)/2] + d[len(d)/2]) / 2
}
