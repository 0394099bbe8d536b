package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"fletch/fault"
)

// lostError is an error as the shuffle has them, panicError one as the executor has.
type lostError struct{ attempts []string }

func (e *lostError) Error() string          { return "output is lost" }
func (e *lostError) LostAttempts() []string { return e.attempts }

type panicError struct{ error }

func (e *panicError) Frames() string { return "main.Job\n\tjob.go:7" }

// wire are errors and what is left of them on another machine.
var wire = []struct {
	name  string
	err   error
	class fault.Class
	code  codes.Code
	check func(error) bool
}{
	{"plain", errors.New("disk is full"), fault.Retryable, codes.Internal, nil},
	{"user", fault.As(fault.User, errors.New("bad record")), fault.User, codes.InvalidArgument, nil},
	{"wrapped user", fmt.Errorf("task 7: %w", fault.As(fault.User, errors.New("bad record"))), fault.User, codes.InvalidArgument, nil},
	{"fenced", fault.As(fault.Fenced, errors.New("epoch 3 is behind")), fault.Fenced, codes.Aborted, nil},
	{"permanent", fault.As(fault.Permanent, errors.New("output exists")), fault.Permanent, codes.FailedPrecondition, nil},
	{"outermost", fault.As(fault.Permanent, fault.As(fault.User, errors.New("x"))), fault.Permanent, codes.FailedPrecondition, nil},
	{"joined", errors.Join(errors.New("a"), fault.As(fault.User, errors.New("b"))), fault.User, codes.InvalidArgument, nil},
	{"cancelled", fmt.Errorf("wait: %w", context.Canceled), fault.Cancelled, codes.Canceled, nil},
	{"cancelled with a cause", fault.As(fault.Cancelled, errors.New("ada cancelled it")), fault.Cancelled, codes.Canceled, nil},
	{"deadline", fmt.Errorf("commit: %w", context.DeadlineExceeded), fault.Retryable, codes.DeadlineExceeded, nil},
	{"user's deadline", fault.As(fault.User, context.DeadlineExceeded), fault.User, codes.InvalidArgument, nil},
	{"lost", fmt.Errorf("read: %w", fault.As(fault.FetchFailed, &lostError{[]string{"a", "b"}})), fault.FetchFailed, codes.DataLoss, func(err error) bool {
		lost, ok := errors.AsType[interface {
			error
			LostAttempts() []string
		}](err)
		return ok && slices.Equal(lost.LostAttempts(), []string{"a", "b"})
	}},
	{"panic", fault.As(fault.User, fmt.Errorf("task 7: %w", &panicError{errors.New("nil map")})), fault.User, codes.InvalidArgument, func(err error) bool {
		framed, ok := errors.AsType[interface {
			error
			Frames() string
		}](err)
		return ok && framed.Frames() == "main.Job\n\tjob.go:7"
	}},
	{"not leader", fmt.Errorf("submit: %w", &NotLeader{Leader: "127.0.0.1:7"}), fault.Retryable, codes.FailedPrecondition, func(err error) bool {
		e, ok := errors.AsType[*NotLeader](err)
		return ok && e.Leader == "127.0.0.1:7"
	}},
	{"no leader", &NotLeader{}, fault.Retryable, codes.FailedPrecondition, func(err error) bool {
		e, ok := errors.AsType[*NotLeader](err)
		return ok && e.Leader == ""
	}},
	{"not found", fmt.Errorf("status: %w", &NotFound{What: "job 7"}), fault.Permanent, codes.NotFound, func(err error) bool {
		e, ok := errors.AsType[*NotFound](err)
		return ok && e.What == "job 7"
	}},
	{"not found, with a class", fault.As(fault.Fenced, &NotFound{What: "job 7"}), fault.Fenced, codes.NotFound, nil},
}

func TestErrorMessage(t *testing.T) {
	for _, c := range wire {
		t.Run(c.name, func(t *testing.T) {
			once := roundTrip(t, ErrorOf(c.err)).Err()
			twice := roundTrip(t, ErrorOf(fmt.Errorf("passed on: %w", once))).Err()
			for _, err := range []error{once, twice} {
				if !strings.HasSuffix(err.Error(), c.err.Error()) || fault.ClassOf(err) != c.class {
					t.Errorf("%v arrived as %v: %v", c.err, fault.ClassOf(err), err)
				}
				if c.check != nil && !c.check(err) {
					t.Errorf("%v lost what it knew", err)
				}
			}
			if !strings.HasPrefix(twice.Error(), "passed on: ") {
				t.Errorf("wrapped text is %q", twice)
			}
		})
	}
	if ErrorOf(nil) != nil || (*Error)(nil).Err() != nil || Status(nil) != nil || FromStatus(nil) != nil {
		t.Error("no error became one")
	}
}

func TestErrorOfAnotherVersion(t *testing.T) {
	err := (&Error{Class: 99, Kind: 99, Message: "new"}).Err()
	if fault.ClassOf(err) != fault.Retryable || err.Error() != "new" {
		t.Errorf("%v: %v", fault.ClassOf(err), err)
	}
}

func TestErrorIsBounded(t *testing.T) {
	lost := make([]string, maxLost+1)
	m := roundTrip(t, ErrorOf(fmt.Errorf("%s%w", strings.Repeat("é", maxMessage), &lostError{lost})))
	if n := len(m.GetMessage()); n > maxMessage || n < maxMessage-8 || !strings.HasSuffix(m.GetMessage(), "é ...") {
		t.Errorf("message of %d bytes, at its end %q", n, m.GetMessage()[n-8:])
	}
	if len(m.GetLost()) != maxLost {
		t.Errorf("%d attempts", len(m.GetLost()))
	}
	if m := roundTrip(t, ErrorOf(errors.New("no \xff"))); m.GetMessage() != "no \uFFFD" {
		t.Errorf("message %q", m.GetMessage())
	}
}

func TestFromStatusOfOthers(t *testing.T) {
	for _, c := range []struct {
		code  codes.Code
		class fault.Class
		is    error
		text  string
	}{
		{codes.Unavailable, fault.Retryable, ErrUnreachable, "nobody answers: why"},
		{codes.DeadlineExceeded, fault.Retryable, context.DeadlineExceeded, "no answer in time: why"},
		{codes.Canceled, fault.Cancelled, context.Canceled, "cancelled: why"},
		{codes.ResourceExhausted, fault.Permanent, nil, "64 MiB"},
		{codes.Unimplemented, fault.Permanent, nil, "another version: why"},
		{codes.Internal, fault.Retryable, nil, "Internal): why"},
		{codes.Unknown, fault.Retryable, nil, "why"},
	} {
		err := FromStatus(status.Error(c.code, "why"))
		if fault.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v became %v: %v", c.code, fault.ClassOf(err), err)
		}
		for _, is := range []error{ErrUnreachable, context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, is) != (is == c.is) {
				t.Errorf("%v is %v: %t", err, is, is != c.is)
			}
		}
		if status.Code(err) != c.code || FromStatus(err) != err {
			t.Errorf("%v has the code %v", err, status.Code(err))
		}
		// A server that answers with what a call of its own returned must not look as if it were unreachable itself.
		if passed := FromStatus(Status(fmt.Errorf("pass on: %w", err))); errors.Is(passed, ErrUnreachable) || !strings.HasPrefix(passed.Error(), "pass on: ") {
			t.Errorf("%v became %v", err, passed)
		}
	}
	for _, err := range []error{io.EOF, context.Canceled, errors.New("mine")} {
		if FromStatus(err) != err {
			t.Errorf("%v became %v", err, FromStatus(err))
		}
	}
}
