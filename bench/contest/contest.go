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
	Program string                              // path of the executable
	Args    func(input, output string) []string // output is a path that doesn't exist yet
}

// Contest is one piece of work for several contestants.
type Contest struct {
	Name        string
	Input       string // path of a file
	Scratch     string // directory for results; what is written there is removed again
	Rounds      int
	Timeout     time.Duration // of one run
	Contestants []Contestant
	Progress    io.Writer // a line for each round
}

// Score is what a contestant took: the medians of its times, and its highest peak.
type Score struct {
	Contestant string
	Usage
}

// Run lets every contestant run once to warm up, which fills the page cache and proves that all results are the same,
// and then Rounds times in turn, comparing all further results as well. Scores are in the order of the contestants.
func (c Contest) Run(ctx context.Context) (scores []Score, err error) {
	scratch, err := os.MkdirTemp(c.Scratch, "contest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
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
	scratch   string
	reference string    // the first result, kept to name differences
	digest    digest    // of the reference
	usages    [][]Usage // by contestant
}

// run lets contestant i run once. Round 0 is the warm-up.
func (r *rounds) run(ctx context.Context, round, i int) error {
	contestant := r.Contestants[i]
	output := filepath.Join(r.scratch, fmt.Sprintf("%s-%d", contestant.Name, round))
	limited, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("took longer than %v", r.Timeout))
	defer cancel()
	usage, err := run(limited, contestant.Program, contestant.Args(r.Input, output)...)
	if err != nil {
		return err
	}
	if round > 0 {
		r.usages[i] = append(r.usages[i], usage)
	}
	fmt.Fprintf(r.Progress, " %s %v", contestant.Name, usage.Wall.Round(time.Millisecond))
	return r.check(output)
}

// check compares a result with the first one.
func (r *rounds) check(output string) error {
	d, err := digestRows(output)
	if err != nil {
		return err
	}
	if r.reference == "" {
		r.reference, r.digest = output, d
		return nil
	}
	if d != r.digest {
		return difference(r.reference, output)
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
