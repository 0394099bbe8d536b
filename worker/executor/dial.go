package executor

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"fletch/api"
)

// errGone means that the connection to the agent has ended. There is no second one.
var errGone = errors.New("the agent has gone")

// dial returns a client on a connection that exists already.
func dial(c net.Conn) (*grpc.ClientConn, error) {
	only := make(chan net.Conn, 1) // holds the connection until it is used
	only <- c
	options := append(api.DialOptions(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-only:
				return c, nil
			default:
				return nil, errGone
			}
		}),
		// The kernel tells both ends of the other's death. A warm spare may wait for long, and a process that is stopped for
		// a while is no reason to end.
		grpc.WithIdleTimeout(0),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{}),
	)
	return grpc.NewClient("passthrough:///agent", options...)
}
