package executor

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/engine"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/storage"
)

// An answer is a sequence of parts: a byte that says which, the length in four bytes (little-endian), a message.
const (
	partOpened = 1 + iota // nothing: the plugin is open, the function Job is about to be called
	partGraph             // api.Graph
	partFailed            // api.Error
	partUsage             // api.Error, of arguments that the job does not take
	partHelp              // nothing: the job has printed its help
)

const (
	partHead       = 5
	maxAnswerBytes = api.MaxMessageBytes + 2*partHead
)

// answer is what the child has told.
type answer struct {
	opened bool
	graph  *plan.Graph
	err    error
}

// complete reports whether the child has told all that there was.
func (a answer) complete() bool { return a.graph != nil || a.err != nil }

// where names the code that ran last.
func (a answer) where() string {
	if a.opened {
		return "the function Job"
	}
	return "the loading of the plugin, which runs its init functions,"
}

// parseAnswer reads as many parts as there are. The answer has them also where there is an error.
func parseAnswer(b []byte) (a answer, err error) {
	for len(b) > 0 && !a.complete() {
		if len(b) < partHead || uint64(binary.LittleEndian.Uint32(b[1:])) > uint64(len(b)-partHead) {
			return a, fmt.Errorf("%d bytes that are no whole part", len(b))
		}
		n := int(binary.LittleEndian.Uint32(b[1:]))
		if err := a.part(b[0], b[partHead:partHead+n]); err != nil {
			return a, err
		}
		b = b[partHead+n:]
	}
	return a, nil
}

func (a *answer) part(kind byte, message []byte) (err error) {
	switch kind {
	case partOpened:
		a.opened = true
	case partGraph:
		a.graph, err = parseGraph(message)
	case partHelp:
		a.err = flag.ErrHelp
	case partFailed, partUsage:
		var m api.Error
		if err := proto.Unmarshal(message, &m); err != nil {
			return err
		}
		if a.err = m.Err(); kind == partUsage {
			a.err = &UsageError{a.err}
		}
	default:
		return fmt.Errorf("a part of the unknown kind %d", kind)
	}
	return err
}

func parseGraph(message []byte) (*plan.Graph, error) {
	var m api.Graph
	if err := proto.Unmarshal(message, &m); err != nil {
		return nil, err
	}
	g, err := m.Plan()
	if err == nil {
		err = g.Validate()
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Answer is the child's side of Describe: it writes to w what becomes of the plugin's function Job.
func Answer(w io.Writer, p Plugin, path, sha256 string, args []string) error {
	if err := limitData(); err != nil {
		return err
	}
	graph, err := describe(w, p, path, sha256, args)
	if err == nil {
		return writePart(w, partGraph, api.GraphOf(graph))
	}
	kind := byte(partFailed)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return writePart(w, partHelp, nil)
	case fault.ClassOf(err) == fault.Retryable: // the job's own error
		kind = partUsage
	}
	return writePart(w, kind, api.ErrorOf(err))
}

// describe returns the graph. What the function Job returns as an error keeps its class.
func describe(w io.Writer, p Plugin, path, sha256 string, args []string) (*plan.Graph, error) {
	declare, err := p.Load(path, sha256)
	if err != nil {
		return nil, err
	}
	if err := writePart(w, partOpened, nil); err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	job, err := engine.Declare(declare, args)
	if err != nil {
		return nil, err
	}
	graph, err := job.Graph()
	if err == nil {
		err = errors.Join(storage.AbsoluteInputs(graph), storage.AbsoluteOutputs(graph))
	}
	return graph, fault.As(fault.Permanent, err)
}

func writePart(w io.Writer, kind byte, message proto.Message) error {
	b := make([]byte, partHead)
	if message != nil {
		var err error
		if b, err = (proto.MarshalOptions{}).MarshalAppend(b, message); err != nil {
			return err
		}
	}
	b[0] = kind
	binary.LittleEndian.PutUint32(b[1:], uint32(len(b)-partHead))
	_, err := w.Write(b)
	return err
}

// limitData has the process end with Go's message about memory before the machine runs out of it: with half of the
// machine's memory, but no less than a GiB.
func limitData() error {
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	limit.Cur = min(max(machine.Totalram*uint64(machine.Unit)/2, 1<<30), limit.Max)
	return unix.Setrlimit(unix.RLIMIT_DATA, &limit)
}
