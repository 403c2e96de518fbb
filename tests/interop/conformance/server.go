//go:build trilanenet

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/trilane/trilane/bindings-go/triple"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/trilane/trilane/tests/interop/conformance/pb"
)

// serve hosts the service as stdin asks until it is told to end.
func serve() error {
	asked := &pb.ServerCompatRequest{}
	if err := read(asked); err != nil {
		return err
	}
	var options []triple.ServerOption
	if asked.UseTls {
		cert, first := file(asked.ServerCreds.GetCert())
		key, second := file(asked.ServerCreds.GetKey())
		roots, third := file(asked.ClientTlsCert)
		if err := errors.Join(first, second, third); err != nil {
			return err
		}
		options = append(options, triple.ServerTLS(cert, key, roots))
	}
	server, err := triple.NewServer(options...)
	if err != nil {
		return err
	}
	pb.RegisterConformanceServiceServer(server, service{})
	at, err := server.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	here := at.(*net.TCPAddr)
	answer := &pb.ServerCompatResponse{Host: here.IP.String(), Port: uint32(here.Port), PemCert: asked.ServerCreds.GetCert()}
	if err := write(answer); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	server.Stop()
	return nil
}

type service struct {
	pb.UnimplementedConformanceServiceServer
}

// info is what the handler saw of the call.
func info(ctx context.Context, requests []*anypb.Any) *pb.ConformancePayload_RequestInfo {
	md, _ := metadata.FromIncomingContext(ctx)
	i := &pb.ConformancePayload_RequestInfo{RequestHeaders: headers(md), Requests: requests}
	if deadline, ok := ctx.Deadline(); ok {
		i.TimeoutMs = proto.Int64(max(time.Until(deadline), 0).Milliseconds())
	}
	return i
}

// failure is the asked error; seen goes with it where no reply has told it.
func failure(e *pb.Error, seen *pb.ConformancePayload_RequestInfo) error {
	if e == nil {
		return nil
	}
	details := e.Details
	if seen != nil {
		details = append(details, asAny(seen))
	}
	return status.ErrorProto(&spb.Status{Code: int32(e.Code), Message: e.GetMessage(), Details: details})
}

// single is the reply to a call with one.
func single(ctx context.Context, asked *pb.UnaryResponseDefinition, requests []*anypb.Any) (*pb.ConformancePayload, error) {
	if asked != nil {
		grpc.SetHeader(ctx, fromHeaders(asked.ResponseHeaders))
		grpc.SetTrailer(ctx, fromHeaders(asked.ResponseTrailers))
		time.Sleep(time.Duration(asked.ResponseDelayMs) * time.Millisecond)
	}
	seen := info(ctx, requests)
	if e := asked.GetError(); e != nil {
		return nil, failure(e, seen)
	}
	return &pb.ConformancePayload{Data: asked.GetResponseData(), RequestInfo: seen}, nil
}

func (service) Unary(ctx context.Context, asked *pb.UnaryRequest) (*pb.UnaryResponse, error) {
	payload, err := single(ctx, asked.ResponseDefinition, []*anypb.Any{asAny(asked)})
	return &pb.UnaryResponse{Payload: payload}, err
}

func (service) ClientStream(stream pb.ConformanceService_ClientStreamServer) error {
	var asked *pb.UnaryResponseDefinition
	var requests []*anypb.Any
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(requests) == 0 {
			asked = message.ResponseDefinition
		}
		requests = append(requests, asAny(message))
	}
	payload, err := single(stream.Context(), asked, requests)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&pb.ClientStreamResponse{Payload: payload})
}

// several answers with the asked replies, one by one.
type several struct {
	asked *pb.StreamResponseDefinition
	sent  int
	send  func(*pb.ConformancePayload) error
}

func (s *several) begin(stream grpc.ServerStream) error {
	if s.asked == nil {
		return nil
	}
	stream.SetTrailer(fromHeaders(s.asked.ResponseTrailers))
	return stream.SendHeader(fromHeaders(s.asked.ResponseHeaders))
}

func (s *several) left() bool { return s.sent < len(s.asked.GetResponseData()) }

func (s *several) next(seen *pb.ConformancePayload_RequestInfo) error {
	time.Sleep(time.Duration(s.asked.ResponseDelayMs) * time.Millisecond)
	payload := &pb.ConformancePayload{Data: s.asked.ResponseData[s.sent], RequestInfo: seen}
	s.sent++
	return s.send(payload)
}

// rest sends what is left and ends as asked.
func (s *several) rest(ctx context.Context, requests []*anypb.Any) error {
	for s.left() {
		var seen *pb.ConformancePayload_RequestInfo
		if s.sent == 0 {
			seen = info(ctx, requests)
		}
		if err := s.next(seen); err != nil {
			return err
		}
	}
	if s.sent == 0 {
		return failure(s.asked.GetError(), info(ctx, requests))
	}
	return failure(s.asked.GetError(), nil)
}

func (service) ServerStream(asked *pb.ServerStreamRequest, stream pb.ConformanceService_ServerStreamServer) error {
	s := &several{asked: asked.ResponseDefinition, send: func(p *pb.ConformancePayload) error {
		return stream.Send(&pb.ServerStreamResponse{Payload: p})
	}}
	if err := s.begin(stream); err != nil {
		return err
	}
	return s.rest(stream.Context(), []*anypb.Any{asAny(asked)})
}

func (service) BidiStream(stream pb.ConformanceService_BidiStreamServer) error {
	s := &several{send: func(p *pb.ConformancePayload) error { return stream.Send(&pb.BidiStreamResponse{Payload: p}) }}
	var requests []*anypb.Any
	for first, full := true, false; ; first = false {
		message, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if first {
			s.asked, full = message.ResponseDefinition, message.FullDuplex
			if err := s.begin(stream); err != nil {
				return err
			}
		}
		requests = append(requests, asAny(message))
		if !full {
			continue
		}
		if !s.left() {
			break
		}
		seen := &pb.ConformancePayload_RequestInfo{Requests: requests}
		if s.sent == 0 {
			seen = info(stream.Context(), requests)
		}
		if err := s.next(seen); err != nil {
			return err
		}
		requests = nil
	}
	return s.rest(stream.Context(), requests)
}

func (service) Unimplemented(context.Context, *pb.UnimplementedRequest) (*pb.UnimplementedResponse, error) {
	return nil, status.Error(codes.Unimplemented, "not implemented, as asked")
}
