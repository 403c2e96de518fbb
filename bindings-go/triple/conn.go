//go:build cgo && trilanenet

package triple

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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
	closing   sync.RWMutex
	closed    bool
}

var errClosed = status.Error(codes.Canceled, "the connection was closed before the call; Dial another")

var _ grpc.ClientConnInterface = (*Conn)(nil)

// DialOption is an option of Dial.
type DialOption func(*native.Connect)

// SystemRoots speaks TLS with servers whose certificates this system trusts; for a caFile that is "".
func SystemRoots() DialOption { return func(c *native.Connect) { c.TLS = true } }

// ClientCertificate shows servers these PEM files (mTLS), which are read again when they change.
func ClientCertificate(certificates, key string) DialOption {
	return func(c *native.Connect) { c.Certificates, c.Key = certificates, key }
}

// ServerName is what the server's certificate must be made out to, in place of the first target's host.
func ServerName(name string) DialOption { return func(c *native.Connect) { c.ServerName = name } }

// Dial makes a connection to targets, "host:port" or several with commas. Nothing is connected before the first call.
// caFile names the PEM file of the certificates that are trusted, read again when it changes; "" means plaintext, unless
// an option says TLS.
//
// A call carries the lane of its context. Where the rules name a single target as an authority, calls go to the
// instances that the rules give it, each to its lane.
func Dial(targets, caFile string, options ...DialOption) (*Conn, error) {
	trilane.Start()
	h, err := nextHub()
	if err != nil {
		return nil, err
	}
	to := native.Connect{Targets: targets, Roots: caFile}
	for _, option := range options {
		option(&to)
	}
	channel, err := h.net.Open(to)
	if err != nil {
		return nil, err
	}
	return &Conn{hub: h, channel: channel, authority: strings.TrimSpace(targets)}, nil
}

// Close lets running calls end and closes the connections. A call that is started afterwards ends with CANCELLED.
func (c *Conn) Close() error {
	c.closing.Lock()
	defer c.closing.Unlock()
	if !c.closed {
		c.closed = true
		c.hub.submit(c.channel.Free(), 0, nil)
	}
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
				return o, status.Errorf(codes.Unimplemented, "compressor %q is not known here; use gzip or none", opt.CompressorType)
			}
			o.flags |= native.CallGzip
		case grpc.StaticMethodCallOption, grpc.EmptyCallOption:
		default:
			return o, status.Errorf(codes.Unimplemented, "trilane's transport does not know the call option %T; leave it out", opt)
		}
	}
	return o, nil
}

// outgoing is what a context says: metadata and the time that is left, in nanoseconds.
func (c *Conn) outgoing(ctx context.Context) (md []byte, timeout uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, left(err)
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

func marshal(v any) ([]byte, error) { return appendTo(nil, v) }

func appendTo(b []byte, v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, status.Errorf(codes.Internal, "%T is no protobuf message; protoc-gen-go's are expected", v)
	}
	b, err := proto.MarshalOptions{}.MarshalAppend(b, m)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return b, nil
}

func unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "%T is no protobuf message; protoc-gen-go's are expected", v)
	}
	if err := proto.Unmarshal(b, m); err != nil {
		why := fmt.Sprintf("the message is no %s: %v", m.ProtoReflect().Descriptor().FullName(), err)
		return status.Error(codes.Internal, why+"; do both sides have the same .proto?")
	}
	return nil
}

// waiter is a unary call that somebody waits for.
type waiter struct {
	ended chan *record // has room for the one record
	item  []byte
}

func (w *waiter) tell(r *record) { w.ended <- r }

var waiters = sync.Pool{New: func() any { return &waiter{ended: make(chan *record, 1)} }}

// Invoke makes a unary call. The goroutine waits on a Go channel; no thread is held.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	o, err := readOptions(opts)
	if err != nil {
		return c.at(method, err)
	}
	md, timeout, err := c.outgoing(ctx)
	if err != nil {
		return c.at(method, err)
	}
	w := waiters.Get().(*waiter)
	tag := c.hub.tags.Add(1)
	w.item, err = c.channel.Unary(w.item[:0], tag, method, md, timeout, o.flags,
		func(b []byte) ([]byte, error) { return appendTo(b, args) })
	if err != nil {
		return c.at(method, err)
	}
	if err := c.start(w, tag); err != nil {
		return c.at(method, err)
	}
	var r *record
	select {
	case r = <-w.ended:
	case <-ctx.Done():
		if c.hub.remove(tag) {
			c.cancel(tag)
		}
		return c.at(method, left(ctx.Err()))
	}
	// Only here nobody else has it any longer.
	if cap(w.item) <= keptItem {
		waiters.Put(w)
	}
	for _, to := range o.header {
		*to = pairs(r.headers)
	}
	for _, to := range o.trailer {
		*to = pairs(r.trailers)
	}
	if err := r.err(); err != nil {
		return err
	}
	if err := unmarshal(r.data, reply); err != nil {
		return c.at(method, err)
	}
	return nil
}

// at puts the method and the target before a status that is made here.
func (c *Conn) at(method string, err error) error {
	s := status.Convert(err)
	return status.Errorf(s.Code(), "%s at %s: %s", method, c.authority, s.Message())
}

// left is the status of a call whose context has ended.
func left(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return status.Error(codes.DeadlineExceeded, "context deadline exceeded; is the peer slow, or the deadline too short?")
	}
	return status.FromContextError(err).Err()
}

// keptItem is how large the buffer of a call may have grown to be used again.
const keptItem = 64 << 10

func (c *Conn) start(w *waiter, tag uint64) error {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return errClosed
	}
	c.hub.submit(w.item, tag, w)
	return nil
}

// cancel ends a call on the wire. After Close it goes by its tag as well: the item does not look at the channel.
func (c *Conn) cancel(tag uint64) { c.hub.submit(c.channel.Cancel(tag), 0, nil) }
