package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestClassOf(t *testing.T) {
	plain := errors.New("disk is full")
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(plain)
	tests := []struct {
		name string
		err  error
		want Class
	}{
		{"no class", plain, Retryable},
		{"user", As(User, plain), User},
		{"wrapped", fmt.Errorf("read: %w", As(FetchFailed, plain)), FetchFailed},
		{"outermost", As(Permanent, fmt.Errorf("write: %w", As(User, plain))), Permanent},
		{"joined", errors.Join(plain, As(Fenced, plain)), Fenced},
		{"context", ended.Err(), Cancelled},
		{"wrapped context", fmt.Errorf("wait: %w", context.Canceled), Cancelled},
		{"classified context", As(User, context.Canceled), User},
		{"deadline", context.DeadlineExceeded, Retryable},
		{"cause", context.Cause(ended), Retryable},
		{"nil", nil, Retryable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if have := ClassOf(test.err); have != test.want {
				t.Errorf("ClassOf(%v) = %s, want %s", test.err, have, test.want)
			}
		})
	}
}

func TestAsKeepsTheError(t *testing.T) {
	plain := errors.New("disk is full")
	err := As(User, plain)
	if err.Error() != plain.Error() || !errors.Is(err, plain) {
		t.Errorf("As(User, %q) = %q", plain, err)
	}
	if As(User, nil) != nil {
		t.Error("As(User, nil) is an error")
	}
}

func TestClassString(t *testing.T) {
	seen := make(map[string]bool)
	for c := Retryable; c <= Permanent; c++ {
		if seen[c.String()] || c.String() == "unknown" {
			t.Errorf("class %d is named %q", c, c)
		}
		seen[c.String()] = true
	}
	if have := (Permanent + 1).String(); have != "unknown" {
		t.Errorf("a class that is not there is named %q", have)
	}
}

func TestIsDiskFull(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for err, want := range map[error]bool{
		full:                            true,
		fmt.Errorf("spill: %w", full):   true,
		As(Permanent, full):             false, // somebody has decided already
		errors.New("no space left"):     false,
		fmt.Errorf("%w", syscall.EROFS): true,
		syscall.EIO:                     false,
	} {
		if have := IsDiskFull(err); have != want {
			t.Errorf("IsDiskFull(%v) = %v", err, have)
		}
	}
}
