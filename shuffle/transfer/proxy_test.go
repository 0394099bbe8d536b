package transfer

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// proxy stands between a client and a server, and lets a test break what the server sends.
type proxy struct {
	net.Listener
	one    sync.Mutex // call of target or damage at a time
	target func() string
	// damage is told of each connection's bytes, which it may change, and how many went before on it; it returns how many
	// go through. Fewer than all ends the connection.
	damage func(before int, b []byte) int
	wg     sync.WaitGroup
}

func newProxy(b *bench, target func() string, damage func(before int, b []byte) int) *proxy {
	l := listen(b.t)
	p := &proxy{Listener: l, target: target, damage: damage}
	p.wg.Go(p.serve)
	b.t.Cleanup(func() {
		l.Close()
		b.client.Close()
		p.wg.Wait()
	})
	return p
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// answering returns the address of a server that gives every request this answer.
func answering(t testing.TB, answer string) string {
	t.Helper()
	l := listen(t)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(conn))
			conn.Write([]byte(answer))
			conn.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		served.Wait()
	})
	return l.Addr().String()
}

func (p *proxy) address() string { return p.Addr().String() }

func (p *proxy) serve() {
	for {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.forward(conn) })
	}
}

func (p *proxy) forward(conn net.Conn) {
	defer conn.Close()
	p.one.Lock()
	target := p.target()
	p.one.Unlock()
	up, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer up.Close()
	p.wg.Go(func() {
		io.Copy(up, conn)
		up.Close()
	})
	b := make([]byte, 32<<10)
	for before := 0; ; {
		n, err := up.Read(b)
		if err != nil {
			return
		}
		p.one.Lock()
		through := p.damage(before, b[:n])
		p.one.Unlock()
		before += n
		if _, err := conn.Write(b[:through]); err != nil || through < n {
			return
		}
	}
}
