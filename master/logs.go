package master

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"fletch/api"
	"fletch/master/state"
)

const (
	// logDial is how long a worker may take to begin with its answer.
	logDial = 5 * time.Second
	// maxLogLine is the longest line of a log that is passed on.
	maxLogLine = 1 << 20
)

// logClient asks workers for logs. Connections are not kept: logs are asked for rarely.
var logClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: logDial}}

// logLine is a line of a job's log, as workers write and serve it.
type logLine struct {
	Attempt string    `json:"attempt"`
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Text    string    `json:"text"`
}

// JobLogs passes on what the workers have of a job's log: each worker's lines in their order, those of several workers as
// they come.
func (s *clusterServer) JobLogs(r *api.JobLogsRequest, stream grpc.ServerStreamingServer[api.LogLine]) error {
	l, err := s.leader()
	if err != nil {
		return err
	}
	ctx := stream.Context()
	if _, err := l.job(ctx, r.GetId()); err != nil {
		return err
	}
	var workers []state.Worker
	s.replica.Read(func(m *state.Machine) { workers = m.Workers() })
	var sending sync.Mutex // a stream takes one Send at a time
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range workers {
		if w.Lost {
			continue
		}
		g.Go(func() error {
			send := func(line *api.LogLine) error {
				sending.Lock()
				defer sending.Unlock()
				return stream.Send(line)
			}
			if err := workerLog(ctx, w, r, send); err != nil && ctx.Err() == nil {
				return send(&api.LogLine{Worker: w.ID, TimeUnixNanos: time.Now().UnixNano(), Level: "WARN", Text: fmt.Sprintf("the log of this worker can't be had: %v", err)})
			}
			return nil
		})
	}
	return g.Wait()
}

// workerLog sends what one worker has.
func workerLog(ctx context.Context, w state.Worker, r *api.JobLogsRequest, send func(*api.LogLine) error) error {
	address := url.URL{Scheme: "http", Host: w.Address, Path: "/v1/jobs/" + r.GetId() + "/logs"}
	if r.GetFollow() {
		address.RawQuery = "follow=1"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := logClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() // it was only read
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil // nothing of the job ran there
	default:
		return fmt.Errorf("it answers %s", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		var line logLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("read its answer: %w", err)
		}
		err := send(&api.LogLine{Worker: w.ID, Attempt: line.Attempt, TimeUnixNanos: line.Time.UnixNano(), Level: line.Level, Text: api.Text(line.Text)})
		if err != nil {
			return err
		}
	}
	return lines.Err()
}
