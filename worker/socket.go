package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sockets are the two that an executor inherits: one for messages, one for file descriptors.
type sockets struct {
	messages    net.Conn
	descriptors *net.UnixConn // a packet each: the attempt's name, with the descriptor
	theirs      []*os.File    // the executor's ends, in the order of its descriptors 3 and 4
}

func newSockets() (*sockets, error) {
	s := &sockets{}
	messages, err := s.pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.messages = messages
	packets, err := s.pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.descriptors = packets
	return s, nil
}

// pair makes a socket pair and returns this side's end; the other one goes to theirs.
func (s *sockets) pair(kind int) (*net.UnixConn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	s.theirs = append(s.theirs, os.NewFile(uintptr(fds[1]), "executor"))
	ours := os.NewFile(uintptr(fds[0]), "agent")
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	return conn.(*net.UnixConn), nil
}

// descriptorWait is how long an executor may take to make room for a descriptor.
const descriptorWait = 5 * time.Second

// send sends a file descriptor, with the attempt's name.
func (s *sockets) send(attempt string, f *os.File) error {
	if err := s.descriptors.SetWriteDeadline(time.Now().Add(descriptorWait)); err != nil {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) {
		_, _, sent = s.descriptors.WriteMsgUnix([]byte(attempt), unix.UnixRights(int(fd)), nil)
	}); err != nil {
		return err
	}
	return sent
}

// started closes the executor's ends, which it has by now.
func (s *sockets) started() error {
	var errs []error
	for _, f := range s.theirs {
		errs = append(errs, f.Close())
	}
	s.theirs = nil
	return errors.Join(errs...)
}

// close closes all that is open still.
func (s *sockets) close() error {
	err := s.started()
	for _, c := range []net.Conn{s.messages, s.descriptors} {
		if c != nil && c != (*net.UnixConn)(nil) {
			if e := c.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// oneConn is a listener that yields one connection.
type oneConn struct {
	conn   chan net.Conn // capacity 1; holds the connection until it is accepted
	closed chan struct{}
	once   sync.Once
}

func newOneConn(conn net.Conn) *oneConn {
	l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conn <- conn
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "executor", Net: "unix"} }
