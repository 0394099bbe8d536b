package storage

import (
	"bytes"
	"fmt"
	"sync"

	"fletch/engine/plan"
)

// memScheme begins the path of an output in memory.
const memScheme = "mem:"

// memory holds the published outputs of this process that nobody has taken yet.
var memory = struct {
	sync.Mutex
	outputs map[string][][]byte // the parts' contents, by path
}{outputs: map[string][][]byte{}}

// MemParts returns the parts of a published output whose path begins with mem:, and forgets them. The caller owns them.
func MemParts(path string) ([][]byte, bool) {
	memory.Lock()
	defer memory.Unlock()
	parts, ok := memory.outputs[path]
	delete(memory.outputs, path)
	return parts, ok
}

// memOutput is an Output that MemParts hands out.
type memOutput struct {
	path string

	mu struct {
		sync.Mutex
		staged    map[string]*memFile // by part name; nil once published or aborted
		published bool
	}
}

func newMemOutput(loc plan.Location) (*memOutput, error) {
	memory.Lock()
	_, exists := memory.outputs[loc.Path]
	memory.Unlock()
	if exists {
		return nil, existsError(loc.Path)
	}
	o := &memOutput{path: loc.Path}
	o.mu.staged = map[string]*memFile{}
	return o, nil
}

func (o *memOutput) Create(attempt string, partition int) (*PartWriter, error) {
	if err := checkPartName(attempt, partition); err != nil {
		return nil, err
	}
	f := &memFile{name: partName(attempt, partition), output: o}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, taken := o.mu.staged[f.name]; taken || o.mu.staged == nil {
		return nil, fmt.Errorf("output %s: begin part %s: it exists, or the output has ended", o.path, f.name)
	}
	o.mu.staged[f.name] = f
	return newPartWriter(f, f.name, partition), nil
}

func (o *memOutput) Publish(parts []plan.Part) error {
	if err := checkParts(parts); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.published {
		return nil
	}
	content := make([][]byte, len(parts))
	for i, p := range parts {
		f := o.mu.staged[p.Name]
		if f == nil {
			return fmt.Errorf("publish output %s: part %s is missing", o.path, p.Name)
		}
		if int64(f.Len()) != p.Bytes {
			return permanentf("publish output %s: part %s has %d bytes, %d were committed", o.path, p.Name, f.Len(), p.Bytes)
		}
		content[i] = f.Bytes()
	}
	memory.Lock()
	defer memory.Unlock()
	if _, exists := memory.outputs[o.path]; exists {
		return appearedError(o.path)
	}
	memory.outputs[o.path] = content
	o.mu.published, o.mu.staged = true, nil
	return nil
}

func (o *memOutput) Abort() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.staged = nil
	return nil
}

// memFile is a part in memory.
type memFile struct {
	bytes.Buffer
	name   string
	output *memOutput
}

func (f *memFile) Name() string { return f.name }

func (*memFile) Sync() error  { return nil }
func (*memFile) Close() error { return nil }

func (f *memFile) Remove() error {
	f.output.mu.Lock()
	defer f.output.mu.Unlock()
	delete(f.output.mu.staged, f.name)
	return nil
}
