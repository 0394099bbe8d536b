package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// stream makes the connections between masters, as a raft.StreamLayer. Every connection begins with the preamble, so
// that no byte of raft's reaches a master of another cluster.
type stream struct {
	net.Listener
	config Config
	ctx    context.Context // ends dials
	cancel context.CancelFunc

	mu struct {
		sync.Mutex
		open    map[*peerConn]struct{} // nil once closed
		refused time.Time              // when a refusal was logged last
		hidden  int                    // refusals that were not logged since then
	}
	handlers sync.WaitGroup // one for each accepted connection that raft has not closed
}

// refusalPause is the least time between two lines about refused connections: anybody may knock, as often as they like.
const refusalPause = time.Second

func newStream(c Config) *stream {
	s := &stream{Listener: c.Listener, config: c}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.open = make(map[*peerConn]struct{})
	return s
}

// address is the server's address in raft, which is not always the listener's.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// Addr implements net.Listener.
func (s *stream) Addr() net.Addr { return address(s.config.Address) }

// Dial implements raft.StreamLayer.
func (s *stream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	conn, _, err := s.dial(s.ctx, string(to), timeout)
	return conn, err
}

// dial connects to a master and returns its ID.
func (s *stream) dial(ctx context.Context, to string, timeout time.Duration) (net.Conn, string, error) {
	deadline := time.Now().Add(timeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, "", err
	}
	conn := &peerConn{Conn: raw, stream: s}
	if err := s.track(conn); err != nil {
		return nil, "", err
	}
	id, err := greet(conn, s.config.Cluster, deadline)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("connect to master %s: %w", to, err), conn.Close())
	}
	return conn, id, nil
}

// Accept implements net.Listener. The preamble is read by the goroutine that raft starts for the connection, so that
// a silent client holds up nobody.
func (s *stream) Accept() (net.Conn, error) {
	raw, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &peerConn{Conn: raw, stream: s, accepted: true}
	return conn, s.track(conn)
}

// track keeps a connection so that shutdown can close it.
func (s *stream) track(conn *peerConn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.open == nil {
		return errors.Join(net.ErrClosed, conn.Conn.Close())
	}
	s.mu.open[conn] = struct{}{}
	if conn.accepted {
		s.handlers.Add(1)
	}
	return nil
}

func (s *stream) untrack(conn *peerConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.open, conn)
}

// shutdown closes every connection and returns when raft has let go of those that it had accepted.
func (s *stream) shutdown() error {
	s.cancel()
	err := s.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.mu.Lock()
	open := s.mu.open
	s.mu.open = nil
	s.mu.Unlock()
	for conn := range open {
		conn.interrupt()
	}
	s.handlers.Wait()
	return err
}

// refuse logs that a connection was refused.
func (s *stream) refuse(from net.Addr, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.hidden++; time.Since(s.mu.refused) < refusalPause {
		return
	}
	s.config.Log.LogAttrs(s.ctx, slog.LevelWarn, "refused a connection to this master's replica",
		slog.String("from", from.String()), slog.String("why", why.Error()), slog.Int("times", s.mu.hidden))
	s.mu.refused, s.mu.hidden = time.Now(), 0
}

// peerConn is a connection between two masters. An accepted one answers the preamble at its first Read.
type peerConn struct {
	net.Conn
	stream   *stream
	accepted bool

	begun     bool // of an accepted one; used by its reader alone
	closeOnce sync.Once
	closeErr  error
}

// Read implements net.Conn.
func (c *peerConn) Read(p []byte) (int, error) {
	if c.accepted && !c.begun {
		c.begun = true
		if err := welcome(c.Conn, c.stream.config.Cluster, c.stream.config.ID, time.Now().Add(preambleWait)); err != nil {
			c.stream.refuse(c.RemoteAddr(), err)
			return 0, io.EOF // raft would log any other error once more
		}
	}
	n, err := c.Conn.Read(p)
	if errors.Is(err, net.ErrClosed) {
		err = io.EOF // the end of this replica is no error of the connection
	}
	return n, err
}

// interrupt closes the connection under whoever uses it, who still has to call Close.
func (c *peerConn) interrupt() {
	c.closeOnce.Do(func() { c.closeErr = c.Conn.Close() })
}

// Close implements net.Conn. For an accepted connection it is the last act of raft's goroutine.
func (c *peerConn) Close() error {
	c.interrupt()
	c.stream.untrack(c)
	if c.accepted {
		c.accepted = false
		c.stream.handlers.Done()
	}
	return c.closeErr
}
