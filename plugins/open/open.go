// Package open opens a job's plugin. It is the only one that imports package plugin, which makes a program large and bound
// to cgo; so it stands apart from package plugins.
package open

import (
	"bytes"
	"errors"
	"fmt"
	"plugin"
	"runtime"
	"runtime/debug"
	"strings"

	"fletch/engine"
	"fletch/engine/exec"
	"fletch/fault"
	"fletch/plugins"
)

// Open loads a plugin that has passed plugins.Preflight and returns its function Job. It runs the plugin's initialization.
// A process opens one plugin, once: what is loaded stays, and after a panic in its initialization a second try would hang.
// It should do so before it does much else: see interfaces.
func Open(path string) (job func(args []string) (*engine.Job, error), err error) {
	runtime.KeepAlive(interfaces)
	if this, err := plugins.ThisBuild(); err == nil && this.Settings["CGO_ENABLED"] != "1" {
		return nil, fault.As(fault.Permanent, plugins.ErrNoCgo)
	}
	p, err := load(path)
	if err != nil {
		return nil, err
	}
	symbol, err := p.Lookup("Job")
	if err != nil {
		return nil, userf("the plugin %s has no function Job: its package declares func Job(args []string) (*engine.Job, error)", path)
	}
	job, ok := symbol.(func(args []string) (*engine.Job, error))
	if !ok {
		what := strings.TrimPrefix(fmt.Sprintf("%T", symbol), "*") // of a variable, Go gives the address
		return nil, userf("the plugin %s has a Job of type %s: want func(args []string) (*engine.Job, error)", path, what)
	}
	return job, nil
}

func userf(format string, args ...any) error {
	return fault.As(fault.User, fmt.Errorf(format, args...))
}

// errExited is the error of an initialization that ended its goroutine.
var errExited = errors.New("a function init called runtime.Goexit")

// load loads the plugin. A panic in its initialization, or its end by runtime.Goexit, becomes an error.
func load(path string) (p *plugin.Plugin, err error) {
	ended := make(chan struct{}) // closed when the call is over
	go func() {
		defer close(ended)
		err = fault.As(fault.User, &exec.OperatorError{Op: "the plugin's initialization", Err: errExited})
		defer func() {
			if v := recover(); v != nil {
				stack, _, _ := bytes.Cut(debug.Stack(), []byte("\nplugin.")) // what called it says nothing
				err = fault.As(fault.User, &exec.OperatorError{Op: "the plugin's initialization", Err: &exec.PanicError{Value: v}, Stack: stack})
			}
		}()
		if p, err = plugin.Open(path); err != nil {
			err = fault.As(fault.Permanent, fmt.Errorf("open the plugin %s: %w; build it again with this fletch: fletch build PKG -o FILE.so", path, err))
		}
	}()
	<-ended
	return p, err
}
