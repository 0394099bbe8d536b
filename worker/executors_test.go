package worker

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
	"fletch/fault"
)

// slowHost takes its time for a reservation.
type slowHost struct {
	executorHost
	asked chan struct{} // unbuffered
	reply chan struct{} // closed by the test
}

func (h *slowHost) reserve(*child, string, int64) (*os.File, error) {
	h.asked <- struct{}{}
	<-h.reply
	return nil, nil
}

// TestStopAwaitsCalls ends the service of an executor while the agent is at a call of it. What the call takes for an attempt
// must be there by the time that the attempt is cleared away.
func TestStopAwaitsCalls(t *testing.T) {
	socks, err := newSockets()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := net.FileConn(socks.theirs[0])
	if err != nil {
		t.Fatal(err)
	}
	host := &slowHost{asked: make(chan struct{}), reply: make(chan struct{})}
	s := newExecutorServer(newChild(t.TempDir()), socks, host)
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	conn, err := grpc.NewClient("passthrough:agent", append(api.DialOptions(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return theirs, nil }))...)
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan error, 1)
	go func() {
		_, err := api.NewExecutorsClient(conn).Reserve(context.Background(), &api.ReserveRequest{Attempt: "words_0", Bytes: 1})
		called <- err
	}()
	receive(t, host.asked, "the call")
	stopped := make(chan struct{})
	go func() { s.stop(); close(stopped) }()
	if err := receive(t, called, "the end of the call"); err == nil {
		t.Error("the call was answered")
	}
	select {
	case <-stopped:
		t.Error("the service has ended before the call")
	case <-time.After(50 * time.Millisecond):
	}
	close(host.reply)
	receive(t, stopped, "the end of the service")
	if err := receive(t, served, "the server's end"); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := socks.close(); err != nil {
		t.Error(err)
	}
}

// TestExecutorHangsUp kills an executor that leaves its connection and stays. Nobody from outside did.
func TestExecutorHangsUp(t *testing.T) {
	b := newBench(t, func(c *Config) { c.waits.end = 100 * time.Millisecond })
	s := b.master.session()
	s.job("words", b.plugin, "ok", "leave", "ok")
	s.start("words", "words_0", 0)
	want(t, s.end("words_0"), fault.Retryable, "while it ran words_0", "it ended its connection to the agent and did not exit")
	s.start("words", "words_1", 1)
	succeeded(t, s.end("words_1"))
}
