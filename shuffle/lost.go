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
	Attempts  []string // the producers, all that are known to be lost
	Exchange  int
	Partition int
	Err       error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("output of %s for exchange %d, partition %d is lost: %v", names(e.Attempts), e.Exchange, e.Partition, e.Err)
}

// LostAttempts returns the attempts whose outputs are lost, as package api asks for them.
func (e *LostError) LostAttempts() []string { return e.Attempts }

func (e *LostError) Unwrap() error { return e.Err }

// lost blames the producers for err, unless it is this process that has run out of something.
func lost(attempts []string, exchange, partition int, err error) error {
	if Exhausted(err) {
		return fmt.Errorf("read output of %s: %w", names(attempts), err)
	}
	return fault.As(fault.FetchFailed, &LostError{Attempts: attempts, Exchange: exchange, Partition: partition, Err: err})
}

// Exhausted reports whether err says that this process has run out of something.
func Exhausted(err error) bool {
	for _, own := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// names lists attempts for a message, the first few of many.
func names(attempts []string) string {
	const most = 3
	switch n := len(attempts); {
	case n == 1:
		return "attempt " + attempts[0]
	case n > most:
		return fmt.Sprintf("attempts %s and %d more", strings.Join(attempts[:most], ", "), n-most)
	default:
		return "attempts " + strings.Join(attempts, ", ")
	}
}
