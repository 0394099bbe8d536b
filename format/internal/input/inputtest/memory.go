// Package inputtest has what tests of the formats put in the place of a task.
package inputtest

import (
	"math"
	"sync"

	"fletch/engine/budget"
	"fletch/format/internal/input"
)

// Memory grants so many bytes at a time.
type Memory struct {
	Limit int64
	Slow  bool // nothing is there at once

	mu         sync.Mutex
	used, peak int64
}

var _ input.Memory = (*Memory)(nil)

// Ample returns memory that grants everything.
func Ample() *Memory { return &Memory{Limit: math.MaxInt64} }

// TryHold implements input.Memory.
func (m *Memory) TryHold(n int64) bool { return !m.Slow && m.hold(n) }

func (m *Memory) hold(n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > m.Limit-m.used {
		return false
	}
	m.used += n
	m.peak = max(m.peak, m.used)
	return true
}

// Hold implements input.Memory: nobody else has any memory that could be waited for.
func (m *Memory) Hold(n int64) error {
	if m.hold(n) {
		return nil
	}
	return &budget.TooLargeError{Bytes: m.Used() + n, Share: m.Limit}
}

// Drop implements input.Memory.
func (m *Memory) Drop(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
}

// Used returns what is held.
func (m *Memory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Peak returns the most that was held at a time.
func (m *Memory) Peak() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak
}
