package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/flock"
	"fletch/cmd/fletch/launch"
	"fletch/plugins/build"
	"fletch/plugins/source"
)

// builtPlugin returns the plugin of the job that the first argument names: a plugin itself, or a package, whose plugin is
// built into
//
//	<user's cache>/fletch/plugins/<hash of the package's name and place>/job.so
//
// and locked until release, which is there also with an error, so that what is described is what is sent.
func builtPlugin(ctx context.Context, c *cli.Context) (path string, release func() error, err error) {
	job, release := c.Args().First(), func() error { return nil }
	if info, err := os.Stat(job); strings.HasSuffix(job, ".so") && (err != nil || !info.IsDir()) {
		if err != nil {
			return "", release, &launch.UsageError{Err: fmt.Errorf("open the plugin: %w", err)}
		}
		return job, release, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", release, fmt.Errorf("find a directory for built jobs: %w", err)
	}
	place, err := filepath.Abs(job)
	if err != nil {
		return "", release, err
	}
	hash := sha256.Sum256([]byte(place))
	dir := filepath.Join(cache, "fletch", "plugins", hex.EncodeToString(hash[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", release, fmt.Errorf("make a directory for the built job: %w", err)
	}
	lock, err := flock.Take(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", release, err
	}
	path = filepath.Join(dir, "job.so")
	err = build.Build(ctx, job, path, c.App.ErrWriter)
	if mistake, ok := errors.AsType[*source.Mistake](err); ok {
		err = &launch.UsageError{Err: mistake}
	}
	return path, lock.Close, err
}
