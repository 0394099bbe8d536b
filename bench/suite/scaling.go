package suite

import (
	"context"
	"errors"
	"fmt"

	"fletch/bench/report"
)

// scaling shows what more workers are worth: each is held to half a core. Masters and clients are not held, but have to do
// with what is left of the machine.
func scaling(ctx context.Context, c Config) (rows []report.Row, err error) {
	bytes := c.Bytes / 4
	input, err := text(ctx, c, bytes)
	if err != nil {
		return nil, err
	}
	for _, workers := range []int{1, 2, 4} {
		row, err := c.heldToHalfACore(ctx, workers, input, bytes)
		if err != nil {
			return rows, err
		}
		if len(rows) > 0 {
			faster := rows[0].Seconds / row.Seconds
			row.Targets = []report.Target{report.AtLeast(fmt.Sprintf("speed of one worker (%.2f)", faster), faster, 0.7*float64(workers), "times")}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// heldToHalfACore counts words on so many workers, each of half a core.
func (c Config) heldToHalfACore(ctx context.Context, workers int, input string, bytes int64) (row report.Row, err error) {
	l, err := startCluster(ctx, c, 1, workers)
	if err != nil {
		return row, err
	}
	var release []func() error
	defer func() {
		err = errors.Join(err, l.end())
		for _, r := range release {
			err = errors.Join(err, r())
		}
	}()
	for _, w := range l.status.Workers {
		r, err := throttle(w.PID)
		if err != nil {
			return row, err
		}
		release = append(release, r)
	}
	plugin, err := l.plugin(ctx, c, "examples/wordcount")
	if err != nil {
		return row, err
	}
	name := fmt.Sprintf("word count %s, workers of half a core: %d", size(bytes), workers)
	rows, err := run(ctx, c, name, bytes, keysAndValues(), l.contestant(onCluster, plugin, inputOutput(input)))
	if err != nil {
		return row, err
	}
	return rows[0], nil
}
