package executor

import (
	"fletch/engine"
	"fletch/fault"
)

// Opener opens a plugin and returns its function Job.
type Opener = func(path string) (func(args []string) (*engine.Job, error), error)

// Plugin is how to get at the code of a user's plugin.
type Plugin struct {
	// Check finds out, without running any of its code, whether the plugin can be opened; an empty sha256 is any.
	Check func(path, sha256 string) error
	// Open opens it.
	Open Opener
}

// Load checks and opens a plugin. The file is the user's: what is wrong with it stays so, the class is fault.Permanent.
func (p Plugin) Load(path, sha256 string) (func(args []string) (*engine.Job, error), error) {
	if err := p.Check(path, sha256); err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	declare, err := p.Open(path)
	return declare, fault.As(fault.Permanent, err)
}
