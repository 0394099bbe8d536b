package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"fletch/cmd/fletch/flock"
)

// Ended is what Down has stopped.
type Ended struct {
	Dir     string   `json:"dir"`
	Stopped []string `json:"stopped"` // IDs
	Killed  []string `json:"killed"`  // those among them that did not end by themselves
	Deleted bool     `json:"deleted"`
}

// Down stops the cluster in a directory, and with remove deletes all that it kept there.
func Down(ctx context.Context, dir string, remove bool) (*Ended, error) {
	e := &Ended{Dir: dir, Stopped: []string{}, Killed: []string{}}
	if _, err := os.Stat(stateFile(dir)); errors.Is(err, os.ErrNotExist) {
		return e, nil
	}
	lock, err := flock.Take(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	s, err := load(dir)
	if err != nil || s == nil {
		return e, err
	}
	for _, group := range [][]*Process{s.Workers, s.Masters} {
		ended, stopErr := stop(group, stopGrace)
		err = errors.Join(err, stopErr)
		for _, p := range ended {
			e.Stopped = append(e.Stopped, p.ID)
			if p.killed {
				e.Killed = append(e.Killed, p.ID)
			}
		}
	}
	if err != nil || !remove {
		return e, errors.Join(err, s.save(dir))
	}
	if err := s.remove(dir); err != nil {
		return e, fmt.Errorf("delete the cluster's data: %w", err)
	}
	e.Deleted = true
	return e, nil
}

// remove deletes what a cluster keeps in its directory, and the directory if nothing else is there.
func (s *state) remove(dir string) error {
	names := []string{"logs"}
	for _, p := range s.all() {
		names = append(names, p.ID)
	}
	var errs []error
	for _, name := range append(names, "cluster.json.new", "cluster.json", "lock") {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(errs...)
}
