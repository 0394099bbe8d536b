package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"fletch/api"
)

// alone asks the daemons' pages, each on a connection of its own.
var alone = http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// TestForeignBytes sends what is not for it to each port. The other side is hung up on, and the daemons go on.
func TestForeignBytes(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const seed = 7
	noise := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(seed, seed))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	huge := binary.BigEndian.AppendUint32(nil, 0xffffff00) // a frame of 16 MiB, of type 0
	for name, text := range map[string]string{
		"noise":                string(noise),
		"zeros":                string(make([]byte, 1<<20)),
		"TLS":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(noise[:500]),
		"SSH":                  "SSH-2.0-OpenSSH_9.6\r\n" + string(noise[:500]),
		"a preface, and noise": preface + string(noise),
		"a preface, and a frame that is too large": preface + string(huge) + string(noise),
		"raft of another cluster":                  "FLETCH-RAFT/1 another\n" + string(noise),
		"raft without an end":                      "FLETCH-RAFT/1 " + strings.Repeat("x", 1<<20),
		"a header without an end":                  "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20),
		"an address without an end":                "GET /" + strings.Repeat("x", 1<<20),
	} {
		for _, p := range append(c.Masters, c.Workers...) {
			if err := hungUp(p.Address, text); err != nil {
				t.Errorf("%s to %s (seed %d): %v", name, p.ID, seed, err)
			}
		}
	}
	for _, p := range append(c.Masters, c.Workers...) {
		healthy(t, p)
	}
}

// hungUp sends a text and wants the connection to end.
func hungUp(address, text string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, text)
		sent <- err
	}()
	_, err = io.Copy(io.Discard, conn)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil // reset or closed
	}
	if sendErr := <-sent; errors.Is(sendErr, os.ErrDeadlineExceeded) {
		err = errors.Join(err, sendErr)
	}
	return err
}

// healthy wants a daemon to be the process that it was, ready and of a decent size.
func healthy(t *testing.T, p process) {
	t.Helper()
	if err := syscall.Kill(p.PID, 0); err != nil {
		t.Errorf("%s is gone: %v", p.ID, err)
	}
	reply, err := alone.Get("http://" + p.Address + "/readyz")
	must(t, err)
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		t.Errorf("%s is not ready: %s", p.ID, reply.Status)
	}
	// Messages of 64 MiB that other tests send leave as much garbage until it is collected.
	if bytes := metric(t, p, "process_resident_memory_bytes"); bytes > 512<<20 {
		t.Errorf("%s uses %.0f bytes", p.ID, bytes)
	}
}

// TestOversizedMessages sends messages and requests that are too large, but well-formed, and calls that nobody serves.
func TestOversizedMessages(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, m := range c.Masters {
		conn, err := grpc.NewClient("passthrough:///"+m.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		must(t, err)
		defer conn.Close()
		request := &api.SubmitRequest{Id: "large", Args: []string{string(bytes.Repeat([]byte("x"), 80<<20))}}
		_, err = api.NewClusterClient(conn).Submit(ctx, request)
		if err == nil || !strings.Contains(err.Error(), "larger than max") {
			t.Errorf("%s answers a large message with %v", m.ID, err)
		}
		err = conn.Invoke(ctx, "/fletch.Nobody/Call", &emptypb.Empty{}, &emptypb.Empty{})
		if err == nil || !strings.Contains(err.Error(), "unknown service") {
			t.Errorf("%s answers an unknown call with %v", m.ID, err)
		}
	}
	for _, w := range c.Workers {
		for _, path := range []string{"/v1/jobs/none/shuffle/0/0-1?attempts=x", "/v1/jobs/../../shuffle", "/v1/jobs/none/logs", "/" + strings.Repeat("x", 200<<10)} {
			reply, err := alone.Get("http://" + w.Address + path)
			must(t, err)
			reply.Body.Close()
			if reply.StatusCode < 400 || reply.StatusCode >= 500 {
				t.Errorf("%s answers %.60s with %s", w.ID, path, reply.Status)
			}
		}
	}
	for _, p := range append(c.Masters, c.Workers...) {
		healthy(t, p)
	}
}
