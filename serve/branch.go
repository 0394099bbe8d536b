package serve

import (
	"errors"
	"net"
	"sync"
)

// maxWaiting is how many connections of one protocol may wait to be accepted. Further ones are closed.
const maxWaiting = 128

// branch is the listener of one of a Mux's protocols.
type branch struct {
	address net.Addr
	conns   chan net.Conn // of maxWaiting; never closed
	done    chan struct{} // closed by shut
	shut    func()        // may be called again
}

func newBranch(address net.Addr) *branch {
	b := &branch{address: address, conns: make(chan net.Conn, maxWaiting), done: make(chan struct{})}
	b.shut = sync.OnceFunc(func() {
		close(b.done)
		b.drain()
	})
	return b
}

// hand gives a connection to whoever accepts, and reports whether the branch has taken it.
func (b *branch) hand(conn net.Conn) bool {
	select {
	case <-b.done:
		return false
	default:
	}
	select {
	case b.conns <- conn:
	default:
		return false
	}
	select {
	case <-b.done:
		b.drain() // shut may have drained before conn came
	default:
	}
	return true
}

// drain closes the connections that wait.
func (b *branch) drain() {
	for {
		select {
		case conn := <-b.conns:
			conn.Close() //nolint:errcheck // nothing was written to it
		default:
			return
		}
	}
}

// Accept implements net.Listener.
func (b *branch) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return conn, nil
	case <-b.done:
		return nil, &net.OpError{Op: "accept", Net: b.address.Network(), Addr: b.address, Err: net.ErrClosed}
	}
}

// muxEnded reports that err, of accepting from l, is the end of the Mux that l belongs to: a server learns of it from l
// before its own context ends, or after, and only the Mux knows why.
func muxEnded(l net.Listener, err error) bool {
	_, ours := l.(*branch)
	return ours && errors.Is(err, net.ErrClosed)
}

// Close implements net.Listener. Connections of the protocol are refused from then on.
func (b *branch) Close() error {
	b.shut()
	return nil
}

// Addr implements net.Listener.
func (b *branch) Addr() net.Addr { return b.address }

// peeked is a connection some of whose bytes have been read already.
type peeked struct {
	net.Conn
	first []byte // one goroutine reads at a time
}

func (c *peeked) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
