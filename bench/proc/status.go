// Package proc looks at processes from outside: who belongs to whom, and the memory that they take.
package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Status is what the kernel says of a process's memory, in bytes.
type Status struct {
	Resident int64 // now; pages of mapped files count
	Peak     int64 // the most that Resident was since the process runs its program
	Shared   int64 // the part of Resident that lies in shared memory, such as mapped memory files
}

// StatusOf reads the status of a process.
func StatusOf(pid int) (Status, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Status{}, err
	}
	var s Status
	fields := map[string]*int64{"VmRSS": &s.Resident, "VmHWM": &s.Peak, "RssShmem": &s.Shared}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if field := fields[name]; field != nil {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				return Status{}, fmt.Errorf("process %d: %w", pid, err)
			}
			*field = kib << 10
		}
	}
	return s, nil // all zero for a process that has ended and is not waited for yet
}
