//go:build cgo && trilanenet

package triple

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// served is one call of a server. It is the grpc.ServerStream of a streaming call, and through a transportStream what
// grpc.SetHeader and the like find in the context of every call.
type served struct {
	hub    *hub
	id     uint64
	method *method
	ctx    context.Context
	cancel context.CancelFunc
	over   <-chan struct{} // the call's end; unlike ctx it never changes, and the poller may look at it

	room     chan struct{} // one token: messages are taken again
	received chan *record  // the answer to a receive

	mu       sync.Mutex
	sent     bool // headers are out
	header   metadata.MD
	trailers metadata.MD
}

// begin runs on the poller: what takes time runs on the call's own goroutine.
func (h *hub) begin(r *record, id uint64) {
	m := h.method(uint32(r.code))
	if m == nil || !m.server.begins() {
		h.net.ServedEnd(id, &native.Answer{Code: uint32(codes.Unavailable), Message: "the server is stopping"})
		return
	}
	s := &served{hub: h, id: id, method: m}
	if m.stream != nil {
		s.room, s.received = make(chan struct{}, 1), make(chan *record, 1)
	}
	ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: address(r.message)})
	if left := binary.LittleEndian.Uint64(r.details); left > 0 {
		s.ctx, s.cancel = context.WithTimeout(ctx, time.Duration(min(left, 1<<62)))
	} else {
		s.ctx, s.cancel = context.WithCancel(ctx)
	}
	s.over = s.ctx.Done()
	h.served.Store(id, s)
	go s.run(r)
}

func address(text string) net.Addr {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(at)
}

// tell runs on the poller and never waits: every channel has room for the one answer to one question.
func (s *served) tell(r *record) {
	switch r.kind {
	case native.RecordServedRoom:
		select {
		case s.room <- struct{}{}:
		default:
		}
	case native.RecordServedGone:
		s.hub.served.Delete(s.id)
		s.cancel()
	default:
		// A receive that was left at the call's end has nobody to read its answer.
		select {
		case s.received <- r:
		case <-s.over:
		}
	}
}

func (s *served) run(r *record) {
	defer s.method.server.running.Done()
	defer s.cancel()
	defer s.hub.served.Delete(s.id)
	md := pairs(r.headers)
	for _, name := range [...]string{"te", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding"} {
		delete(md, name)
	}
	in, _ := flow.In(flow.Triple, native.HTTP, md, flow.Lower, func() string { return r.message })
	s.ctx = metadata.NewIncomingContext(scope.Enter(s.ctx, in), md)
	defer scope.Leave(in)
	s.ctx = grpc.NewContextWithServerTransportStream(s.ctx, transportStream{s})
	data, err := s.handle(r)
	a := &native.Answer{HasData: err == nil && s.method.unary != nil, Data: data}
	if err != nil {
		st := statusOf(err)
		a.Code, a.Message = uint32(st.Code()), st.Message()
		if p := st.Proto(); len(p.GetDetails()) > 0 {
			a.Details, _ = proto.Marshal(p)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sent {
		a.Headers = flatten(s.header)
	}
	a.Trailers = flatten(s.trailers)
	s.hub.net.ServedEnd(s.id, a) // gone: nobody is left to tell
}

// statusOf is what grpc-go makes of a handler's error.
func statusOf(err error) *status.Status {
	if st, ok := status.FromError(err); ok {
		return st
	}
	return status.FromContextError(err)
}

// handle runs the handler. A panic ends the call, not the process: the caller of a library's goroutine cannot catch it.
func (s *served) handle(r *record) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "trilane: the handler of %s panicked: %v\n%s", s.method.path, p, debug.Stack())
			err = status.Error(codes.Internal, "the handler panicked; the server's log has the place")
		}
	}()
	m := s.method
	if m.stream != nil {
		return nil, m.server.options.runStream(m, s)
	}
	decode := func(v any) error {
		if err := unmarshal(r.data, v); err != nil {
			return err
		}
		return nil
	}
	reply, err := m.unary.Handler(m.impl, s.ctx, decode, m.server.options.aroundUnary())
	if err != nil {
		return nil, err
	}
	return marshal(reply)
}

func (s *served) Context() context.Context { return s.ctx }

func (s *served) SetHeader(md metadata.MD) error {
	for name := range md {
		if !utf8.ValidString(name) {
			return status.Errorf(codes.Internal, "%s: the name %q of a response header is not UTF-8: a name is of a-z, 0-9, - _ .",
				s.method.path, name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent {
		return status.Error(codes.Internal, "the response headers were sent already")
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

func (s *served) SendHeader(md metadata.MD) error {
	if err := s.SetHeader(md); err != nil {
		return err
	}
	return s.flushHeader()
}

func (s *served) flushHeader() error {
	switch err := s.sendHeader(); err {
	case nil:
		return nil
	case native.ErrGone:
		return s.gone() // not under the lock: who sets a trailer meanwhile must not wait with us
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

func (s *served) sendHeader() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent {
		return nil
	}
	s.sent = true
	return s.hub.net.ServedHeaders(s.id, flatten(s.header))
}

func (s *served) SetTrailer(md metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trailers = metadata.Join(s.trailers, md)
}

// gone is the error of a call that the other side ended.
func (s *served) gone() error {
	<-s.ctx.Done() // the record that says so is on its way
	return status.FromContextError(s.ctx.Err()).Err()
}

func (s *served) SendMsg(m any) error {
	b, err := marshal(m)
	if err != nil {
		return err
	}
	if err := s.flushHeader(); err != nil {
		return err
	}
	for {
		switch s.hub.net.ServedSend(s.id, b) {
		case nil:
			return nil
		case native.ErrFull:
			select {
			case <-s.room:
			case <-s.ctx.Done():
				return s.gone()
			}
		default:
			return s.gone()
		}
	}
}

func (s *served) RecvMsg(m any) error {
	data, err := s.receive()
	if s.method.stream.ClientStreams {
		if err != nil {
			return err
		}
		return unmarshal(data, m)
	}
	// One request only; gRPC's code for another number is UNIMPLEMENTED (grpc/doc/statuscodes.md).
	if err == io.EOF {
		return status.Errorf(codes.Unimplemented, "%s: the request has no message", s.method.path)
	}
	if err != nil {
		return err
	}
	if _, err := s.receive(); err == nil {
		return status.Errorf(codes.Unimplemented, "%s: the request has a second message", s.method.path)
	} else if err != io.EOF {
		return err
	}
	return unmarshal(data, m)
}

// receive gives the next message, and io.EOF after the last.
func (s *served) receive() ([]byte, error) {
	if s.hub.net.ServedReceive(s.id) != nil {
		return nil, s.gone()
	}
	select {
	case r := <-s.received:
		if r.kind == native.RecordServedLast {
			return nil, io.EOF
		}
		return r.data, nil
	case <-s.ctx.Done():
		return nil, s.gone()
	}
}

// transportStream is what grpc.SetHeader, grpc.SendHeader and grpc.SetTrailer use.
type transportStream struct{ s *served }

func (t transportStream) Method() string                  { return t.s.method.path }
func (t transportStream) SetHeader(md metadata.MD) error  { return t.s.SetHeader(md) }
func (t transportStream) SendHeader(md metadata.MD) error { return t.s.SendHeader(md) }
func (t transportStream) SetTrailer(md metadata.MD) error {
	t.s.SetTrailer(md)
	return nil
}
