package api

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"fletch/fault"
)

// Status returns the error as a gRPC server answers it: with its Error as a detail. The options of ServerOptions apply it
// to what handlers return.
func Status(err error) error {
	if err == nil {
		return nil
	}
	m := ErrorOf(err)
	code := m.code()
	if errors.Is(err, context.DeadlineExceeded) && m.class() == fault.Retryable {
		code = codes.DeadlineExceeded
	}
	return m.status(code).Err()
}

func (m *Error) status(code codes.Code) *status.Status {
	s, err := status.New(code, cut(m.GetMessage(), maxStatusText)).WithDetails(m)
	if err != nil { // a message that can't be encoded, which only a field that skips Text can cause
		return status.New(codes.Internal, cut(m.GetMessage(), maxStatusText))
	}
	return s
}

// maxStatusText caps what stands in a header besides the detail, for tools that know no details.
const maxStatusText = 1 << 10

// FromStatus returns the error that a call of gRPC returned as the one that the server had. Failures of gRPC itself get a
// class and say what to do. All else, io.EOF among it, is returned as it is. The options of DialOptions apply it.
func FromStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	var of interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &of) || of.GRPCStatus() == nil {
		return err
	}
	s := of.GRPCStatus()
	for _, detail := range s.Details() {
		if m, ok := detail.(*Error); ok {
			return m.withCode(s.Code())
		}
	}
	return failureOf(s)
}

// failureOf makes an error of one that gRPC itself reports, or a server without details.
func failureOf(s *status.Status) error {
	m := &Error{Class: uint32(fault.Retryable)}
	text := s.Message()
	switch s.Code() {
	case codes.Unavailable:
		m.Message = "nobody answers: " + text
	case codes.DeadlineExceeded:
		m.Message = "no answer in time: " + text
	case codes.Canceled:
		m.Class, m.Message = uint32(fault.Cancelled), "the call was cancelled: "+text
	case codes.ResourceExhausted:
		m.Class = uint32(fault.Permanent)
		m.Message = fmt.Sprintf("the message is too large, or there are too many: %s (a message may have %d MiB)", text, MaxMessageBytes>>20)
	case codes.Unimplemented:
		m.Class = uint32(fault.Permanent)
		m.Message = "the other side does not know this call: it is no fletch, or one of another version: " + text
	default:
		m.Message = fmt.Sprintf("call failed (%s): %s", s.Code(), text)
	}
	return m.withCode(s.Code())
}
