package shuffle

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Producer names an attempt's output and who has it.
type Producer struct {
	Attempt string
	Worker  string // host:port of its shuffle service; empty for an output on this machine
}

// Fetcher asks other workers for outputs of this Store's job. Its methods make one try, block, end with their context
// and may be called from anywhere. An error is a *GoneError, a *RefusedError, or one that another try may not meet.
type Fetcher interface {
	// Fetch returns what q names and its length, which is known before the first byte arrives.
	Fetch(ctx context.Context, worker string, q Query) (io.ReadCloser, int64, error)
	// Verify has a worker check its own copy of a block, and returns nil if that is whole.
	Verify(ctx context.Context, worker string, exchange, partition int, attempt string) error
}

// Query names a stretch of a stream of blocks: for each partition from Lo to Hi-1, the blocks of the attempts in their
// order. Layout of the stream: docs/format/shuffle.md.
type Query struct {
	Exchange, Lo, Hi int
	Attempts         []string
	Offset           int64
	Limit            int64 // bytes; the stretch ends with the first whole unit that reaches it
}

// GoneError is a worker's word that it does not have outputs, or not as they were written.
type GoneError struct {
	Attempts []string
	Reason   string
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("%s: %s", strings.Join(e.Attempts, ", "), e.Reason)
}

// RefusedError is a worker's word that it will not answer a query, however often it is asked.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// noFetcher is the Fetcher of a Store that has none.
type noFetcher struct{}

var errNoFetcher = &RefusedError{Reason: "this process reads no outputs of other workers"}

func (noFetcher) Fetch(context.Context, string, Query) (io.ReadCloser, int64, error) {
	return nil, 0, errNoFetcher
}

func (noFetcher) Verify(context.Context, string, int, int, string) error { return errNoFetcher }
