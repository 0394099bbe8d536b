package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/report"
)

// Submission is a job to be.
type Submission struct {
	ID           string // of NewID
	Graph        *plan.Graph
	Plugin       string // SHA-256 of a plugin that the cluster has
	Args         []string
	User         string
	Partitions   int   // zero: by the input's size
	MaxLineBytes int64 // zero: the default
}

// Job is a job with what its report leaves out.
type Job struct {
	report.Job
	User      string    `json:"user"`
	Submitted time.Time `json:"submitted"`
}

// Submit adds a job. What it returns are warnings for people.
func (c *Client) Submit(ctx context.Context, s Submission) (warnings []string, err error) {
	request := &api.SubmitRequest{
		Id: s.ID, Plugin: s.Plugin, Args: s.Args, Graph: api.GraphOf(s.Graph), User: api.Text(s.User),
		Settings: &api.Settings{Partitions: int32(s.Partitions), MaxLineBytes: s.MaxLineBytes},
	}
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.Submit(ctx, request)
		warnings = reply.GetWarnings()
		return err
	})
	return warnings, err
}

// Job returns a job.
func (c *Client) Job(ctx context.Context, id string) (j Job, err error) {
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.GetJob(ctx, &api.GetJobRequest{Id: id})
		if err == nil {
			j, err = jobOf(reply)
		}
		return err
	})
	return j, err
}

// Jobs returns the latest jobs, the newest first and without their stages, and how many there are. Limit zero: 100.
func (c *Client) Jobs(ctx context.Context, limit int) (jobs []Job, total int, err error) {
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.ListJobs(ctx, &api.ListJobsRequest{Limit: int32(limit)})
		if err != nil {
			return err
		}
		total = int(reply.GetTotal())
		jobs, err = jobsOf(reply.GetJobs())
		return err
	})
	return jobs, total, err
}

// Watch calls see with each change of a job, several times a second at most, until it has ended. It returns its end.
func (c *Client) Watch(ctx context.Context, id string, see func(report.Job)) (Job, error) {
	var last Job
	for {
		err := c.stream(ctx, func(ctx context.Context, master api.ClusterClient) (receive, error) {
			stream, err := master.WatchJob(ctx, &api.GetJobRequest{Id: id})
			return func() error {
				reply, err := stream.Recv()
				if err != nil {
					return err
				}
				if last, err = jobOf(reply); err == nil && see != nil {
					see(last.Job)
				}
				return err
			}, err
		})
		if err != nil || Ended(last.State) {
			return last, err
		}
		if err := pause(ctx, searchStep); err != nil {
			return last, err
		}
	}
}

// Ended tells whether a job in this state goes on no more.
func Ended(s report.State) bool {
	return s == report.Succeeded || s == report.Failed || s == report.Cancelled
}

// Cancel asks for a job's end. It returns the job as it is then, which may be before its end.
func (c *Client) Cancel(ctx context.Context, id, user string) (j Job, err error) {
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.CancelJob(ctx, &api.CancelJobRequest{Id: id, User: api.Text(user)})
		if err == nil {
			j, err = jobOf(reply)
		}
		return err
	})
	return j, err
}

// Explain returns a job's plan as text.
func (c *Client) Explain(ctx context.Context, id string) (text string, err error) {
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.ExplainJob(ctx, &api.GetJobRequest{Id: id})
		text = reply.GetText()
		return err
	})
	return text, err
}

// LogLine is a line that a job's code logged or printed.
type LogLine struct {
	Worker  string    `json:"worker"`
	Attempt string    `json:"attempt"` // empty for what the executor itself printed
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Text    string    `json:"text"`
}

// Logs calls see with each line of a job's log: a worker after the other; with follow also those to come until the job
// has ended. Where the leader changes meanwhile, it goes on behind the lines that were seen.
func (c *Client) Logs(ctx context.Context, id string, follow bool, see func(LogLine) error) error {
	seen := make(map[string]int) // lines by worker, which sends its own always in the same order
	for again := true; again; {
		passed := make(map[string]int)
		err := c.stream(ctx, func(ctx context.Context, master api.ClusterClient) (receive, error) {
			clear(passed)
			stream, err := master.JobLogs(ctx, &api.JobLogsRequest{Id: id, Follow: follow})
			return func() error {
				l, err := stream.Recv()
				if again = !errors.Is(err, io.EOF); err != nil {
					return err
				}
				if passed[l.GetWorker()]++; passed[l.GetWorker()] <= seen[l.GetWorker()] {
					return nil
				}
				seen[l.GetWorker()]++
				return see(LogLine{l.GetWorker(), l.GetAttempt(), time.Unix(0, l.GetTimeUnixNanos()).UTC(), l.GetLevel(), l.GetText()})
			}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// receive receives the next message of a stream and sees to it.
type receive func() error

// stream opens a stream at the leader and receives until it ends: without an error if it came to its end, or broke after
// a first message, so that the search for the leader begins anew.
func (c *Client) stream(ctx context.Context, open func(context.Context, api.ClusterClient) (receive, error)) error {
	return c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		next, err := open(ctx, master)
		for received := false; err == nil; received = true {
			if err = next(); received && elsewhere(err) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
}

func jobOf(m *api.Job) (Job, error) {
	r, err := m.Report()
	if err != nil {
		return Job{}, fmt.Errorf("read the master's answer: %w", err)
	}
	j := Job{Job: *r, User: m.GetUser(), Submitted: time.Unix(0, m.GetSubmittedUnixNanos()).UTC()}
	// JSON says that a list is empty, never null.
	if j.Stages == nil {
		j.Stages = []report.Stage{}
	}
	if j.Outputs == nil {
		j.Outputs = []report.Output{}
	}
	if j.Counters == nil {
		j.Counters = map[string]int64{}
	}
	return j, nil
}

func jobsOf(list []*api.Job) ([]Job, error) {
	jobs := make([]Job, 0, len(list))
	for _, m := range list {
		j, err := jobOf(m)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}
