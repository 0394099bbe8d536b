package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	// peekTime is how long a connection may take to say what it is.
	peekTime = 5 * time.Second
	// maxPeeking is how many connections may be about to say it. Further ones wait in the kernel's queue.
	maxPeeking = 1024
	// acceptPause is the wait after a failure to accept that may pass, such as too many open files.
	acceptPause = 100 * time.Millisecond
)

// Mux shares a port between gRPC, Raft and HTTP/1. It hands each connection, whole, to the listener of the protocol that
// its first bytes belong to. What belongs to none, or stays silent, is closed and counted.
type Mux struct {
	listener         net.Listener
	raft, grpc, http *branch
	refused          atomic.Int64
}

// NewMux returns a Mux of the connections that l accepts. Run closes l; before it runs, nothing is accepted.
func NewMux(l net.Listener) *Mux {
	return &Mux{listener: l, raft: newBranch(l.Addr()), grpc: newBranch(l.Addr()), http: newBranch(l.Addr())}
}

// Raft returns the listener of connections that begin with FLETCH-RAFT/.
func (m *Mux) Raft() net.Listener { return m.raft }

// GRPC returns the listener of connections that begin as HTTP/2 does where the client knows that the server speaks it.
func (m *Mux) GRPC() net.Listener { return m.grpc }

// HTTP returns the listener of connections that begin with a method of HTTP/1.
func (m *Mux) HTTP() net.Listener { return m.http }

// Refused returns how many connections were closed because they spoke none of the protocols, or too slowly, or because
// nobody accepted them.
func (m *Mux) Refused() int64 { return m.refused.Load() }

// Run serves until ctx ends, which is no error, or the listener fails. At its end it closes the listener, its own three
// and every connection that nobody has accepted from these.
func (m *Mux) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		return m.close()
	})
	g.Go(func() error { return m.accept(ctx, g) })
	return g.Wait()
}

func (m *Mux) close() error {
	m.raft.shut()
	m.grpc.shut()
	m.http.shut()
	if err := m.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// accept gives each connection a goroutine, which ends once it is known whose it is.
func (m *Mux) accept(ctx context.Context, g *errgroup.Group) error {
	peeking := make(chan struct{}, maxPeeking) // an element for each such goroutine
	for {
		select {
		case peeking <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := m.listener.Accept()
		switch {
		case err == nil:
			g.Go(func() error {
				defer func() { <-peeking }()
				m.dispatch(ctx, conn)
				return nil
			})
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was closed, as ctx has ended
		case isPassing(err):
			<-peeking
			pause(ctx, acceptPause)
		default:
			return fmt.Errorf("accept connections: %w", err)
		}
	}
}

// isPassing reports that a listener which failed to accept may do better the next time.
func isPassing(err error) bool {
	for _, e := range []error{unix.ECONNABORTED, unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dispatch finds out what a connection speaks and hands it on.
func (m *Mux) dispatch(ctx context.Context, conn net.Conn) {
	first, p, err := m.peek(ctx, conn)
	if err != nil || !m.branch(p).hand(&peeked{Conn: conn, first: first}) {
		m.refused.Add(1)
		conn.Close() //nolint:errcheck // nothing was written to it
	}
}

func (m *Mux) branch(p protocol) *branch {
	switch p {
	case raftProtocol:
		return m.raft
	case grpcProtocol:
		return m.grpc
	default:
		return m.http
	}
}

// peek reads as much of a connection as shows its protocol. The end of ctx ends it.
func (m *Mux) peek(ctx context.Context, conn net.Conn) (first []byte, p protocol, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(peekTime)); err != nil {
		return nil, 0, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // the failing Read tells
	defer stop()
	buf := make([]byte, longestPrefix)
	for n := 0; ; {
		read, err := conn.Read(buf[n:])
		n += read
		p, known := protocolOf(buf[:n])
		switch {
		case known && p != foreign:
			if !stop() {
				return nil, 0, ctx.Err()
			}
			return buf[:n], p, conn.SetReadDeadline(time.Time{})
		case known:
			return nil, 0, errForeign
		case err != nil:
			return nil, 0, err
		}
	}
}
