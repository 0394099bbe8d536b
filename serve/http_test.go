package serve

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealth(t *testing.T) {
	var dead, unready error
	handler := Health(func() error { return dead }, func() error { return unready }, NewRegistry())
	get := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return w.Code, w.Body.String()
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if code, text := get("GET", path); code != http.StatusOK || text != "ok\n" {
			t.Errorf("%s: %d %q", path, code, text)
		}
	}
	unready = errors.New("no leader is known")
	if code, text := get("GET", "/readyz"); code != http.StatusServiceUnavailable || text != "no leader is known\n" {
		t.Errorf("unready: %d %q", code, text)
	}
	if code, _ := get("GET", "/livez"); code != http.StatusOK {
		t.Errorf("unready, live: %d", code)
	}
	dead = errors.New("the disk hangs")
	if code, text := get("GET", "/livez"); code != http.StatusServiceUnavailable || text != "the disk hangs\n" {
		t.Errorf("dead: %d %q", code, text)
	}
	code, text := get("GET", "/metrics")
	for _, want := range []string{"go_goroutines ", "process_open_fds "} {
		if code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("metrics: %d, without %s", code, want)
		}
	}
	if code, _ := get("POST", "/livez"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
	if code, _ := get("GET", "/"); code != http.StatusNotFound {
		t.Errorf("another page: %d", code)
	}
}

// served runs HTTP over pipes, in the test's own time.
func served(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, l *memory, stop func() error)) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemory()
		test(t, l, run(t, func(ctx context.Context) error { return HTTP(ctx, l, handler) }))
	})
}

func TestHTTPClosesTheSlow(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                        headerTime,
		"GET / HTTP/1.1\r\nHost:": headerTime,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12345": requestTime,
	} {
		served(t, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				t.Error("a request came whole")
			}
		}, func(t *testing.T, l *memory, _ func() error) {
			conn, err := l.dial(t.Context())
			must(t, err)
			defer conn.Close()
			start := time.Now()
			go io.WriteString(conn, text)
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("%q: %v", text, err)
			}
			if took := time.Since(start); took < want || took > want+time.Second {
				t.Errorf("%q: closed after %v, want %v", text, took, want)
			}
		})
	}
}

func TestHTTPBoundsHeaders(t *testing.T) {
	served(t, func(http.ResponseWriter, *http.Request) { t.Error("it was served") }, func(t *testing.T, l *memory, _ func() error) {
		conn, err := l.dial(t.Context())
		must(t, err)
		defer conn.Close()
		go io.WriteString(conn, "GET /"+strings.Repeat("x", 2*maxHeaderBytes)+" HTTP/1.1\r\n\r\n")
		reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		defer reply.Body.Close()
		if reply.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered %s", reply.Status)
		}
	})
}

// What is under way when the end comes is given a moment, and no more.
func TestHTTPEnds(t *testing.T) {
	for name, c := range map[string]struct {
		works time.Duration
		whole bool
	}{
		"in time":  {shutdownTime / 2, true},
		"too late": {time.Hour, false},
	} {
		began := make(chan struct{})
		served(t, func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
			time.Sleep(c.works)
			io.WriteString(w, "whole")
		}, func(t *testing.T, l *memory, stop func() error) {
			conn, err := l.dial(t.Context())
			must(t, err)
			defer conn.Close()
			go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			ended := make(chan error, 1)
			go func() { <-began; ended <- stop() }()
			start := time.Now()
			text, err := io.ReadAll(conn)
			if whole := err == nil && strings.HasSuffix(string(text), "whole"); whole != c.whole {
				t.Errorf("%s: received %q, %v", name, text, err)
			}
			must(t, <-ended)
			if took := time.Since(start); took > shutdownTime+time.Second {
				t.Errorf("%s: ended after %v", name, took)
			}
			time.Sleep(c.works) // the handler ends in its own time
		})
	}
}

func TestHTTPEndsWithItsListener(t *testing.T) {
	l, err := Listen("127.0.0.1:0", false)
	must(t, err)
	must(t, l.Close())
	if err := HTTP(t.Context(), l, http.NotFoundHandler()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("HTTP ends with %v", err)
	}
}
