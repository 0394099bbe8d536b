package worker

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
)

const (
	dumpBytes    = 1 << 20  // kept of a dump, from its beginning: the cause and the guilty goroutine stand first
	dumpLogBytes = 64 << 10 // of a dump go to the log
	lastBytes    = 4 << 10  // kept of what was printed last
	lineBytes    = 64 << 10 // of a line, before it is cut into several
)

// quitMarker begins the dump that the agent itself asks for. It appears once for each thread, and in other dumps as well:
// that is how the runtime has each of its threads show what it does.
const quitMarker = "SIGQUIT: "

// dumpMarkers begin the lines with which the Go runtime begins to tell why it ends the process.
var dumpMarkers = []string{
	"fatal error: ", "panic: ", quitMarker, "SIGABRT: ", "SIGSEGV: ", "SIGBUS: ", "SIGILL: ", "SIGFPE: ", "SIGTRAP: ", "SIGSYS: ",
}

// printed keeps what tells the reason of an executor's death out of what it prints.
type printed struct {
	mu struct {
		sync.Mutex
		log  *jobLog // nil before the executor has a job
		dump []byte  // from the last line that may begin one
		last []byte
	}
}

// attach sends what follows to a job's log, too.
func (p *printed) attach(log *jobLog) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.log = log
}

// log returns the job's log, or nil.
func (p *printed) log() *jobLog {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.log
}

// read takes lines from one of the executor's pipes until its end. Level is what they have in the log.
func (p *printed) read(r io.Reader, level string) {
	lines := bufio.NewReaderSize(r, lineBytes)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			p.line(line, level)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return // the end, or the deadline after the process's end: a pipe can't fail otherwise
		}
	}
}

func (p *printed) line(line []byte, level string) {
	p.mu.Lock()
	log := p.mu.log
	if p.beginsDumpLocked(line) {
		p.mu.dump = p.mu.dump[:0]
		p.mu.dump = append(p.mu.dump, line...)
	} else if n := len(p.mu.dump); n > 0 {
		p.mu.dump = append(p.mu.dump, line[:min(len(line), dumpBytes-n)]...)
		if n > dumpLogBytes {
			log = nil
		}
	}
	p.mu.last = append(p.mu.last, line...)
	if n := len(p.mu.last); n > 2*lastBytes {
		p.mu.last = append(p.mu.last[:0], p.mu.last[n-lastBytes:]...)
	}
	p.mu.Unlock()
	if log != nil {
		log.add(level, string(bytes.TrimRight(line, "\r\n")))
	}
}

func (p *printed) beginsDumpLocked(line []byte) bool {
	begins := func(marker string) bool { return bytes.HasPrefix(line, []byte(marker)) }
	return slices.ContainsFunc(dumpMarkers, begins) && (len(p.mu.dump) == 0 || !begins(quitMarker))
}

// forget forgets what may be a dump, before the agent asks for one.
func (p *printed) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.dump = nil
}

// dump returns what may be a dump of the runtime's, from its first line on.
func (p *printed) dump() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.mu.dump)
}

// last returns the last lines that were printed.
func (p *printed) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := string(p.mu.last)
	if len(text) > lastBytes {
		_, text, _ = strings.Cut(text[len(text)-lastBytes:], "\n")
	}
	return strings.TrimSpace(text)
}
