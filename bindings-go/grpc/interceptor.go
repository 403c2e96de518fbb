// Package trilanegrpc keeps the lane through gRPC: interceptors carry the tag on both sides, and Resolvers sends the
// calls of a channel to a target that the rules name to instances of their lane.
package trilanegrpc

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
	"github.com/trilane/trilane/bindings-go/internal/woven"
)

// Woven is called by woven code, so that the start line can say what was woven.
func Woven(side string) {
	woven.Note("grpc " + side)
}

// ServerOptions are for grpc.NewServer.
func ServerOptions() []grpc.ServerOption {
	trilane.Start()
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(UnaryServer), grpc.ChainStreamInterceptor(StreamServer)}
}

// DialOptions are for grpc.NewClient.
func DialOptions() []grpc.DialOption {
	trilane.Start()
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(UnaryClient), grpc.WithChainStreamInterceptor(StreamClient), Resolvers(),
	}
}

func enter(ctx context.Context) (context.Context, *scope.Scope) {
	md, _ := metadata.FromIncomingContext(ctx)
	s, removed := flow.In(flow.GRPC, native.HTTP, md, flow.Lower, func() string {
		if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
			return p.Addr.String()
		}
		return ""
	})
	if removed {
		ctx = metadata.NewIncomingContext(ctx, md) // md is this call's own copy
	}
	return scope.Enter(ctx, s), s
}

// UnaryServer finds the tag of a call; it always sets or clears.
func UnaryServer(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, s := enter(ctx)
	defer scope.Leave(s)
	return next(ctx, req)
}

type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }

// StreamServer finds the tag of a stream; it always sets or clears.
func StreamServer(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, s := enter(stream.Context())
	defer scope.Leave(s)
	return next(srv, &serverStream{stream, ctx})
}

// authorityOf is what a channel dials: the endpoint of its target.
func authorityOf(cc *grpc.ClientConn) string {
	target := cc.CanonicalTarget()
	if _, rest, ok := strings.Cut(target, "://"); ok {
		_, target, _ = strings.Cut(rest, "/")
	}
	return target
}

// leave prepares the context of an outgoing call. What the application itself put into the metadata stays and steers.
func leave(ctx context.Context, cc *grpc.ClientConn) context.Context {
	e := native.Default()
	if !flow.GRPC.On(e) {
		return ctx
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	s := flow.Traced(e, scope.Of(ctx), func(name string) string { return strings.Join(md.Get(name), ",") })
	steer, carries := s, s.Name() != ""
	if own := md.Get(flow.Carrier); len(own) > 0 {
		steer, carries = flow.Steer(e, own[0], s), false
	}
	if steer == nil && flow.Suspect(ctx) && flow.Known(e, authorityOf(cc)) {
		flow.TellLost(e)
	}
	ctx = scope.With(ctx, steer) // the picker may ask from another goroutine
	pass := s.Passes()
	if !carries && len(pass) == 0 || !flow.Known(e, authorityOf(cc)) {
		return ctx
	}
	if md == nil {
		md = metadata.MD{}
	}
	if carries {
		for _, name := range flow.Writes(e, native.HTTP) {
			if len(md.Get(name)) == 0 {
				md.Set(name, s.Tag)
			}
		}
		if old := md.Get("baggage"); len(old) > 0 {
			md.Set("baggage", flow.Baggage(e, old, s.Tag))
		}
	}
	for _, p := range pass {
		if len(md.Get(p.Lower)) == 0 {
			md.Set(p.Lower, p.Value)
		}
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// UnaryClient marks a call with the tag of the request that makes it.
func UnaryClient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	ctx = leave(ctx, cc)
	ctx, policy, err := before(ctx, cc, method)
	if err != nil {
		return err
	}
	if policy.Timeout > 0 {
		limited, end := context.WithTimeout(ctx, policy.Timeout)
		defer end()
		ctx = limited
	}
	return next(ctx, method, req, reply, cc, options...)
}

// StreamClient marks a stream with the tag of the request that makes it.
func StreamClient(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer,
	options ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx = leave(ctx, cc)
	ctx, _, err := before(ctx, cc, method) // how long a stream may last no rule knows
	if err != nil {
		return nil, err
	}
	return next(ctx, desc, cc, method, options...)
}
