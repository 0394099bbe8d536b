package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// TestMuxServesAll has a server of each protocol behind one port, and several clients of each at once.
func TestMuxServesAll(t *testing.T) {
	l, err := Listen("127.0.0.1:0", false)
	must(t, err)
	address := l.Addr().String()
	m := NewMux(l)
	run(t, m.Run)
	run(t, func(ctx context.Context) error {
		return HTTP(ctx, m.HTTP(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	})
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		return status.Error(codes.DataLoss, "it is gRPC")
	}))
	run(t, func(ctx context.Context) error { return GRPC(ctx, m.GRPC(), server) })
	run(t, func(ctx context.Context) error { return echo(ctx, m.Raft()) })

	body := strings.Repeat("text", 100_000)
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address, strings.NewReader(body))
				must(t, err)
				reply, err := client.Do(request)
				must(t, err)
				got, err := io.ReadAll(reply.Body)
				must(t, errors.Join(err, reply.Body.Close()))
				if string(got) != body {
					t.Errorf("HTTP: %d bytes came back of %d", len(got), len(body))
				}
			}

			conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			must(t, err)
			defer conn.Close()
			if err := conn.Invoke(t.Context(), "/any/Call", &emptypb.Empty{}, &emptypb.Empty{}); status.Code(err) != codes.DataLoss {
				t.Errorf("gRPC: %v", err)
			}

			raft, err := net.Dial("tcp", address)
			must(t, err)
			defer raft.Close()
			sent := "FLETCH-RAFT/1 cluster\n" + body[:1000]
			_, err = io.WriteString(raft, sent)
			must(t, err)
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(raft, got); err != nil || string(got) != sent {
				t.Errorf("Raft: %q came back, %v", got, err)
			}
		})
	}
}

// echo sends back what each connection brings.
func echo(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			return nil //nolint:nilerr // it was closed, as ctx has ended
		}
		io.Copy(conn, conn)
		conn.Close()
	}
}

// muxed runs a Mux over pipes, in the test's own time.
func muxed(t *testing.T, test func(t *testing.T, l *memory, m *Mux, stop func() error)) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemory()
		m := NewMux(l)
		test(t, l, m, run(t, m.Run))
	})
}

func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is not closed: read %d, %v", n, err)
	}
}

func TestMuxTakesBytesOneByOne(t *testing.T) {
	for text, listener := range map[string]func(*Mux) net.Listener{
		"FLETCH-RAFT/1 x\n":                (*Mux).Raft,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": (*Mux).GRPC,
		"POST / HTTP/1.1\r\n":              (*Mux).HTTP,
		"PUT / HTTP/1.1\r\n":               (*Mux).HTTP,
		"OPTIONS * HTTP/1.1\r\n":           (*Mux).HTTP,
	} {
		muxed(t, func(t *testing.T, l *memory, m *Mux, _ func() error) {
			conn, err := l.dial(t.Context())
			must(t, err)
			defer conn.Close()
			sent := make(chan error, 1)
			go func() {
				for i := range text {
					time.Sleep(300 * time.Millisecond) // of the test's clock
					if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
						sent <- err
						return
					}
				}
				sent <- nil
			}()
			accepted, err := listener(m).Accept()
			must(t, err)
			defer accepted.Close()
			got := make([]byte, len(text))
			if _, err := io.ReadFull(iotest.OneByteReader(accepted), got); err != nil || string(got) != text {
				t.Errorf("received %q, %v; sent %q", got, err, text)
			}
			must(t, <-sent)
			time.Sleep(2 * peekTime)
			go conn.Write([]byte("x"))
			if _, err := accepted.Read(got); err != nil {
				t.Errorf("the time to peek goes on: %v", err)
			}
		})
	}
}

func TestMuxRefusesForeigners(t *testing.T) {
	for _, text := range []string{
		"\x16\x03\x01\x02\x00\x01", "SSH-2.0-x\r\n", "\x00", "FLETCH-RAFT1", "get / ", "PRI * HTTP/1.1", "GETX", "PUTT ", "CONNECT a:1 HTTP/1.1\r\n", "\n",
	} {
		muxed(t, func(t *testing.T, l *memory, m *Mux, _ func() error) {
			conn, err := l.dial(t.Context())
			must(t, err)
			go io.WriteString(conn, text)
			start := time.Now()
			wantClosed(t, conn)
			if time.Since(start) > 0 {
				t.Errorf("%q: closed after %v", text, time.Since(start))
			}
			synctest.Wait()
			if m.Refused() != 1 {
				t.Errorf("%d were refused", m.Refused())
			}
		})
	}
}

func TestMuxRefusesTheSlowAndTheBroken(t *testing.T) {
	muxed(t, func(t *testing.T, l *memory, m *Mux, _ func() error) {
		silent, err := l.dial(t.Context())
		must(t, err)
		halted, err := l.dial(t.Context())
		must(t, err)
		broken, err := l.dial(t.Context())
		must(t, err)
		_, err = io.WriteString(halted, "PRI * HT")
		must(t, err)
		_, err = io.WriteString(broken, "GE")
		must(t, err)
		must(t, broken.Close())
		start := time.Now()
		wantClosed(t, silent)
		wantClosed(t, halted)
		if time.Since(start) != peekTime {
			t.Errorf("closed after %v", time.Since(start))
		}
		synctest.Wait()
		if m.Refused() != 3 {
			t.Errorf("%d were refused", m.Refused())
		}
	})
}

func TestMuxBoundsThoseThatSayNothing(t *testing.T) {
	muxed(t, func(t *testing.T, l *memory, _ *Mux, _ func() error) {
		var conns []net.Conn
		for range maxPeeking {
			conn, err := l.dial(t.Context())
			must(t, err)
			conns = append(conns, conn)
		}
		start := time.Now()
		last, err := l.dial(t.Context())
		must(t, err)
		if time.Since(start) != peekTime {
			t.Errorf("one more than %d was accepted after %v", maxPeeking, time.Since(start))
		}
		for _, conn := range append(conns, last) {
			must(t, conn.Close())
		}
	})
}

func TestMuxBoundsThoseThatNobodyAccepts(t *testing.T) {
	muxed(t, func(t *testing.T, l *memory, m *Mux, stop func() error) {
		var conns []net.Conn
		for range maxWaiting + 1 {
			conn, err := l.dial(t.Context())
			must(t, err)
			_, err = io.WriteString(conn, "GET ")
			must(t, err)
			synctest.Wait()
			conns = append(conns, conn)
		}
		if m.Refused() != 1 {
			t.Errorf("%d were refused", m.Refused())
		}
		wantClosed(t, conns[maxWaiting])
		must(t, stop())
		for _, conn := range conns {
			wantClosed(t, conn)
		}
	})
}

func TestMuxEnds(t *testing.T) {
	muxed(t, func(t *testing.T, l *memory, m *Mux, stop func() error) {
		silent, err := l.dial(t.Context())
		must(t, err)
		mine, err := l.dial(t.Context())
		must(t, err)
		defer mine.Close()
		_, err = io.WriteString(mine, "GET ")
		must(t, err)
		accepted, err := m.HTTP().Accept()
		must(t, err)
		defer accepted.Close()
		start := time.Now()
		must(t, stop())
		wantClosed(t, silent)
		if time.Since(start) > 0 {
			t.Errorf("it took %v to end", time.Since(start))
		}
		for _, b := range []net.Listener{m.Raft(), m.GRPC(), m.HTTP()} {
			if _, err := b.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept at the end: %v", err)
			}
			must(t, b.Close())
		}
		go io.WriteString(mine, "/ HTTP/1.1")
		got := make([]byte, 5)
		if _, err := io.ReadFull(accepted, got); err != nil || string(got) != "GET /" {
			t.Errorf("an accepted connection reads %q, %v", got, err)
		}
	})
}

// One protocol's server may end before the others.
func TestMuxRefusesWhatHasNoServerLeft(t *testing.T) {
	muxed(t, func(t *testing.T, l *memory, m *Mux, _ func() error) {
		must(t, m.GRPC().Close())
		conn, err := l.dial(t.Context())
		must(t, err)
		_, err = io.WriteString(conn, "PRI * HTTP/2.0")
		must(t, err)
		wantClosed(t, conn)
	})
}

func TestMuxOutlivesPassingFailures(t *testing.T) {
	muxed(t, func(t *testing.T, l *memory, m *Mux, _ func() error) {
		for range 3 {
			l.accepts <- func() (net.Conn, error) { return nil, fmt.Errorf("accept: %w", unix.EMFILE) }
		}
		conn, err := l.dial(t.Context())
		must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET ")
		must(t, err)
		accepted, err := m.HTTP().Accept()
		must(t, err)
		must(t, accepted.Close())
	})
}

func TestMuxEndsWithItsListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		l := newMemory()
		done := make(chan error, 1)
		go func() { done <- NewMux(l).Run(t.Context()) }()
		silent, err := l.dial(t.Context())
		must(t, err)
		l.accepts <- func() (net.Conn, error) { return nil, broken }
		if err := <-done; !errors.Is(err, broken) {
			t.Errorf("Run ends with %v", err)
		}
		wantClosed(t, silent)
	})
}

// FuzzProtocol cuts the beginning of a connection in two: where the pieces are cut must not matter, and nothing is lost.
func FuzzProtocol(f *testing.F) {
	for _, prefix := range prefixes {
		f.Add([]byte(prefix.text+"and more"), 3)
		f.Add([]byte(prefix.text[:len(prefix.text)-1]), 1)
	}
	f.Add([]byte("\x16\x03\x01"), 0)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		if len(text) == 0 {
			return
		}
		at = min(max(0, at), len(text))
		whole, known := protocolOf(text)
		if p, early := protocolOf(text[:at]); early && (p != whole || !known) {
			t.Errorf("%q is %d, then %d", text, p, whole)
		}
		if len(text) >= longestPrefix && !known {
			t.Errorf("%q is not known", text)
		}
		client, server := net.Pipe()
		defer client.Close()
		go func() {
			client.Write(text[:at])
			client.Write(text[at:])
			if !known {
				client.Close() // the rest, which would tell, never comes
			}
		}()
		m := NewMux(newMemory())
		m.dispatch(t.Context(), server)
		defer m.raft.shut()
		defer m.grpc.shut()
		defer m.http.shut()
		if refused := whole == foreign; refused != (m.Refused() == 1) {
			t.Fatalf("%q: %d refused", text, m.Refused())
		} else if refused {
			return
		}
		conn, err := m.branch(whole).Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, text) {
			t.Errorf("read %q, %v; sent %q", got, err, text)
		}
	})
}
