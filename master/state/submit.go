package state

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"fletch/engine/plan"
)

// Submit adds a job. The ID is the submitter's choice, so that it can send the command again.
type Submit struct {
	ID       string
	Graph    *plan.Graph          // the job keeps it: it must not change any more
	Splits   map[int][]plan.Split // of every source of files that a stage reads, by node; kept likewise
	Settings Settings
	Plugin   string   // SHA-256 of the job's code in hexadecimal digits; empty in one process
	Args     []string // the job's own; kept likewise
	User     string   // who asks
	At       time.Time
}

const (
	maxArgs = 1 << 20 // bytes of all arguments
	maxUser = 300     // bytes
)

func (c Submit) apply(m *Machine) (Outcome, error) {
	if j := m.jobs[c.ID]; j != nil {
		return Outcome{Job: j}, c.same(j)
	}
	j, err := c.job()
	if err != nil {
		return Outcome{}, err
	}
	m.jobs[j.ID] = j
	m.active = append(m.active, j.ID)
	if c.User != "" {
		m.note(AuditEntry{User: c.User, Action: "submit", Subject: c.ID, At: c.At})
	}
	return Outcome{Job: j}, nil
}

// same accepts the job that has the ID if it was made by this command, as far as one that has ended is still known.
func (c Submit) same(j *Job) error {
	settings, err := c.Settings.withDefaults()
	if err != nil {
		return err
	}
	same := j.Settings == settings && j.Plugin == c.Plugin && slices.Equal(j.Args, c.Args) && j.MadeOf(c.Graph)
	if !j.Status.Ended() {
		same = same && reflect.DeepEqual(j.splits, c.Splits)
	}
	if !same {
		return fmt.Errorf("job ID %s belongs to another job", c.ID)
	}
	return nil
}

// job returns the new job.
func (c Submit) job() (*Job, error) {
	settings, err := c.validate()
	if err != nil {
		return nil, err
	}
	stages, err := plan.Stages(c.Graph)
	if err != nil {
		return nil, err
	}
	stages, err = plan.Settle(c.Graph, stages, plan.Facts{Splits: c.Splits, Partitions: settings.Partitions})
	if err != nil {
		return nil, err
	}
	j := &Job{
		ID: c.ID, Graph: c.Graph, Settings: settings, Plugin: c.Plugin, Args: c.Args, User: c.User, Submitted: c.At,
		splits: c.Splits,
	}
	for _, s := range stages {
		j.Stages = append(j.Stages, &Stage{Stage: s, InputBytes: inputBytes(&s, c.Splits[s.Root])})
	}
	j.exchanges = exchangesOf(c.Graph, j.Stages)
	j.Duty = j.duty()
	return j, nil
}

func (c Submit) validate() (Settings, error) {
	if err := validJobID(c.ID); err != nil {
		return Settings{}, err
	}
	args := 0
	for _, arg := range c.Args {
		args += len(arg)
	}
	switch {
	case args > maxArgs:
		return Settings{}, fmt.Errorf("job %s has %d bytes of arguments, more than %d: put long lists into a file", c.ID, args, maxArgs)
	case len(c.Args) > maxArgs/16:
		return Settings{}, fmt.Errorf("job %s has %d arguments, more than %d: put long lists into a file", c.ID, len(c.Args), maxArgs/16)
	case c.Plugin != "" && (len(c.Plugin) != 64 || strings.Trim(c.Plugin, "0123456789abcdef") != ""):
		return Settings{}, fmt.Errorf("job %s: %.*q is no SHA-256 of a plugin", c.ID, maxJobID, c.Plugin)
	case len(c.User) > maxUser:
		return Settings{}, fmt.Errorf("job %s: the user's name has %d bytes, more than %d", c.ID, len(c.User), maxUser)
	}
	if err := c.Graph.Validate(); err != nil {
		return Settings{}, err
	}
	return c.Settings.withDefaults()
}

// inputBytes is the size of the files' ranges that a stage reads of a source.
func inputBytes(s *plan.Stage, splits []plan.Split) (n int64) {
	if s.Thin {
		splits = plan.Sampled(splits)
	}
	for i := range splits {
		for _, f := range splits[i].Files {
			n += f.Length
		}
	}
	return n
}
