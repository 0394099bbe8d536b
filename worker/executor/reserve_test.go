package executor

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"fletch/engine/coro"
)

// receives runs descriptors over a socket pair and returns the agent's end.
func receives(t *testing.T) (*descriptors, *net.UnixConn, chan error) {
	t.Helper()
	ours, theirs := pair(t, unix.SOCK_SEQPACKET)
	d := newDescriptors(theirs)
	done := make(chan error, 1)
	go func() { done <- d.run() }()
	t.Cleanup(func() {
		ours.Close()
		theirs.Close()
	})
	return d, ours, done
}

// pipeEnd returns a file to send, and the other end of the pipe: it is at its end once nobody has the file any more.
func pipeEnd(t *testing.T) (*os.File, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return w, r
}

func sendFile(t *testing.T, to *net.UnixConn, name string, f *os.File) {
	t.Helper()
	if _, _, err := to.WriteMsgUnix([]byte(name), unix.UnixRights(int(f.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func (d *descriptors) nobodyWaits(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.mu.waiting) != 0 {
		t.Errorf("%d still wait", len(d.mu.waiting))
	}
}

// TestDescriptors sends files to those who wait for them, to nobody, and to one who waits no longer: those are closed.
func TestDescriptors(t *testing.T) {
	d, agent, done := receives(t)
	first, second, gone := d.expect("a"), d.expect("a"), d.expect("b")
	if err := d.forget("b", gone); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "nobody"} {
		w, r := pipeEnd(t)
		sendFile(t, agent, name, w)
		if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("the file for %s is still there", name)
		}
	}
	for _, file := range []chan received{first, second} {
		w, r := pipeEnd(t)
		sendFile(t, agent, "a", w)
		got := <-file
		if got.err != nil {
			t.Fatal(got.err)
		}
		if _, err := got.file.WriteString("x"); err != nil {
			t.Error(err)
		}
		got.file.Close()
		if b, err := io.ReadAll(r); err != nil || string(b) != "x" {
			t.Errorf("through the file came %q, %v", b, err)
		}
	}
	d.nobodyWaits(t)
	late := d.expect("late")
	w, r := pipeEnd(t)
	sendFile(t, agent, "late", w)
	agent.Close()
	if err := <-done; !errors.Is(err, errGone) {
		t.Errorf("the end of the socket is %v", err)
	}
	if err := d.forget("late", late); err != nil { // it has come, and nobody takes it
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error("a file that came too late is still there")
	}
}

// TestBadPackets sends what is no descriptor.
func TestBadPackets(t *testing.T) {
	w, _ := pipeEnd(t)
	defer w.Close()
	for name, rights := range map[string][]byte{
		"none": nil,
		"two":  unix.UnixRights(int(w.Fd()), int(w.Fd())),
	} {
		_, agent, done := receives(t)
		if _, _, err := agent.WriteMsgUnix([]byte("a"), rights, nil); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil || errors.Is(err, errGone) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// TestAsk has calls end in each way that they can.
func TestAsk(t *testing.T) {
	boom := errors.New("boom")
	d, _, _ := receives(t)
	serving, leave := context.WithCancel(t.Context())
	defer leave()
	x := &executor{files: d, serving: serving}
	s, err := coro.New(coro.Config{Runners: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return s.Run(ctx) })
	for _, c := range []struct {
		name    string
		granted bool
		err     error
		want    string
	}{
		{"refused", false, nil, ""},
		{"failed", false, boom, "boom"},
		{"never sent", true, nil, "did not send it"},
	} {
		co := s.Spawn(coro.Spec{Name: "asks"}, func(co *coro.Coroutine) error {
			f, err := x.ask(co, "a", func(context.Context) (bool, error) {
				if c.granted {
					leave()
				}
				return c.granted, c.err
			})
			if f != nil {
				t.Error("there is a file")
			}
			return err
		})
		<-co.Done()
		if err := co.Err(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q", c.name, err, c.want)
		}
	}
	stop()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	d.nobodyWaits(t)
}
