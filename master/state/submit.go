package state

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"fletch/engine/plan"
)

// Submit adds a job. The ID is the submitter's choice, so that it can send the command again.
type Submit struct {
	ID       string
	Graph    *plan.Graph          // the job keeps it: it must not change any more
	Splits   map[int][]plan.Split // of every source of files that a stage reads, by node; kept likewise
	Settings Settings
	Plugin   string   // SHA-256 of the job's code; empty in one process
	Args     []string // the job's own; kept likewise
	User     string   // who asks
	At       time.Time
}

func (Submit) isCommand() {}

func (c Submit) jobID() string { return c.ID }

func (c Submit) apply(j *Job) (*Job, error) {
	settings, err := c.Settings.withDefaults()
	if err != nil {
		return j, err
	}
	if j != nil {
		if j.Settings != settings || j.Plugin != c.Plugin || !slices.Equal(j.Args, c.Args) || !reflect.DeepEqual(j.Graph, c.Graph) || !reflect.DeepEqual(j.splits, c.Splits) {
			return j, fmt.Errorf("job ID %s belongs to another job", c.ID)
		}
		return j, nil
	}
	if err := validJobID(c.ID); err != nil {
		return nil, err
	}
	if err := c.bounded(); err != nil {
		return nil, err
	}
	if err := c.Graph.Validate(); err != nil {
		return nil, err
	}
	stages, err := plan.Stages(c.Graph)
	if err != nil {
		return nil, err
	}
	stages, err = plan.Partitions(c.Graph, stages, plan.Facts{Splits: c.Splits, Partitions: settings.Partitions})
	if err != nil {
		return nil, err
	}
	j = &Job{ID: c.ID, Graph: c.Graph, Settings: settings, Plugin: c.Plugin, Args: c.Args, User: c.User, Submitted: c.At, splits: c.Splits, readers: readersOf(stages)}
	for _, s := range stages {
		j.Stages = append(j.Stages, &Stage{Stage: s})
	}
	j.Duty = j.duty()
	return j, nil
}

// What a job may bring along: it is replicated, and kept after the job's end.
const (
	maxNodes     = 10_000
	maxArgsBytes = 1 << 20
)

func (c *Submit) bounded() error {
	size := 0
	for _, arg := range c.Args {
		size += len(arg)
	}
	if size > maxArgsBytes {
		return fmt.Errorf("job %s: its arguments have %d bytes, %d are the most: put long ones into a file", c.ID, size, maxArgsBytes)
	}
	if n := len(c.Graph.Nodes); n > maxNodes {
		return fmt.Errorf("job %s: its graph has %d operators, %d are the most", c.ID, n, maxNodes)
	}
	return nil
}
