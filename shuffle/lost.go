package shuffle

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"fletch/fault"
)

// errNoOutput means that the Store has no committed output of an attempt.
var errNoOutput = errors.New("no such output")

// LostError means that a producer's output is gone or damaged: the producer runs again, the reader is not blamed. Its
// class is fault.FetchFailed.
type LostError struct {
	Attempts  []string // the producers
	Exchange  int
	Partition int
	Err       error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("output of attempt %s for exchange %d, partition %d is lost: %v", strings.Join(e.Attempts, ", "), e.Exchange, e.Partition, e.Err)
}

// Lost returns the attempts whose outputs are lost.
func (e *LostError) Lost() []string { return e.Attempts }

func (e *LostError) Unwrap() error { return e.Err }

// lost blames the producer for err, unless it is this process that has run out of something.
func lost(attempt string, exchange, partition int, err error) error {
	for _, own := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, own) {
			return fmt.Errorf("read output of attempt %s: %w", attempt, err)
		}
	}
	return fault.As(fault.FetchFailed, &LostError{Attempts: []string{attempt}, Exchange: exchange, Partition: partition, Err: err})
}
