package api

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// The limits of messages.
const (
	// MaxMessageBytes caps one message: a submission or an order with its graph are the largest.
	MaxMessageBytes = 64 << 20
	// MaxProducers caps the outputs that one stage reads, over all of its exchanges.
	MaxProducers = 2_000_000
	// ChunkBytes is the size of the pieces in which larger things travel, such as plugins.
	ChunkBytes = 1 << 20
)

const (
	maxHeaderBytes = 64 << 10 // of a request
	maxStreams     = 1024     // at once, on one connection

	connectTime = 5 * time.Second
	idleTime    = 5 * time.Minute // after that, a connection without a call is closed
	pingAfter   = 15 * time.Second
	pingTime    = 10 * time.Second
)

// ServerOptions are those of every gRPC server: limits, times, and errors that go through Status.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessageBytes),
		grpc.MaxSendMsgSize(MaxMessageBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(connectTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTime, Time: pingAfter, Timeout: pingTime}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAfter / 2, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			reply, err := handle(ctx, request)
			return reply, Status(err)
		}),
		grpc.StreamInterceptor(func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			return Status(handle(server, serverStream{stream}))
		}),
	}
}

// DialOptions are those of every gRPC client: limits, times, and errors that come from FromStatus. Connections are neither
// encrypted nor authenticated.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.MaxCallSendMsgSize(MaxMessageBytes)),
		grpc.WithIdleTimeout(idleTime),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTime}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: connectTime,
		}),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
			return FromStatus(call(ctx, method, request, reply, conn, options...))
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, desc, conn, method, options...)
			if err != nil {
				return nil, FromStatus(err)
			}
			return clientStream{stream}, nil
		}),
	}
}

// serverStream is a stream whose errors come from FromStatus.
type serverStream struct{ grpc.ServerStream }

func (s serverStream) SendMsg(m any) error { return FromStatus(s.ServerStream.SendMsg(m)) }
func (s serverStream) RecvMsg(m any) error { return FromStatus(s.ServerStream.RecvMsg(m)) }

// clientStream is a stream whose errors come from FromStatus.
type clientStream struct{ grpc.ClientStream }

func (s clientStream) SendMsg(m any) error { return FromStatus(s.ClientStream.SendMsg(m)) }
func (s clientStream) RecvMsg(m any) error { return FromStatus(s.ClientStream.RecvMsg(m)) }
func (s clientStream) CloseSend() error    { return FromStatus(s.ClientStream.CloseSend()) }
