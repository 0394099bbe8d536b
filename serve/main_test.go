package serve

import (
	"context"
	"errors"
	"net"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memory is a listener within the test: its connections are pipes, so that a test's clock rules their deadlines.
type memory struct {
	accepts chan func() (net.Conn, error) // unbuffered, never closed: what the next Accept does
	closed  chan struct{}                 // closed by Close
}

func newMemory() *memory {
	return &memory{accepts: make(chan func() (net.Conn, error)), closed: make(chan struct{})}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case accept := <-m.accepts:
		return accept()
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	select {
	case <-m.closed:
		return net.ErrClosed
	default:
	}
	close(m.closed)
	return nil
}

func (*memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7} }

// dial connects to the listener; it blocks until that accepts.
func (m *memory) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.accepts <- func() (net.Conn, error) { return server, nil }:
		return client, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), client.Close(), server.Close())
	}
}

// run runs a part of the package until the test's end, and returns how to end it earlier, with its error.
func run(t *testing.T, serve func(context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { must(t, stop()) })
	return stop
}
