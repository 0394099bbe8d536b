package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"fletch/fault"
)

// answers is a server whose answers the tests choose.
type answers struct {
	UnimplementedClusterServer
	get   func(context.Context, *GetJobRequest) (*Job, error)
	watch func(*GetJobRequest, grpc.ServerStreamingServer[Job]) error
	put   func(grpc.ClientStreamingServer[PluginChunk, PutPluginReply]) error
}

func (a *answers) GetJob(ctx context.Context, r *GetJobRequest) (*Job, error) { return a.get(ctx, r) }

func (a *answers) WatchJob(r *GetJobRequest, s grpc.ServerStreamingServer[Job]) error {
	return a.watch(r, s)
}

func (a *answers) PutPlugin(s grpc.ClientStreamingServer[PluginChunk, PutPluginReply]) error {
	return a.put(s)
}

// connect starts a server and returns its client; more options go after those of DialOptions.
func connect(t *testing.T, a *answers, more ...grpc.DialOption) ClusterClient {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer(ServerOptions()...)
	RegisterClusterServer(server, a)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	dial := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
	conn, err := grpc.NewClient("passthrough:///test", append(append(DialOptions(), dial), more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return NewClusterClient(conn)
}

// TestErrorsOverCalls sends each error as the answer of a call and at the end of a stream.
func TestErrorsOverCalls(t *testing.T) {
	var answer error
	client := connect(t, &answers{
		get: func(context.Context, *GetJobRequest) (*Job, error) { return nil, answer },
		watch: func(_ *GetJobRequest, s grpc.ServerStreamingServer[Job]) error {
			if err := s.Send(&Job{Id: "first"}); err != nil {
				return err
			}
			return answer
		},
	})
	for _, c := range wire {
		t.Run(c.name, func(t *testing.T) {
			answer = c.err
			_, called := client.GetJob(t.Context(), &GetJobRequest{})
			stream, err := client.WatchJob(t.Context(), &GetJobRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if first, err := stream.Recv(); err != nil || first.GetId() != "first" {
				t.Fatalf("received %v, %v", first, err)
			}
			_, streamed := stream.Recv()
			for _, err := range []error{called, streamed} {
				if err == nil || err.Error() != c.err.Error() || fault.ClassOf(err) != c.class || status.Code(err) != c.code {
					t.Errorf("%v arrived as %v, %v: %v", c.err, fault.ClassOf(err), status.Code(err), err)
				}
				if c.check != nil && !c.check(err) {
					t.Errorf("%v lost what it knew", err)
				}
				if errors.Is(err, ErrUnreachable) {
					t.Errorf("%v says that nobody answers", err)
				}
			}
		})
	}
}

func TestStreamEndsWithEOF(t *testing.T) {
	client := connect(t, &answers{watch: func(*GetJobRequest, grpc.ServerStreamingServer[Job]) error { return nil }})
	stream, err := client.WatchJob(t.Context(), &GetJobRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("the stream ends with %v", err)
	}
}

// An error of the largest size there is fits into the headers of a reply.
func TestLargestError(t *testing.T) {
	lost := make([]string, maxLost)
	for i := range lost {
		lost[i] = fmt.Sprintf("job-with-a-long-name-0123456789.s%d.t%d.a7", i, i)
	}
	want := fault.As(fault.FetchFailed, fmt.Errorf("%w: %s", &panicError{&lostError{lost}}, strings.Repeat("x", maxMessage)))
	client := connect(t, &answers{get: func(context.Context, *GetJobRequest) (*Job, error) { return nil, want }})
	_, err := client.GetJob(t.Context(), &GetJobRequest{})
	if m := ErrorOf(err); fault.ClassOf(err) != fault.FetchFailed || len(m.GetMessage()) != maxMessage || m.GetFrames() == "" {
		t.Errorf("arrived as %v: %.200v", fault.ClassOf(err), err)
	}
}

func TestMessageTooLarge(t *testing.T) {
	large := &Job{Error: strings.Repeat("x", MaxMessageBytes)}
	received := false
	a := &answers{
		get: func(_ context.Context, r *GetJobRequest) (*Job, error) {
			received = received || r.GetId() != ""
			return large, nil
		},
	}
	client := connect(t, a)
	for _, request := range []*GetJobRequest{{Id: large.GetError()}, {}} {
		_, err := client.GetJob(t.Context(), request)
		if err == nil || fault.ClassOf(err) != fault.Permanent || !strings.Contains(err.Error(), "64 MiB") {
			t.Errorf("a message of more than 64 MiB: %v", err)
		}
	}
	// A client without a limit of its own is stopped by the server's.
	free := connect(t, a, grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30)))
	if _, err := free.GetJob(t.Context(), &GetJobRequest{Id: large.GetError()}); fault.ClassOf(err) != fault.Permanent || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("a message of more than 64 MiB: %v", err)
	}
	if received {
		t.Error("the server took it")
	}
}

func TestCallOfAnotherVersion(t *testing.T) {
	client := connect(t, &answers{})
	_, err := client.Audit(t.Context(), &AuditRequest{})
	if fault.ClassOf(err) != fault.Permanent || !strings.Contains(err.Error(), "another version") {
		t.Errorf("an unknown call: %v", err)
	}
}

func TestDeadlineAndCancel(t *testing.T) {
	waits := func(ctx context.Context, _ *GetJobRequest) (*Job, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	client := connect(t, &answers{get: waits})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.GetJob(ctx, &GetJobRequest{}); !errors.Is(err, context.DeadlineExceeded) || fault.ClassOf(err) != fault.Retryable {
		t.Errorf("a deadline: %v is %v", err, fault.ClassOf(err))
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := client.GetJob(ctx, &GetJobRequest{}); !errors.Is(err, context.Canceled) || fault.ClassOf(err) != fault.Cancelled {
		t.Errorf("a cancelled call: %v is %v", err, fault.ClassOf(err))
	}
}

func TestUnreachable(t *testing.T) {
	refuses := func(context.Context, string) (net.Conn, error) { return nil, errors.New("nothing listens") }
	client := connect(t, &answers{}, grpc.WithContextDialer(refuses))
	_, err := client.GetJob(t.Context(), &GetJobRequest{})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "nothing listens") {
		t.Errorf("a call to nobody: %v", err)
	}
}

// A handler that passes on the error of its stream says what happened, in the class that it has.
func TestHandlerPassesOnItsStreamsError(t *testing.T) {
	seen := make(chan error, 1)
	client := connect(t, &answers{put: func(s grpc.ClientStreamingServer[PluginChunk, PutPluginReply]) error {
		for {
			if _, err := s.Recv(); err != nil {
				seen <- err
				return err
			}
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.PutPlugin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&PluginChunk{Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-seen; fault.ClassOf(err) != fault.Cancelled {
		t.Errorf("the handler saw %v: %v", fault.ClassOf(err), err)
	}
}
