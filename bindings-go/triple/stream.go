//go:build cgo && trilanenet

package triple

import (
	"context"
	"io"
	"sync"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type stream struct {
	ctx     context.Context
	path    string
	call    *native.Call
	desc    *grpc.StreamDesc
	options options

	room     chan struct{} // one token: the stream takes messages again
	received chan *record  // the answer to a Receive
	header   chan *record  // the response headers; empty where the call ended without
	done     chan struct{} // closed with the last record
	once     sync.Once
	asked    sync.Once
	md, tail metadata.MD
	end      *record
}

// NewStream starts a call whose messages come and go one by one.
func (c *Conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	o, err := readOptions(opts)
	if err != nil {
		return nil, c.at(method, err)
	}
	md, timeout, err := c.outgoing(ctx)
	if err != nil {
		return nil, c.at(method, err)
	}
	s := &stream{ctx: ctx, path: method, desc: desc, options: o, room: make(chan struct{}, 1), received: make(chan *record, 1),
		header: make(chan *record, 1), done: make(chan struct{})}
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return nil, c.at(method, errClosed)
	}
	tag := c.hub.tags.Add(1)
	c.hub.add(tag, s)
	s.call, err = c.channel.Stream(tag, method, md, timeout, o.flags)
	if err != nil {
		c.hub.remove(tag)
		return nil, c.at(method, status.Error(codes.Internal, err.Error()))
	}
	s.call.Headers() // asked for now: who asks after the call's end gets them as well
	go func() {
		// Ends with the call, or with the caller's context.
		select {
		case <-s.done:
		case <-ctx.Done():
		}
		c.hub.remove(tag)
		s.call.Free()
		s.finish(&record{kind: native.RecordEnd, code: codes.Canceled, message: "the caller cancelled the call"})
	}()
	return s, nil
}

// tell runs on the poller: it never waits, because every channel has room for the one answer to one question.
func (s *stream) tell(r *record) {
	switch r.kind {
	case native.RecordRoom:
		select {
		case s.room <- struct{}{}:
		default:
		}
	case native.RecordHeaders:
		s.header <- r
	case native.RecordMessage:
		s.received <- r
	case native.RecordEnd:
		s.finish(r)
	}
}

func (s *stream) finish(r *record) {
	s.once.Do(func() {
		s.end, s.tail = r, pairs(r.trailers)
		close(s.done)
	})
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) Header() (metadata.MD, error) {
	s.asked.Do(func() {
		select {
		case r := <-s.header:
			s.md = pairs(r.headers)
		case <-s.done:
		case <-s.ctx.Done():
		}
		select {
		case r := <-s.header: // came before the end
			s.md = pairs(r.headers)
		default:
		}
		for _, to := range s.options.header {
			*to = s.md
		}
	})
	return s.md, nil
}

func (s *stream) Trailer() metadata.MD {
	select {
	case <-s.done:
		return s.tail
	default:
		return nil
	}
}

func (s *stream) CloseSend() error {
	s.call.HalfClose()
	return nil
}

func (s *stream) SendMsg(m any) error {
	b, err := marshal(m)
	if err != nil {
		return err
	}
	for {
		if s.call.Send(b) == nil {
			break
		}
		select {
		case <-s.room:
		case <-s.done:
			return io.EOF
		case <-s.ctx.Done():
			return status.FromContextError(s.ctx.Err()).Err()
		}
	}
	select {
	case <-s.done:
		return io.EOF
	default:
	}
	if !s.desc.ClientStreams {
		s.call.HalfClose()
	}
	return nil
}

func (s *stream) next() (*record, error) {
	s.call.Receive()
	var r *record
	select {
	case r = <-s.received:
	case <-s.done:
		// A message that came before the end comes first.
		select {
		case r = <-s.received:
		default:
			return nil, s.ended()
		}
	case <-s.ctx.Done():
	}
	// A call that is over for its caller has no answer, also where that was faster than the cancellation.
	if err := s.ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return r, nil
}

func (s *stream) ended() error {
	if err := s.ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	for _, to := range s.options.trailer {
		*to = s.tail
	}
	if err := s.end.err(); err != nil {
		return err
	}
	return io.EOF
}

func (s *stream) RecvMsg(m any) error {
	r, err := s.next()
	if err == io.EOF && !s.desc.ServerStreams {
		return status.Errorf(codes.Unimplemented, "%s: the answer is OK but has no message", s.path)
	}
	if err != nil {
		return err
	}
	if err := unmarshal(r.data, m); err != nil || s.desc.ServerStreams {
		return err
	}
	// One reply only: the status decides.
	if _, err := s.next(); err != io.EOF {
		if err == nil {
			err = status.Errorf(codes.Unimplemented, "%s: the answer has a second message", s.path)
		}
		return err
	}
	return nil
}
