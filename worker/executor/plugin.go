package executor

import (
	"fletch/engine"
	"fletch/fault"
)

// Plugin is how an executor gets at a job's code.
type Plugin struct {
	// Check finds out, without running any of its code, whether the plugin can be opened; an empty sha256 is any.
	Check func(path, sha256 string) error
	// Open opens it and returns its function Job.
	Open func(path string) (func(args []string) (*engine.Job, error), error)
}

// Load checks and opens a plugin. What is wrong with it stays so: the class is fault.Permanent.
func (p Plugin) Load(path, sha256 string) (func(args []string) (*engine.Job, error), error) {
	err := p.Check(path, sha256)
	if err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	declare, err := p.Open(path)
	return declare, fault.As(fault.Permanent, err)
}
