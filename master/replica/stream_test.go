package replica

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// lines collects what is logged.
type lines struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	l.lines = append(l.lines, text)
	return nil
}

func (l *lines) with(word string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return found
}

// What is no master of this cluster is refused with an answer and one line in the log, and the cluster goes on.
func TestForeignConnections(t *testing.T) {
	tests := []struct {
		name, sends string
		answer, log string
	}{
		{"another cluster", "FLETCH-RAFT/1 production\n", `NO it is of cluster "production", this master of "test"`, `it is of cluster "production"`},
		{"another version", "FLETCH-RAFT/2 test\n", "NO it speaks version", "run the same version of fletch"},
		{"no preamble", "\x00\x01\x02garbage\n", "NO it does not begin", "does not begin as a master's connection does"},
		{"an endless line", strings.Repeat("x", 10*maxLine), "", fmt.Sprint("no end within ", maxLine)},
		{"nothing", "", "", "EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.leader()
			c.stop("m1")
			log := &lines{}
			c.run("m1", Config{Log: slog.New(log)})
			c.leader()
			conn, err := net.Dial("tcp", c.masters["m1"].Address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, test.sends); err != nil {
				t.Fatal(err)
			}
			if test.sends == "" {
				conn.(*net.TCPConn).CloseWrite()
			}
			conn.SetReadDeadline(time.Now().Add(patience))
			answer, _ := bufio.NewReader(conn).ReadString('\n') // the rest is a reset, where bytes were left unread
			if !strings.Contains(answer, test.answer) {
				t.Errorf("answer %q, want %q", answer, test.answer)
			}
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, context.DeadlineExceeded) {
				t.Error("the connection stays open")
			}
			if found := log.with("refused a connection"); len(found) != 1 || !strings.Contains(found[0], test.log) {
				t.Errorf("logged %q, want one line with %q", found, test.log)
			}
			if errors := log.with("ERROR"); len(errors) > 0 {
				t.Errorf("logged %q", errors)
			}
			c.must(submitOf("after", 1))
		})
	}
}

// A knock on every door does not fill the log.
func TestRefusalsAreCounted(t *testing.T) {
	log := &lines{}
	s := newStream(Config{Log: slog.New(log)})
	defer s.cancel()
	for range 100 {
		s.refuse(address("10.0.0.1:1"), io.EOF)
	}
	s.mu.refused = time.Time{}
	s.refuse(address("10.0.0.1:1"), io.EOF)
	found := log.with("refused")
	if len(found) != 2 || !strings.Contains(found[1], "times=100") {
		t.Errorf("logged %q", found)
	}
}

// After the preamble come bytes that no raft sends.
func TestGarbageAfterThePreamble(t *testing.T) {
	c := newCluster(t, 1)
	leader := c.leader()
	for _, garbage := range []string{"\xff", "\x00\xc1", "\x00\x81\xa4Term\xcf", strings.Repeat("\x00", 100), "\x03\xde\xff\xff"} {
		conn, id, err := leader.replica.stream.dial(c.context(), leader.Address, patience)
		if err != nil || id != leader.ID {
			t.Fatalf("%q answers (%v)", id, err)
		}
		if _, err := io.WriteString(conn, garbage); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c.must(submitOf("after", 1))
}

func TestDialErrors(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	defer l.Close()
	var served sync.WaitGroup
	answer := func(text string) {
		served.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = io.WriteString(conn, text)
			conn.Close()
		})
	}
	s := newStream(Config{Cluster: "test", Listener: listen(t, "127.0.0.1:0")})
	dial := func() error {
		_, err := s.Dial(raft.ServerAddress(l.Addr().String()), patience)
		return err
	}
	answer("HTTP/1.1 400 Bad Request\r\n\r\n")
	if err := dial(); err == nil || !strings.Contains(err.Error(), "no master of fletch") {
		t.Errorf("a web server: %v", err)
	}
	answer("NO it is of cluster \"a\"\n")
	var refused *refusedError
	if err := dial(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "refused: it is of cluster") {
		t.Errorf("a refusal: %v", err)
	}
	answer("")
	if err := dial(); !errors.Is(err, io.EOF) {
		t.Errorf("a connection that is closed: %v", err)
	}
	served.Wait()
	if err := s.shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := dial(); err == nil {
		t.Error("a stream that is shut down dials")
	}
}

// script is a connection on which everything that comes is known.
type script struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s *script) SetDeadline(time.Time) error { return nil }

// FuzzWelcome looks for a preamble that is accepted though it is not this cluster's, or of which too much is read.
func FuzzWelcome(f *testing.F) {
	f.Add([]byte("FLETCH-RAFT/1 test\n"))
	f.Add([]byte("FLETCH-RAFT/1 other\nrest"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		const good = "FLETCH-RAFT/1 test\n"
		conn := &script{in: bytes.NewReader(sent)}
		err := welcome(conn, "test", "m1", time.Time{})
		if accepted := bytes.HasPrefix(sent, []byte(good)); accepted != (err == nil) {
			t.Errorf("%q: %v", sent, err)
		}
		if err == nil && conn.in.Len() != len(sent)-len(good) {
			t.Errorf("%q: %d bytes are left for raft", sent, conn.in.Len())
		}
		if n := bytes.Count(conn.out.Bytes(), []byte("\n")); n > 1 {
			t.Errorf("%q is answered with %d lines: %q", sent, n, conn.out.String())
		}
	})
}
