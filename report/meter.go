package report

import "time"

// A rate is taken over the last rateSpan, or what there is of it, but no less than minRateSpan; its samples are rateStep
// apart.
const (
	rateSpan    = 4 * time.Second
	minRateSpan = time.Second
	rateStep    = 250 * time.Millisecond
)

// meter measures how fast one stage reads.
type meter struct {
	samples []sample // the first is the last one that is at least rateSpan old, if there is one
}

type sample struct {
	at    time.Time
	bytes int64
}

// add takes the bytes read so far. Fewer than before means that work was lost: the measure starts again.
func (m *meter) add(now time.Time, bytes int64) {
	n := len(m.samples)
	if n > 0 && bytes < m.samples[n-1].bytes {
		m.samples, n = m.samples[:0], 0
	}
	if n > 0 && now.Sub(m.samples[n-1].at) < rateStep {
		return
	}
	m.samples = append(m.samples, sample{now, bytes})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= rateSpan {
		m.samples = m.samples[1:]
	}
}

// speed returns the rate of the last seconds; that of the whole stage when it has ended or there is too little to tell.
func (m *meter) speed(s *Stage) string {
	n := len(m.samples)
	if s.ended() || n == 0 || m.samples[n-1].at.Sub(m.samples[0].at) < minRateSpan {
		return speed(s.Metrics.BytesIn, s.Seconds)
	}
	first, last := m.samples[0], m.samples[n-1]
	if last.bytes == 0 {
		return ""
	}
	if first.bytes == last.bytes {
		return digits(0) + " MB/s"
	}
	return speed(last.bytes-first.bytes, last.at.Sub(first.at).Seconds())
}
