package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// A call under way when the end comes is given a moment, and no more.
func TestGRPCEnds(t *testing.T) {
	for name, last := range map[string]time.Duration{"in time": shutdownTime / 2, "too late": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			l := newMemory()
			began := make(chan struct{})
			server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
				close(began)
				select {
				case <-time.After(last):
					return s.SendMsg(&emptypb.Empty{})
				case <-s.Context().Done():
					return s.Context().Err()
				}
			}))
			stop := run(t, func(ctx context.Context) error { return GRPC(ctx, l, server) })
			dial := func(ctx context.Context, _ string) (net.Conn, error) { return l.dial(ctx) }
			conn, err := grpc.NewClient("passthrough:///memory", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
			must(t, err)
			defer conn.Close()
			answered := make(chan error, 1)
			go func() { answered <- conn.Invoke(t.Context(), "/any/Call", &emptypb.Empty{}, &emptypb.Empty{}) }()
			<-began
			start := time.Now()
			must(t, stop())
			if err := <-answered; (err == nil) != (last < shutdownTime) {
				t.Errorf("%s: answered with %v", name, err)
			}
			if took := time.Since(start); took != min(last, shutdownTime) {
				t.Errorf("%s: ended after %v", name, took)
			}
		})
	}
}

// Servers behind a Mux hear of its end from their listeners, maybe before their contexts end. That is no failure of theirs.
func TestServersEndWithTheirMux(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMux(newMemory())
		run(t, func(ctx context.Context) error { return HTTP(ctx, m.HTTP(), http.NotFoundHandler()) })
		run(t, func(ctx context.Context) error { return GRPC(ctx, m.GRPC(), grpc.NewServer()) })
		synctest.Wait()
		must(t, m.close())
		synctest.Wait()
	})
}

func TestGRPCEndsWithItsListener(t *testing.T) {
	l, err := Listen("127.0.0.1:0", false)
	must(t, err)
	must(t, l.Close())
	if err := GRPC(t.Context(), l, grpc.NewServer()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("GRPC ends with %v", err)
	}
}
