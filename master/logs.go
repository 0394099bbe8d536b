package master

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"fletch/api"
	"fletch/master/state"
)

const (
	// logWait is how long a worker may take to be reached, and to go on where nothing keeps it.
	logWait = 5 * time.Second
	// logAgain is how often a worker is asked again for the log of a job that goes on, while it has none.
	logAgain = 500 * time.Millisecond
	// maxLogLine is the longest line of a log that is passed on.
	maxLogLine = 1 << 20
)

// logClient asks workers for logs. Connections are not kept: logs are asked for rarely. It goes nowhere else: neither to a
// proxy nor where a worker sends it.
var logClient = &http.Client{
	Transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: logWait}).DialContext, DisableKeepAlives: true, ResponseHeaderTimeout: logWait,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// logLine is a line of a job's log, as workers write and serve it.
type logLine struct {
	Attempt string    `json:"attempt"`
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Text    string    `json:"text"`
}

// JobLogs passes on what the workers have of a job's log: each worker's lines in their order, those of several workers as
// they come. With follow it goes on until the job has ended, also for workers that have nothing of it yet.
func (s *clusterServer) JobLogs(r *api.JobLogsRequest, stream grpc.ServerStreamingServer[api.LogLine]) error {
	l, err := s.leader()
	if err != nil {
		return err
	}
	if _, err := l.job(stream.Context(), r.GetId()); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(stream.Context())
	logs := &jobLogs{leader: l, request: r, stream: stream}
	g.Go(func() error {
		for asked := map[string]bool{}; ; {
			last := logs.last()
			for _, w := range logs.workers() {
				if !asked[w.ID] {
					asked[w.ID] = true
					g.Go(func() error { return logs.pass(ctx, w) })
				}
			}
			if last {
				return nil
			}
			if err := logs.pause(ctx); err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

// jobLogs passes on the log of one job.
type jobLogs struct {
	leader  *leader
	request *api.JobLogsRequest
	sending sync.Mutex // stream takes one Send at a time
	stream  grpc.ServerStreamingServer[api.LogLine]
}

// workers returns those that can be asked.
func (j *jobLogs) workers() []state.Worker {
	var workers []state.Worker
	j.leader.replica.Read(func(m *state.Machine) { workers = m.Workers() })
	return slices.DeleteFunc(workers, func(w state.Worker) bool { return w.Lost })
}

// last tells whether what workers have now is all.
func (j *jobLogs) last() bool { return !j.request.GetFollow() || j.leader.hasEnded(j.request.GetId()) }

// pause waits before workers are asked again.
func (j *jobLogs) pause(ctx context.Context) error {
	select {
	case <-time.After(logAgain):
		return nil
	case <-j.leader.ctx.Done():
		return j.leader.notLeader()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (j *jobLogs) send(line *api.LogLine) error {
	j.sending.Lock()
	defer j.sending.Unlock()
	return j.stream.Send(line)
}

// pass passes on what one worker has. That it can't be had is a line as well.
func (j *jobLogs) pass(ctx context.Context, w state.Worker) error {
	for {
		last := j.last()
		found, err := j.fetch(ctx, w)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			text := fmt.Sprintf("the log of this worker can't be had: %v", err)
			return j.send(&api.LogLine{Worker: w.ID, TimeUnixNanos: time.Now().UnixNano(), Level: "WARN", Text: text})
		case found || last:
			return nil
		}
		if err := j.pause(ctx); err != nil {
			return err
		}
	}
}

// fetch passes on what one worker has now, and with follow what comes. It tells whether that has a log of the job.
func (j *jobLogs) fetch(ctx context.Context, w state.Worker) (found bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	address := url.URL{Scheme: "http", Host: w.Address, Path: "/v1/jobs/" + j.request.GetId() + "/logs"}
	if j.request.GetFollow() {
		address.RawQuery = "follow=1"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return false, err
	}
	response, err := logClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close() // it was only read
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return false, nil // nothing of the job ran there
	default:
		return false, fmt.Errorf("it answers %s", response.Status)
	}
	stalled := time.AfterFunc(logWait, func() { cancel(fmt.Errorf("it sent nothing for %v", logWait)) })
	defer stalled.Stop()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLogLine)
	for {
		if stalled.Reset(logWait); j.request.GetFollow() {
			stalled.Stop() // the job's code may have nothing to say
		}
		if !lines.Scan() {
			return true, cmp.Or(context.Cause(ctx), lines.Err())
		}
		stalled.Stop() // a client may read slowly
		line, err := lineOf(w, lines.Bytes())
		if err == nil {
			err = j.send(line)
		}
		if err != nil {
			return true, err
		}
	}
}

// lineOf reads a line that a worker has sent.
func lineOf(w state.Worker, text []byte) (*api.LogLine, error) {
	var line logLine
	if err := json.Unmarshal(text, &line); err != nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	return &api.LogLine{
		Worker: w.ID, Attempt: api.Text(line.Attempt), TimeUnixNanos: line.Time.UnixNano(), Level: api.Text(line.Level), Text: api.Text(line.Text),
	}, nil
}
