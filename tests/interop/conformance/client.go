//go:build trilanenet

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/trilane/trilane/bindings-go/triple"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/trilane/trilane/tests/interop/conformance/pb"
)

// client makes the calls that come on stdin, several at a time.
func client() error {
	var lock sync.Mutex
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, 8)
	for {
		asked := &pb.ClientCompatRequest{}
		if err := read(asked); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		slots <- struct{}{}
		all.Add(1)
		go func() {
			defer all.Done()
			defer func() { <-slots }()
			answer := &pb.ClientCompatResponse{TestName: asked.TestName}
			if got, err := call(asked); err != nil {
				answer.Result = &pb.ClientCompatResponse_Error{Error: &pb.ClientErrorResult{Message: err.Error()}}
			} else {
				answer.Result = &pb.ClientCompatResponse_Response{Response: got}
			}
			lock.Lock()
			defer lock.Unlock()
			if err := write(answer); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

// answered is what every reply of the service has.
type answered interface {
	proto.Message
	GetPayload() *pb.ConformancePayload
}

// nothing is the reply of the method that is not implemented.
type nothing struct{ *pb.UnimplementedResponse }

func (nothing) GetPayload() *pb.ConformancePayload { return nil }

var replies = map[string]func() answered{
	"Unary":         func() answered { return new(pb.UnaryResponse) },
	"ClientStream":  func() answered { return new(pb.ClientStreamResponse) },
	"ServerStream":  func() answered { return new(pb.ServerStreamResponse) },
	"BidiStream":    func() answered { return new(pb.BidiStreamResponse) },
	"Unimplemented": func() answered { return nothing{new(pb.UnimplementedResponse)} },
}

// one is a call that is being made.
type one struct {
	asked  *pb.ClientCompatRequest
	got    pb.ClientResponseResult
	cancel context.CancelFunc
	after  int // replies to cancel after; -1: never
}

func call(asked *pb.ClientCompatRequest) (*pb.ClientResponseResult, error) {
	roots, err := file(asked.ServerTlsCert)
	if err != nil {
		return nil, err
	}
	var with []triple.DialOption
	if creds := asked.ClientTlsCreds; creds != nil {
		certificates, first := file(creds.Cert)
		key, second := file(creds.Key)
		if err := errors.Join(first, second); err != nil {
			return nil, err
		}
		with = append(with, triple.ClientCertificate(certificates, key))
	}
	conn, err := triple.Dial(net.JoinHostPort(asked.Host, strconv.Itoa(int(asked.Port))), roots, with...)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reply := replies[asked.GetMethod()]
	if reply == nil {
		return nil, fmt.Errorf("there is no method %s", asked.GetMethod())
	}
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(context.Background(), fromHeaders(asked.RequestHeaders)))
	defer cancel()
	if asked.TimeoutMs != nil {
		limited, end := context.WithTimeout(ctx, time.Duration(*asked.TimeoutMs)*time.Millisecond)
		defer end()
		ctx = limited
	}
	var options []grpc.CallOption
	if asked.Compression == pb.Compression_COMPRESSION_GZIP {
		options = append(options, grpc.UseCompressor("gzip"))
	}
	o := &one{asked: asked, cancel: cancel, after: -1}
	if n, ok := asked.GetCancel().GetCancelTiming().(*pb.ClientCompatRequest_Cancel_AfterNumResponses); ok {
		o.after = int(n.AfterNumResponses)
	}
	path := "/" + asked.GetService() + "/" + asked.GetMethod()
	if method := asked.GetMethod(); method == "Unary" || method == "Unimplemented" {
		err = o.unary(ctx, conn, path, reply(), options)
	} else {
		desc := &grpc.StreamDesc{ClientStreams: method != "ServerStream", ServerStreams: method != "ClientStream"}
		err = o.stream(ctx, conn, desc, path, reply, options)
	}
	return &o.got, err
}

// closed is when a call may be cancelled once nothing more is sent.
func (o *one) closed() {
	c := o.asked.Cancel
	if c == nil || o.after >= 0 || c.GetBeforeCloseSend() != nil {
		return
	}
	time.AfterFunc(time.Duration(c.GetAfterCloseSendMs())*time.Millisecond, o.cancel)
}

func (o *one) unary(ctx context.Context, conn *triple.Conn, path string, reply answered, options []grpc.CallOption) error {
	message, err := o.asked.RequestMessages[0].UnmarshalNew()
	if err != nil {
		return err
	}
	var header, trailer metadata.MD
	time.Sleep(time.Duration(o.asked.RequestDelayMs) * time.Millisecond)
	o.closed()
	var to proto.Message = reply
	if n, ok := reply.(nothing); ok {
		to = n.UnimplementedResponse
	}
	err = conn.Invoke(ctx, path, message, to, append(options, grpc.Header(&header), grpc.Trailer(&trailer))...)
	if err == nil {
		o.got.Payloads = append(o.got.Payloads, reply.GetPayload())
	}
	o.got.Error, o.got.ResponseHeaders, o.got.ResponseTrailers = fromError(err), headers(header), headers(trailer)
	return nil
}

func (o *one) stream(ctx context.Context, conn *triple.Conn, desc *grpc.StreamDesc, path string, reply func() answered,
	options []grpc.CallOption) error {
	stream, err := conn.NewStream(ctx, desc, path, options...)
	if err != nil {
		return err
	}
	full := o.asked.StreamType == pb.StreamType_STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM
	end, err := o.send(stream, full, reply)
	if err != nil {
		return err
	}
	if o.asked.GetCancel().GetBeforeCloseSend() != nil {
		o.cancel()
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	o.closed()
	for end == nil {
		end = o.receive(stream, reply)
	}
	if !errors.Is(end, io.EOF) {
		o.got.Error = fromError(end)
	}
	header, err := stream.Header()
	o.got.ResponseHeaders, o.got.ResponseTrailers = headers(header), headers(stream.Trailer())
	return err
}

// send sends the requests, of a full duplex call each after the reply to the one before; how the call ended meanwhile.
func (o *one) send(stream grpc.ClientStream, full bool, reply func() answered) (end, err error) {
	for n, raw := range o.asked.RequestMessages {
		message, err := raw.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(o.asked.RequestDelayMs) * time.Millisecond)
		if err := stream.SendMsg(message); err != nil {
			o.got.NumUnsentRequests = int32(len(o.asked.RequestMessages) - n)
			return o.receive(stream, reply), nil
		}
		if full {
			if end := o.receive(stream, reply); end != nil {
				return end, nil
			}
		}
	}
	return nil, nil
}

func (o *one) receive(stream grpc.ClientStream, reply func() answered) error {
	message := reply()
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	o.got.Payloads = append(o.got.Payloads, message.GetPayload())
	if len(o.got.Payloads) == o.after {
		o.cancel()
	}
	if o.asked.GetMethod() == "ClientStream" {
		return io.EOF
	}
	return nil
}
