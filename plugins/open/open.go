// Package open opens a job's plugin.
package open

import (
	"errors"
	"fmt"
	"plugin"

	"fletch/engine"
)

// Open loads the plugin and returns its function Job. The plugin has passed plugins.Preflight.
func Open(path string) (job func(args []string) (*engine.Job, error), err error) {
	p, err := plugin.Open(path)
	if err != nil {
		return nil, err
	}
	symbol, err := p.Lookup("Job")
	if err != nil {
		return nil, err
	}
	job, ok := symbol.(func(args []string) (*engine.Job, error))
	if !ok {
		return nil, errors.New("wrong type: " + fmt.Sprintf("%T", symbol))
	}
	return job, nil
}
