package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/config"
)

// logSettings say how a daemon logs, to standard error.
type logSettings struct{ format, level string }

func (s *logSettings) settings() []config.Setting {
	return []config.Setting{
		{Name: "log-format", Usage: "log as `FORMAT`: text or json (default: text)", Value: config.Choice(&s.format, "text", "json")},
		{Name: "log-level", Usage: "log from `LEVEL` on: debug, info, warn or error (default: info)", Value: config.Choice(&s.level, "debug", "info", "warn", "error")},
	}
}

func (s *logSettings) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.level)); err == nil {
		options.Level = level
	}
	if s.format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// stateDir is where a daemon keeps its data by default.
func stateDir(name string) (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "fletch", name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for the data, which --dir can name: %w", err)
	}
	return filepath.Join(home, ".local", "state", "fletch", name), nil
}

// endWait is how long a daemon may take to end once it was asked to.
const endWait = 10 * time.Second

// errHangs means that a daemon did not end when it was asked to.
var errHangs = fmt.Errorf("it did not end within %v of being asked to", endWait)

// serve runs a daemon until a signal asks for its end, and not much longer.
func serve(c *cli.Context, log *slog.Logger, run func(context.Context) error) error {
	ctx, stop := interruptible(c)
	defer stop()
	done := make(chan error, 1) // gets the end of run
	go func() { done <- run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	log.Info("ending", "cause", context.Cause(ctx))
	select {
	case err := <-done:
		if errors.Is(err, context.Canceled) || errors.Is(err, errInterrupted) {
			return nil
		}
		return err
	case <-time.After(endWait):
		return errHangs
	}
}
