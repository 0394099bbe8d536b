package executor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"fletch/api"
)

// recordBytes is the longest text of a log record; what is beyond it is cut off.
const recordBytes = 8 << 10

// attemptLog takes what one attempt logs.
type attemptLog struct {
	attempt string
	out     *outbox
	dropped atomic.Int64 // records since the last one for which there was room
}

func (x *executor) newLog(attempt string) *attemptLog {
	return &attemptLog{attempt: attempt, out: x.out}
}

// note adds a line of the executor's own to an attempt's log.
func (x *executor) note(attempt, text string) {
	x.newLog(attempt).add(time.Now(), slog.LevelWarn, text)
}

// add adds a record. It never waits: without room the record is dropped, and the next one that finds room tells of it.
func (l *attemptLog) add(at time.Time, level slog.Level, text string) {
	records := []*api.LogRecord{l.record(at, level, text)}
	dropped := l.dropped.Swap(0)
	if dropped > 0 {
		records = []*api.LogRecord{l.lost(dropped), records[0]}
	}
	if !l.out.addLog(records...) {
		l.dropped.Add(dropped + 1)
	}
}

// end tells of what was dropped at the end.
func (l *attemptLog) end() {
	if dropped := l.dropped.Swap(0); dropped > 0 {
		l.out.add(&api.ExecutorMessage{Message: &api.ExecutorMessage_Log{Log: l.lost(dropped)}})
	}
}

func (l *attemptLog) record(at time.Time, level slog.Level, text string) *api.LogRecord {
	if cut := len(text) - recordBytes; cut > 0 {
		text = fmt.Sprintf("%s... (%d bytes more)", text[:recordBytes], cut)
	}
	return &api.LogRecord{Attempt: l.attempt, TimeUnixNanos: at.UnixNano(), Level: level.String(), Text: api.Text(text)}
}

func (l *attemptLog) lost(dropped int64) *api.LogRecord {
	return l.record(time.Now(), slog.LevelWarn, fmt.Sprintf("%d log records are missing here: they came faster than they could be sent", dropped))
}

// logHandler makes log records of what user code logs.
type logHandler struct {
	log *attemptLog
	// with are the attributes and groups that the logger was given, in their order.
	with []func(slog.Handler) slog.Handler
}

// Enabled leaves out what is below slog.LevelInfo, as slog's own handlers do.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// Handle makes the record's text: the message as it is, then the attributes as slog writes them. It holds no lock, as
// attributes may have code of their own.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	var attributes bytes.Buffer
	var text slog.Handler = slog.NewTextHandler(&attributes, &slog.HandlerOptions{ReplaceAttr: withoutHead})
	for _, with := range h.with {
		text = with(text)
	}
	if err := text.Handle(ctx, r); err != nil {
		return err
	}
	h.log.add(r.Time, r.Level, strings.TrimSpace(r.Message+" "+attributes.String()))
	return nil
}

// withoutHead drops what a record has fields for.
func withoutHead(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derive(func(text slog.Handler) slog.Handler { return text.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.derive(func(text slog.Handler) slog.Handler { return text.WithGroup(name) })
}

func (h *logHandler) derive(with func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{log: h.log, with: append(h.with[:len(h.with):len(h.with)], with)}
}
