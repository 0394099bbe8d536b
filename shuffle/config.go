package shuffle

import (
	"errors"
	"os"
	"time"

	"fletch/engine/coro"
)

// Config sets a Store up.
type Config struct {
	// Dir is where attempts write what memory does not hold. It is made if it is missing.
	Dir string
	// MemoryBytes bounds the encoded frames in memory, of all outputs and writers together. Zero: all go to Dir.
	MemoryBytes int64
	// BufferBytes bounds the memory in which one writer collects rows before it encodes them; an eighth of what its share
	// is sure of does so too, but for 256 KiB. Default: 8 MiB.
	BufferBytes int64
	// FrameBytes is the size at which a partition's rows become a frame. Default: so that the partitions of an exchange
	// fill a quarter of those buffers, but between 64 KiB and 1 MiB. More would not pay: what is scattered into should
	// stay in the processor's cache, and beyond 64 KiB a frame's own cost is below 2 ns a row.
	FrameBytes int

	// Durable has committed outputs outlive the Store and its process: none stays in the process's memory. MemoryBytes
	// bounds the frames that are not yet committed.
	Durable bool
	// Place, if set, returns an empty file for the output of an attempt, of so many bytes, or nil if the output should go
	// to a file in Dir. It serves Durable outputs. It runs on the attempt's coroutine; the Store owns the file.
	Place func(c *coro.Coroutine, attempt string, bytes int64) (*os.File, error)
	// Find, if set, returns the file of an output on this machine that this Store has not written, or nil if it lies in
	// Dir, or nowhere. It runs on the reading coroutine; the Store owns the file.
	Find func(c *coro.Coroutine, attempt string) (*os.File, error)
	// Fetch reads outputs of other workers. Without it they count as refused.
	Fetch Fetcher
	// AheadBytes bounds what all Readers together fetch from other workers before they need it. Default: 64 MiB.
	AheadBytes int64
	// TryTimeout bounds one try to fetch something, beside a second for every MiB that is to come. Default: 10 s.
	TryTimeout time.Duration
	// Patience is for how long a Reader asks a worker that fails before it takes its outputs for lost. Default: 30 s.
	Patience time.Duration
}

const (
	defaultBufferBytes = 8 << 20
	minBufferBytes     = 256 << 10
	bufferShare        = 8 // of what a Writer's share is sure of
	minFrameBytes      = 64 << 10
	maxFrameBytes      = 1 << 20
	defaultAheadBytes  = 64 << 20
	defaultTryTimeout  = 10 * time.Second
	defaultPatience    = 30 * time.Second
)

func (c *Config) setDefaults() {
	if c.BufferBytes == 0 {
		c.BufferBytes = defaultBufferBytes
	}
	if c.AheadBytes == 0 {
		c.AheadBytes = defaultAheadBytes
	}
	if c.TryTimeout == 0 {
		c.TryTimeout = defaultTryTimeout
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
}

func (c *Config) validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("shuffle: Dir is missing"))
	}
	if c.MemoryBytes < 0 || c.BufferBytes < 0 || c.FrameBytes < 0 || c.AheadBytes < 0 || c.TryTimeout < 0 || c.Patience < 0 {
		errs = append(errs, errors.New("shuffle: sizes and times must not be negative"))
	}
	if !c.Durable && (c.Place != nil || c.Find != nil) {
		errs = append(errs, errors.New("shuffle: Place and Find are for Durable outputs"))
	}
	return errors.Join(errs...)
}

// frameBytes returns the size of a frame of an exchange with so many partitions, which share so many bytes of buffers.
func (c *Config) frameBytes(partitions int, buffers int64) int64 {
	if c.FrameBytes > 0 {
		return int64(c.FrameBytes)
	}
	return min(max(buffers/int64(4*partitions), minFrameBytes), maxFrameBytes)
}
