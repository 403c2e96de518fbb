//go:build cgo && trilanenet

package triple

import (
	"context"
	"fmt"
	"strings"
	"time"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Conn is a grpc.ClientConnInterface: give it to the constructor of a generated stub.
type Conn struct {
	hub       *hub
	channel   *native.Channel
	authority string // what the rules may name
}

var _ grpc.ClientConnInterface = (*Conn)(nil)

// Dial makes a connection to targets, "host:port" or several with commas. Nothing is connected before the first call.
// caFile names the PEM file of the certificates that are trusted; empty means plaintext.
//
// A call carries the lane of its context. Where the rules name a single target as an authority, calls go to the
// instances that the rules give it, each to its lane.
func Dial(targets, caFile string) (*Conn, error) {
	trilane.Start()
	h, err := shared()
	if err != nil {
		return nil, err
	}
	channel, err := h.net.Open(targets, caFile)
	if err != nil {
		return nil, err
	}
	return &Conn{h, channel, strings.TrimSpace(targets)}, nil
}

// Close lets running calls end and closes the connections. No call may be started afterwards.
func (c *Conn) Close() error {
	c.channel.Free()
	return nil
}

// options are the call options that have a meaning here.
type options struct {
	flags           uint32
	header, trailer []*metadata.MD
}

func readOptions(opts []grpc.CallOption) (o options, err error) {
	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			o.header = append(o.header, opt.HeaderAddr)
		case grpc.TrailerCallOption:
			o.trailer = append(o.trailer, opt.TrailerAddr)
		case grpc.FailFastCallOption:
			if !opt.FailFast {
				o.flags |= native.CallWaitForReady
			}
		case grpc.CompressorCallOption:
			if opt.CompressorType != "gzip" {
				return o, status.Errorf(codes.Unimplemented, "compressor %q is not known here; gzip is", opt.CompressorType)
			}
			o.flags |= native.CallGzip
		case grpc.StaticMethodCallOption, grpc.EmptyCallOption:
		default:
			return o, status.Errorf(codes.Unimplemented, "trilane's transport does not know the call option %T", opt)
		}
	}
	return o, nil
}

// outgoing is what a context says: metadata and the time that is left, in nanoseconds.
func (c *Conn) outgoing(ctx context.Context) (md []byte, timeout uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, status.FromContextError(err).Err()
	}
	if deadline, ok := ctx.Deadline(); ok {
		timeout = uint64(max(time.Until(deadline), 1))
	}
	out, _ := metadata.FromOutgoingContext(ctx)
	return flatten(c.mark(ctx, out)), timeout, nil
}

// mark writes the carriers of the context's lane. What the application itself put into the metadata stays, and steers
// the call: the native side decides by the carrier that is there.
func (c *Conn) mark(ctx context.Context, md metadata.MD) metadata.MD {
	e := native.Default()
	if !flow.Triple.On(e) {
		return md
	}
	s := flow.Traced(e, scope.Of(ctx), func(name string) string { return strings.Join(md.Get(name), ",") })
	own := len(md.Get(flow.Carrier)) > 0
	carries, pass := s.Name() != "" && !own, s.Passes()
	if s == nil && !own && flow.Suspect(ctx) && flow.Known(e, c.authority) {
		flow.TellLost(e)
	}
	if !carries && len(pass) == 0 || !flow.Known(e, c.authority) {
		return md
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
	return md
}

func marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, status.Errorf(codes.Internal, "%T is no protobuf message", v)
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return b, nil
}

func unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "%T is no protobuf message", v)
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return status.Error(codes.Internal, fmt.Sprintf("the message is no %s: %v", m.ProtoReflect().Descriptor().FullName(), err))
	}
	return nil
}

// Invoke makes a unary call. The goroutine waits on a Go channel; no thread is held.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	o, err := readOptions(opts)
	if err != nil {
		return err
	}
	message, err := marshal(args)
	if err != nil {
		return err
	}
	md, timeout, err := c.outgoing(ctx)
	if err != nil {
		return err
	}
	ended := make(chan *record, 1)
	tag := c.hub.add(func(r *record) { ended <- r })
	defer c.hub.calls.Delete(tag)
	call, err := c.channel.Unary(tag, method, md, timeout, o.flags, message)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	defer call.Free()
	var r *record
	select {
	case r = <-ended:
	case <-ctx.Done():
		call.Cancel()
		return status.FromContextError(ctx.Err()).Err()
	}
	for _, to := range o.header {
		*to = r.headers
	}
	for _, to := range o.trailer {
		*to = r.trailers
	}
	if err := r.err(); err != nil {
		return err
	}
	return unmarshal(r.data, reply)
}
