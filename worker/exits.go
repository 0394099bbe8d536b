package worker

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"fletch/fault"
)

// deathError is why attempts ended with their executor.
type deathError struct {
	text   string
	frames string
}

func (e *deathError) Error() string { return e.text }

// Frames returns the lines of the job's code that ran, two a frame.
func (e *deathError) Frames() string { return e.frames }

const maxCause = 1 << 10 // bytes of a panic's message

// cause tells why an executor that nobody told to end has ended, and whose fault that is.
func (x *exit) cause() (what, frames string, class fault.Class) {
	printed := ""
	if x.last != "" {
		printed = fmt.Sprintf("; its last output: %q", x.last[max(0, len(x.last)-maxCause):])
	}
	switch {
	case x.err != nil:
		return x.err.Error(), "", fault.Retryable
	case x.status.Exited() && x.status.ExitStatus() != exitDump || x.status.Exited() && x.dump == "":
		return fmt.Sprintf("it exited with code %d: does the job call os.Exit or log.Fatal? Return an error instead%s",
			x.status.ExitStatus(), printed), "", fault.User
	case x.status.Signaled() && slices.Contains(foreign, x.status.Signal()):
		return fmt.Sprintf("it was ended from outside, by signal %d (%v): by hand, or by the kernel for want of memory",
			x.status.Signal(), x.status.Signal()), "", fault.Retryable
	case x.dump == "":
		return fmt.Sprintf("it was ended by signal %d (%v)%s", x.status.Signal(), x.status.Signal(), printed), "", fault.User
	}
	d := parseDump(x.dump)
	frames = d.culprit().frames
	if frames == "" && !strings.Contains(d.cause, "out of memory") {
		return d.cause + ", in the engine and not in the job's code: please report it", "", fault.Retryable
	}
	return d.cause, frames, fault.User
}

// exitDump is the exit code of the Go runtime after a panic or a fatal error, where it does not end by SIGABRT.
const exitDump = 2

// foreign are the signals that come from outside, unless user code sends them to itself.
var foreign = []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}

// dump is what the Go runtime printed when it ended the process.
type dump struct {
	cause      string
	goroutines []goroutine // the one at fault first, where there is one
}

type goroutine struct {
	frames string // of the job's code, two lines each, the latest call first
	called bool   // by the engine, or to open the plugin
}

// parseDump reads a dump.
func parseDump(text string) dump {
	head, _, _ := strings.Cut(text, "\n\n")
	if at := strings.Index(head, "\ngoroutine "); at >= 0 {
		head = head[:at]
	}
	d := dump{cause: strings.TrimSpace(head[:min(len(head), maxCause)])}
	var lines []string
	collect := func() {
		if len(lines) > 0 {
			d.goroutines = append(d.goroutines, parseGoroutine(lines[1:]))
		}
		lines = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "goroutine "):
			collect()
			lines = append(lines, line)
		case line == "" || strings.HasPrefix(line, "-----"):
			collect()
		case len(lines) > 0:
			lines = append(lines, line)
		}
	}
	collect()
	return d
}

// culprit returns the goroutine that the runtime blames.
func (d *dump) culprit() goroutine {
	if len(d.goroutines) == 0 {
		return goroutine{}
	}
	return d.goroutines[0]
}

// atWork returns the frames of the job's code that the engine has called, of some goroutines.
func (d *dump) atWork() string {
	var found []string
	for _, g := range d.goroutines {
		if g.called && g.frames != "" && !slices.Contains(found, g.frames) && len(found) < maxStacks {
			found = append(found, g.frames)
		}
	}
	return strings.Join(found, "\n")
}

const (
	maxStacks = 4  // that are shown of a hanging executor
	maxFrames = 16 // that are shown of a stack
)

// runtimePackages begin the names of calls that panics, waits and coroutines make.
var runtimePackages = []string{"runtime.", "runtime/", "internal/", "panic(", "iter.Pull", "sync."}

// ours begin the names of calls that are no job's; callers are those of them that call a job's code: its functions and,
// when its plugin is opened, its init functions.
var (
	ours = []string{
		"fletch/engine.", "fletch/engine/", "fletch/format/", "fletch/shuffle", "fletch/storage", "fletch/worker/", "fletch/plugins",
		"fletch/local", "fletch/cmd/", "google.golang.org/", "github.com/apache/arrow/", "plugin.",
	}
	callers = []string{"fletch/engine.", "fletch/engine/", "plugin."}
)

// parseGoroutine reads the lines of a goroutine after the first: for each call a line, and one with its place. The job's
// calls are those above the first of ours.
func parseGoroutine(lines []string) (g goroutine) {
	begins := func(call string, names []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(call, name) })
	}
	var frames strings.Builder
	count, last, repeated := 0, "", 0
	for i := 0; i+1 < len(lines) && !strings.HasPrefix(lines[i], "created by "); i++ {
		call, place := lines[i], lines[i+1]
		if !strings.HasPrefix(place, "\t") {
			continue // a remark, such as on frames that are left out
		}
		i++
		if begins(call, runtimePackages) {
			continue
		}
		if begins(call, ours) {
			g.called = begins(call, callers)
			break
		}
		if arguments := strings.LastIndexByte(call, '('); arguments > 0 {
			call = call[:arguments]
		}
		place, _, _ = strings.Cut(strings.TrimSpace(place), " +0x")
		frame := "  " + call + "\n      " + place + "\n"
		if frame == last {
			repeated++
			continue
		}
		last = frame
		if count++; count > maxFrames {
			continue
		}
		if repeated > 0 {
			fmt.Fprintf(&frames, "  ... and so on, %d times\n", repeated)
			repeated = 0
		}
		frames.WriteString(frame)
	}
	if repeated > 0 {
		frames.WriteString("  ... and so on\n")
	}
	g.frames = frames.String()
	return g
}
