package executor

import "fletch/engine"

// Plugin is how an executor gets at a job's code.
type Plugin struct {
	// Check finds out, without running any of its code, whether the plugin can be opened; an empty sha256 is any.
	Check func(path, sha256 string) error
	// Open opens it and returns its function Job.
	Open func(path string) (func(args []string) (*engine.Job, error), error)
}

// Load checks and opens a plugin.
func (p Plugin) Load(path, sha256 string) (func(args []string) (*engine.Job, error), error) {
	if err := p.Check(path, sha256); err != nil {
		return nil, err
	}
	return p.Open(path)
}
