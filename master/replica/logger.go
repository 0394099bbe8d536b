package replica

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLog writes what raft and its stores log to a slog.Logger: warnings and errors as such, information as debug. What
// raft itself calls debug or trace is dropped.
type raftLog struct{ to *slog.Logger }

func newRaftLog(to *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Output: io.Discard})
	l.RegisterSink(raftLog{to: to})
	return l
}

// Accept implements hclog.SinkAdapter.
func (l raftLog) Accept(name string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch {
	case level < hclog.Info:
		return
	case level >= hclog.Error:
		to = slog.LevelError
	case level == hclog.Warn:
		to = slog.LevelWarn
	}
	ctx := context.Background()
	if !l.to.Enabled(ctx, to) {
		return
	}
	out := []any{"from", name}
	for _, arg := range args {
		if f, ok := arg.(hclog.Format); ok && len(f) > 0 {
			arg = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
		out = append(out, arg)
	}
	l.to.Log(ctx, to, msg, out...)
}
