package contest

import (
	"time"

	"fletch/bench/proc"
)

// meterEvery is how often a meter looks: a look costs a few hundred system calls.
const meterEvery = 50 * time.Millisecond

// meter measures the memory that processes and their descendants take together. A peak that lasts for less than
// meterEvery may escape it.
type meter struct {
	roots []int
	peak  int64
	err   error         // of the first look that failed
	end   chan struct{} // closed by stop
	ended chan struct{} // closed when the meter looks no more
}

// startMeter starts a goroutine that stop joins.
func startMeter(roots []int) *meter {
	m := &meter{roots: roots, end: make(chan struct{}), ended: make(chan struct{})}
	go m.run()
	return m
}

func (m *meter) run() {
	defer close(m.ended)
	ticker := time.NewTicker(meterEvery)
	defer ticker.Stop()
	for m.err == nil {
		var bytes int64
		bytes, m.err = proc.Memory(m.roots...)
		m.peak = max(m.peak, bytes)
		select {
		case <-ticker.C:
		case <-m.end:
			return
		}
	}
}

// stop ends the meter and returns the largest amount that it has seen.
func (m *meter) stop() (peakBytes int64, err error) {
	close(m.end)
	<-m.ended
	return m.peak, m.err
}
