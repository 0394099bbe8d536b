package machine

import (
	"os"
	"testing"
)

// TestSizes holds the figures against each other: what this process takes is less than what it may use.
func TestSizes(t *testing.T) {
	resident, peak, memory := Resident(os.Getpid()), PeakMemory(), Memory()
	if resident < 1<<20 || peak < 1<<20 || memory < 64<<20 || resident > memory || peak > memory {
		t.Errorf("resident %d, at most %d, of %d", resident, peak, memory)
	}
	if n := Resident(1 << 30); n != 0 {
		t.Errorf("a process that does not exist has %d bytes resident", n)
	}
	if n := OpenFiles(); n < 16 {
		t.Errorf("%d open files", n)
	}
}

// TestCPUTime works until the clock of the processor has seen it.
func TestCPUTime(t *testing.T) {
	before := CPUTime()
	for sum := 0; CPUTime() <= before; sum++ { // an endless loop ends by the test's deadline
	}
	if before <= 0 {
		t.Errorf("a process that runs has used %v", before)
	}
}
