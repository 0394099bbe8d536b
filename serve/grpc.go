package serve

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// GRPC serves gRPC on l until ctx ends, which is no error, or the listener fails; then it gives the calls under way a few
// seconds and breaks off what is left. It closes l.
func GRPC(ctx context.Context, l net.Listener, server *grpc.Server) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, grpc.ErrServerStopped) && !muxEnded(l, err) { // stopped before it served
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		late := time.AfterFunc(shutdownTime, server.Stop)
		defer late.Stop()
		server.GracefulStop()
		return nil
	})
	return g.Wait()
}
