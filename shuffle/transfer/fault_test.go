package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fletch/engine/coro"
	"fletch/fault"
	"fletch/shuffle"
)

// wantLost checks that err blames these attempts.
func wantLost(t *testing.T, err error, text string, attempts ...string) {
	t.Helper()
	lost, ok := errors.AsType[*shuffle.LostError](err)
	if !ok || fault.ClassOf(err) != fault.FetchFailed || !slices.Equal(lost.Attempts, attempts) || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v of class %v, want %v lost: %s", err, fault.ClassOf(err), attempts, text)
	}
}

// A byte that is flipped on the wire, of the blocks or of HTTP around them, shows in no result.
func TestFlippedOnTheWire(t *testing.T) {
	b := newBench(t, 40, 10, shuffle.Config{TryTimeout: 100 * time.Millisecond, Patience: 5 * time.Second})
	_, _, whole := b.get(allBlocks)
	for at := 0; at < len(whole)+200; at += 7 {
		flipped := false
		p := newProxy(b, b.address, func(before int, piece []byte) int {
			if i := at - before; !flipped && i >= 0 && i < len(piece) {
				piece[i] ^= 1 << (at % 7)
				flipped = true
			}
			return len(piece)
		})
		if err := b.read(p.address()); err != nil && fault.ClassOf(err) != fault.Retryable {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

// A connection that breaks off again and again still brings everything, a little at a time.
func TestCutConnections(t *testing.T) {
	b := newBench(t, 3000, 100, shuffle.Config{})
	connections := 0
	p := newProxy(b, b.address, func(before int, piece []byte) int {
		if before == 0 {
			connections++
		}
		return min(len(piece), max(0, 150_000*connections-before))
	})
	if err := b.read(p.address()); err != nil {
		t.Error(err)
	}
	if connections < 3 {
		t.Errorf("%d connections: nothing was cut", connections)
	}
}

// A worker that goes in the middle of a transfer and comes back is no trouble; one that stays away has lost everything.
func TestServerGone(t *testing.T) {
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprint("back ", back), func(t *testing.T) {
			config := impatient
			if back {
				config = shuffle.Config{}
			}
			b := newBench(t, 3000, 100, config)
			address := b.address()
			refused, gone := 0, false
			target := func() string {
				switch {
				case !gone:
				case back && refused > 1:
					return address
				default:
					refused++
					return "127.0.0.1:0"
				}
				return address
			}
			p := newProxy(b, target, func(before int, piece []byte) int {
				if before > 100_000 && refused == 0 {
					gone = true
					return 0
				}
				return len(piece)
			})
			err := b.read(p.address())
			switch {
			case !gone:
				t.Error("the transfer was not broken off")
			case back && err != nil:
				t.Error(err)
			case !back:
				wantLost(t, err, "tries in ", "a0", "a1", "a2")
			}
		})
	}
	t.Run("never there", func(t *testing.T) {
		b := newBench(t, 10, 10, impatient)
		l := listen(t)
		l.Close()
		wantLost(t, b.read(l.Addr().String()), "connection refused", "a0", "a1", "a2")
	})
}

// A worker that sends, but so slowly that nobody would wait for it.
func TestSlowServer(t *testing.T) {
	b := newBench(t, 10, 10, impatient)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte{0}); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}))
	defer slow.Close() // after the client's last connection
	defer b.client.Close()
	wantLost(t, b.read(strings.TrimPrefix(slow.URL, "http://")), "the worker is too slow", "a0", "a1", "a2")
}

// Answers that no Handler gives are as good as none.
func TestStrangeAnswers(t *testing.T) {
	for name, answer := range map[string]struct{ bytes, text string }{
		"oversize header": {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "headers exceeded"},
		"no HTTP":         {"SSH-2.0-OpenSSH\r\n", "malformed HTTP"},
		"another page":    {"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello", `404 Not Found: "hello"`},
		"no length":       {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", `200 OK: "hello"`},
		"endless reason":  {"HTTP/1.1 500 No\r\n\r\n" + strings.Repeat("x", 2<<20), "500 No"},
		"nothing":         {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10, 10, impatient)
			wantLost(t, b.read(answering(t, answer.bytes)), answer.text, "a0", "a1", "a2")
		})
	}
	for name, answer := range map[string]string{
		"huge":    "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n",
		"refused": "HTTP/1.1 400 Bad\r\nContent-Length: 15\r\n\r\n{\"reason\":\"no\"}",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10, 10, impatient)
			err := b.read(answering(t, answer))
			if _, ok := errors.AsType[*shuffle.RefusedError](err); !ok || fault.ClassOf(err) != fault.Retryable {
				t.Errorf("error is %v of class %v, want a refusal", err, fault.ClassOf(err))
			}
		})
	}
}

// What is damaged on the worker's disk, dropped there, or was never there, is lost, and only that.
func TestLostOnTheWorker(t *testing.T) {
	cut := func(b *bench) {
		b.get(allBlocks) // so that the worker knows the index
		if err := os.Truncate(b.path(1), 500); err != nil {
			b.t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		lose func(b *bench)
		rows int
		text string
		lost []string
	}{
		"frame":    {func(b *bench) { b.damage(1, 500) }, 100, "frame at byte 0: corrupt frame", []string{"a1"}},
		"index":    {func(b *bench) { b.damage(1, len(mustRead(b.t, b.path(1)))-40) }, 100, "damaged shuffle index", []string{"a1"}},
		"cut":      {cut, 100, "unexpected EOF", []string{"a1"}},
		"long cut": {cut, 50_000, "unexpected EOF", []string{"a1"}},
		"dropped":  {func(b *bench) { b.registry.Drop("job", "a0", "a2") }, 100, "no output here", []string{"a0", "a2"}},
		"job":      {func(b *bench) { b.registry.DropJob("job") }, 100, "no output here", []string{"a0", "a1", "a2"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, test.rows, 20, shuffle.Config{})
			test.lose(b)
			wantLost(t, b.read(b.address()), test.text, test.lost...)
		})
	}
}

// Outputs that are dropped while they are sent, and readers that are cancelled meanwhile, leave nothing behind.
func TestEndInTheMiddle(t *testing.T) {
	cause := errors.New("somebody asked for the end")
	for name, test := range map[string]struct {
		end   func(b *bench, c *coro.Coroutine)
		check func(t *testing.T, err error)
	}{
		"cancelled": {
			func(_ *bench, c *coro.Coroutine) { c.Cancel(cause) },
			func(t *testing.T, err error) {
				if !errors.Is(err, cause) {
					t.Errorf("error is %v, want the cause", err)
				}
			},
		},
		"dropped": {
			func(b *bench, _ *coro.Coroutine) { b.registry.DropJob("job") },
			func(t *testing.T, err error) { wantLost(t, err, "no output here", "a0", "a1", "a2") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 30_000, 200, shuffle.Config{})
			sending, goOn := make(chan struct{}), make(chan struct{})
			once := false
			p := newProxy(b, b.address, func(before int, piece []byte) int {
				if before > 1<<20 && !once {
					once = true
					close(sending)
					<-goOn
				}
				return len(piece)
			})
			c := b.scheduler.Spawn(coro.Spec{Name: "reader"}, func(c *coro.Coroutine) error { return b.readOn(c, p.address()) })
			<-sending
			test.end(b, c)
			if name == "cancelled" {
				<-c.Done() // it does not wait for the transfer
			}
			close(goOn)
			<-c.Done()
			test.check(t, c.Err())
		})
	}
}

// The client's calls end with their context.
func TestClientEndsWithItsContext(t *testing.T) {
	b := newBench(t, 10, 10, shuffle.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := b.client.Fetch(ctx, b.address(), shuffle.Query{Hi: 1, Attempts: []string{"a0"}, Limit: 1})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("fetch: error is %v", err)
	}
	if err := b.client.Verify(ctx, b.address(), 1, 0, "a0"); !errors.Is(err, context.Canceled) {
		t.Errorf("verify: error is %v", err)
	}
}
