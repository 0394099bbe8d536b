package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// The limits of a request. There is none on the time of a reply, which may be a large one over a slow network: a handler
// sets its own.
const (
	maxHeaderBytes = 256 << 10 // the URL included
	headerTime     = 5 * time.Second
	requestTime    = 30 * time.Second
	idleTime       = 2 * time.Minute // between two requests of a connection
	shutdownTime   = 3 * time.Second // for the replies under way
)

// HTTP serves HTTP/1 on l until ctx ends, which is no error, or the listener fails; then it gives the replies under way a
// few seconds and closes what is left. It closes l. A request's context ends with ctx; a handler that goes on all the same
// is not waited for.
func HTTP(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		IdleTimeout:       idleTime,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) && !muxEnded(l, err) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if server.Shutdown(last) != nil {
			return server.Close()
		}
		return nil
	})
	return g.Wait()
}
