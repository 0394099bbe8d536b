package suite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"fletch/bench/proc"
)

// throttle holds a process, its children, and those that they will have, to half a core, by a control group of their own.
// It needs root. The returned function removes the group once its processes have ended.
func throttle(pid int) (release func() error, err error) {
	const period, quota = 100_000, 50_000 // microseconds
	group, limits := filepath.Join("/sys/fs/cgroup/cpu", fmt.Sprintf("fletch-bench-%d", pid)), map[string]string{
		"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": strconv.Itoa(quota),
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil { // version 2
		group, limits = filepath.Join("/sys/fs/cgroup", filepath.Base(group)), map[string]string{"cpu.max": fmt.Sprintf("%d %d", quota, period)}
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		return nil, fmt.Errorf("make a control group, which needs root: %w", err)
	}
	release = func() error { return os.Remove(group) }
	for name, limit := range limits {
		if err := os.WriteFile(filepath.Join(group, name), []byte(limit), 0o644); err != nil {
			return nil, errors.Join(err, release())
		}
	}
	members, err := proc.Tree(pid)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	for _, member := range members {
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(member)), 0o644); err != nil {
			return nil, errors.Join(err, release())
		}
	}
	return release, nil
}
