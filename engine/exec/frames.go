package exec

import (
	"slices"
	"strings"
)

// Frames returns the part of a panic's stack that is the job's code, two lines a frame: what lies between the panic and
// the engine that called the code. It is empty where there was no panic.
func (e *OperatorError) Frames() string {
	// The stack is a line about the goroutine, then for each frame one with the call and one with its place.
	lines := strings.Split(string(e.Stack), "\n")
	panicked := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "panic(") })
	if panicked < 0 {
		return ""
	}
	var frames strings.Builder
	for i := panicked + 2; i+1 < len(lines) && !isEngine(lines[i]); i += 2 {
		call, place := lines[i], strings.TrimSpace(lines[i+1])
		if strings.HasPrefix(call, "runtime.") { // the part of it that panics for the code
			continue
		}
		if arguments := strings.LastIndexByte(call, '('); arguments > 0 {
			call = call[:arguments]
		}
		place, _, _ = strings.Cut(place, " +0x")
		frames.WriteString("  " + call + "\n      " + place + "\n")
	}
	return frames.String()
}

// isEngine reports whether a call is of a package that calls a job's code.
func isEngine(call string) bool {
	return slices.ContainsFunc([]string{"fletch/engine.", "fletch/engine/"}, func(name string) bool {
		return strings.HasPrefix(call, name)
	})
}
