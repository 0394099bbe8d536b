package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// state is what a cluster's directory knows of its processes, in the file cluster.json:
//
//	DIR/cluster.json   this
//	DIR/lock           held by an up or down at work
//	DIR/m1, DIR/w1     the data of masters and workers
//	DIR/logs/m1.log    what they print
type state struct {
	Format  int        `json:"format"`
	Cluster string     `json:"cluster"` // its id
	Masters []*Process `json:"masters"`
	Workers []*Process `json:"workers"`
}

// stateFormat is the version of the layout above.
const stateFormat = 1

// Process is a master or a worker.
type Process struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	PID     int    `json:"pid"`               // zero: it does not run
	Started uint64 `json:"started,omitempty"` // clock ticks after the machine's start; tells a process from a later one of that PID
	Boot    string `json:"boot,omitempty"`    // the machine's start
}

func stateFile(dir string) string { return filepath.Join(dir, "cluster.json") }

// load returns the state of a directory; nil if there is none.
func load(dir string) (*state, error) {
	text, err := os.ReadFile(stateFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read %s: %w", stateFile(dir), err)
	}
	if s.Format != stateFormat {
		return nil, fmt.Errorf("%s has format %d, and this fletch knows format %d: use the version that made it", stateFile(dir), s.Format, stateFormat)
	}
	return &s, nil
}

// save replaces the state of a directory.
func (s *state) save(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := stateFile(dir)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// all returns the processes, workers first: the order in which they are stopped.
func (s *state) all() []*Process { return append(append([]*Process(nil), s.Workers...), s.Masters...) }

// addresses returns those of the masters.
func (s *state) addresses() []string {
	var list []string
	for _, m := range s.Masters {
		list = append(list, m.Address)
	}
	return list
}

// DefaultDir is the directory of the cluster that commands find by themselves.
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "fletch", "cluster"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for the cluster: %w", err)
	}
	return filepath.Join(home, ".local", "state", "fletch", "cluster"), nil
}

// Running returns the addresses of the masters of the cluster in a directory; none if none of them runs.
func Running(dir string) ([]string, error) {
	s, err := load(dir)
	if err != nil || s == nil {
		return nil, err
	}
	for _, m := range s.Masters {
		if m.running() {
			return s.addresses(), nil
		}
	}
	return nil, nil
}
