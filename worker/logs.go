package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fletch/api"
)

const (
	logBytes     = 16 << 20 // of one job; what comes later is counted and dropped
	logTextBytes = 64 << 10 // of one record
	logJobs      = 100      // whose logs are kept
)

// logLine is a record of a job's log, as it is written and served: a line of JSON.
type logLine struct {
	Time    time.Time `json:"time"`
	Attempt string    `json:"attempt,omitempty"` // none where the executor itself printed it
	Level   string    `json:"level"`             // as slog names it; stdout and stderr for what was printed
	Text    string    `json:"text"`
}

// logs keeps what jobs log on this worker, a file a job. A file's name begins with a number that grows, so that the oldest
// are known without a clock.
type logs struct {
	dir string
	mu  struct {
		sync.Mutex
		next int
		jobs map[string]*jobLog
	}
}

// openLogs opens the logs in dir.
func openLogs(dir string) (*logs, error) {
	l := &logs{dir: dir}
	l.mu.jobs = map[string]*jobLog{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		number, job, ok := parseLogName(e.Name())
		if !ok {
			continue
		}
		l.mu.next = max(l.mu.next, number+1)
		l.mu.jobs[job] = newJobLog(filepath.Join(dir, e.Name()), number, true)
	}
	return l, l.pruneLocked()
}

func logName(number int, job string) string { return fmt.Sprintf("%08d_%s.jsonl", number, job) }

func parseLogName(name string) (number int, job string, ok bool) {
	head, tail, _ := strings.Cut(name, "_")
	number, err := strconv.Atoi(head)
	job = strings.TrimSuffix(tail, ".jsonl")
	return number, job, err == nil && number >= 0 && validName(job) && name == logName(number, job)
}

// open returns the log of a job that begins, or begins again.
func (l *logs) open(job string) (*jobLog, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.mu.jobs[job]
	if j == nil {
		j = newJobLog(filepath.Join(l.dir, logName(l.mu.next, job)), l.mu.next, false)
		l.mu.next++
		l.mu.jobs[job] = j
	}
	return j, errors.Join(j.open(), l.pruneLocked())
}

// get returns the log of a job, or nil.
func (l *logs) get(job string) *jobLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.jobs[job]
}

// pruneLocked deletes the oldest logs beyond logJobs, but none of a job that goes on.
func (l *logs) pruneLocked() error {
	var ended []*jobLog
	byLog := map[*jobLog]string{}
	for job, j := range l.mu.jobs {
		if j.hasEnded() {
			ended = append(ended, j)
			byLog[j] = job
		}
	}
	surplus := min(len(l.mu.jobs)-logJobs, len(ended))
	if surplus <= 0 {
		return nil
	}
	slices.SortFunc(ended, func(a, b *jobLog) int { return a.number - b.number })
	var errs []error
	for _, j := range ended[:surplus] {
		delete(l.mu.jobs, byLog[j])
		if err := os.Remove(j.path); !errors.Is(err, os.ErrNotExist) { // somebody else may have made room
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// jobLog is the log of one job.
type jobLog struct {
	path   string
	number int
	mu     struct {
		sync.Mutex
		file    *os.File // nil where the job has ended
		size    int64
		dropped int64
		ended   bool
		changed chan struct{} // closed at the next line, and at the end
	}
}

func newJobLog(path string, number int, ended bool) *jobLog {
	j := &jobLog{path: path, number: number}
	j.mu.ended = ended
	j.mu.changed = make(chan struct{})
	return j
}

func (j *jobLog) open() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.file != nil {
		return nil
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the job's log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.mu.file, j.mu.size, j.mu.dropped, j.mu.ended = f, info.Size(), 0, false
	return nil
}

func (j *jobLog) hasEnded() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.ended
}

// add appends a record of this moment.
func (j *jobLog) add(level, text string) {
	j.append(logLine{Time: time.Now(), Level: level, Text: text})
}

// append appends a record. A log that can't be written counts it as dropped: a job does not fail for its log.
func (j *jobLog) append(line logLine) {
	b, err := line.encode()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil || j.mu.file == nil || j.mu.size+int64(len(b)) > logBytes {
		j.mu.dropped++
		return
	}
	j.writeLocked(b)
}

func (line logLine) encode() ([]byte, error) {
	if len(line.Text) > logTextBytes {
		line.Text = line.Text[:logTextBytes] + "... (cut)"
	}
	line.Text = api.Text(line.Text)
	b, err := json.Marshal(line)
	return append(b, '\n'), err
}

func (j *jobLog) writeLocked(b []byte) {
	if _, err := j.mu.file.Write(b); err != nil {
		j.mu.dropped++
		_ = j.mu.file.Truncate(j.mu.size) //nolint:errcheck // a torn line stays at the worst
		return
	}
	j.mu.size += int64(len(b))
	close(j.mu.changed)
	j.mu.changed = make(chan struct{})
}

// end closes the log, with a line about what was dropped. It stays readable.
func (j *jobLog) end() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.file == nil {
		return nil
	}
	if j.mu.dropped > 0 {
		text := fmt.Sprintf("%d further records were dropped: a job's log takes %d MiB on each worker", j.mu.dropped, logBytes>>20)
		if b, err := (logLine{Time: time.Now(), Level: "WARN", Text: text}).encode(); err == nil {
			j.writeLocked(b)
		}
	}
	err := j.mu.file.Close()
	j.mu.file, j.mu.ended = nil, true
	close(j.mu.changed)
	j.mu.changed = make(chan struct{})
	return err
}

// state returns how much can be read, whether more may come, and a channel that is closed when that changes.
func (j *jobLog) state() (size int64, ended bool, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.size, j.mu.ended, j.mu.changed
}

// copyTo writes the log to w, and with follow what comes until the job's end or that of ctx. After each piece it calls
// flush.
func (j *jobLog) copyTo(ctx context.Context, w io.Writer, follow bool, flush func() error) error {
	f, err := os.Open(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // pruned since
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var sent int64
	for {
		size, ended, changed := j.state()
		if ended || !follow {
			_, err := io.Copy(w, f)
			return errors.Join(err, flush())
		}
		if size > sent {
			n, err := io.CopyN(w, f, size-sent)
			sent += n
			if err := errors.Join(err, flush()); err != nil {
				return err
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
