// Command dubbo-go is dubbo-go in IDL mode as a peer of gRPC's interop service:
//
//	dubbo-go serve PORT                    # hosts it
//	dubbo-go serve PORT GROUP VERSION      # hosts it for that group and version
//	dubbo-go call HOST:PORT                # runs the cases, prints `CASE: PASS` or `CASE: FAIL: why`
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"dubbo.apache.org/dubbo-go/v3/common"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	_ "dubbo.apache.org/dubbo-go/v3/imports"
	"dubbo.apache.org/dubbo-go/v3/protocol"
	tri "dubbo.apache.org/dubbo-go/v3/protocol/triple/triple_protocol"
	"dubbo.apache.org/dubbo-go/v3/server"
	"google.golang.org/protobuf/proto"

	pb "google.golang.org/grpc/interop/grpc_testing"
)

const (
	service      = "grpc.testing.TestService"
	echoInitial  = "X-Grpc-Test-Echo-Initial"
	echoTrailing = "X-Grpc-Test-Echo-Trailing-Bin"
	hosted       = "X-Hosted"
	// What dubbo-go answers to an ordinary Go error; no code of gRPC.
	businessError = 17
)

// Service is the interop service; what is hosted for a group and version says so in a trailer.
type Service struct{ group, version string }

// echo sends one header and one binary trailer back.
func (s *Service) echo(asked, header, trailer http.Header) {
	for name, to := range map[string]http.Header{echoInitial: header, echoTrailing: trailer} {
		if values := asked.Values(name); len(values) > 0 {
			to[name] = values
		}
	}
	if s.group != "" {
		trailer.Set(hosted, s.group+"/"+s.version)
	}
}

func (s *Service) unary(ctx context.Context) error {
	asked, _ := tri.FromIncomingContext(ctx)
	header, trailer := http.Header{}, http.Header{}
	s.echo(asked, header, trailer)
	return errors.Join(tri.SetHeader(ctx, header), tri.SetTrailer(ctx, trailer))
}

func failure(asked *pb.EchoStatus) error {
	switch asked.GetCode() {
	case 0:
		return nil
	case businessError:
		return errors.New(asked.GetMessage())
	default:
		return tri.NewError(tri.Code(asked.GetCode()), errors.New(asked.GetMessage()))
	}
}

func payload(size int32) *pb.Payload { return &pb.Payload{Body: make([]byte, size)} }

// EmptyCall answers.
func (s *Service) EmptyCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	return &pb.Empty{}, s.unary(ctx)
}

// UnaryCall answers with as much as was asked for, or with an error.
func (s *Service) UnaryCall(ctx context.Context, asked *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	if err := s.unary(ctx); err != nil {
		return nil, err
	}
	return &pb.SimpleResponse{Payload: payload(asked.ResponseSize)}, failure(asked.ResponseStatus)
}

func each(asked *pb.StreamingOutputCallRequest, send func(any) error) error {
	for _, p := range asked.ResponseParameters {
		time.Sleep(time.Duration(p.IntervalUs) * time.Microsecond)
		if err := send(&pb.StreamingOutputCallResponse{Payload: payload(p.Size)}); err != nil {
			return err
		}
	}
	return failure(asked.ResponseStatus)
}

// StreamingInputCall adds up what comes.
func (s *Service) StreamingInputCall(_ context.Context, stream *tri.ClientStream) (*pb.StreamingInputCallResponse, error) {
	sum, asked := 0, &pb.StreamingInputCallRequest{}
	for stream.Receive(asked) {
		sum += len(asked.GetPayload().GetBody())
		asked = &pb.StreamingInputCallRequest{}
	}
	return &pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(sum)}, stream.Err()
}

// FullDuplexCall answers each request.
func (s *Service) FullDuplexCall(_ context.Context, stream *tri.BidiStream) error {
	s.echo(stream.RequestHeader(), stream.ResponseHeader(), stream.ResponseTrailer())
	for {
		asked := &pb.StreamingOutputCallRequest{}
		err := stream.Receive(asked)
		if tri.IsEnded(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(asked, stream.Send); err != nil {
			return err
		}
	}
}

func same(stream any) any { return stream }

func answer[T proto.Message](reply T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return tri.NewResponse(reply), nil
}

var info = common.ServiceInfo{InterfaceName: service, ServiceType: (*Service)(nil), Methods: []common.MethodInfo{
	{
		Name: "EmptyCall", Type: constant.CallUnary, ReqInitFunc: func() any { return new(pb.Empty) },
		MethodFunc: func(ctx context.Context, args []any, handler any) (any, error) {
			return answer(handler.(*Service).EmptyCall(ctx, args[0].(*pb.Empty)))
		},
	}, {
		Name: "UnaryCall", Type: constant.CallUnary, ReqInitFunc: func() any { return new(pb.SimpleRequest) },
		MethodFunc: func(ctx context.Context, args []any, handler any) (any, error) {
			return answer(handler.(*Service).UnaryCall(ctx, args[0].(*pb.SimpleRequest)))
		},
	}, {
		Name: "StreamingInputCall", Type: constant.CallClientStream, StreamInitFunc: same,
		MethodFunc: func(ctx context.Context, args []any, handler any) (any, error) {
			return answer(handler.(*Service).StreamingInputCall(ctx, args[0].(*tri.ClientStream)))
		},
	}, {
		Name: "StreamingOutputCall", Type: constant.CallServerStream, StreamInitFunc: same,
		ReqInitFunc: func() any { return new(pb.StreamingOutputCallRequest) },
		MethodFunc: func(_ context.Context, args []any, _ any) (any, error) {
			return nil, each(args[0].(*pb.StreamingOutputCallRequest), args[1].(*tri.ServerStream).Send)
		},
	}, {
		Name: "FullDuplexCall", Type: constant.CallBidiStream, StreamInitFunc: same,
		MethodFunc: func(ctx context.Context, args []any, handler any) (any, error) {
			return nil, handler.(*Service).FullDuplexCall(ctx, args[0].(*tri.BidiStream))
		},
	},
}}

func serve(port int, group, version string) error {
	triple := server.WithServerProtocol(protocol.WithIp("127.0.0.1"), protocol.WithPort(port), protocol.WithTriple())
	srv, err := server.NewServer(triple)
	if err != nil {
		return err
	}
	var grouped []server.ServiceOption
	if group != "" {
		grouped = []server.ServiceOption{server.WithGroup(group), server.WithVersion(version)}
	}
	if err := srv.Register(&Service{group, version}, &info, grouped...); err != nil {
		return err
	}
	return srv.Serve()
}

func main() {
	words := append(os.Args[1:], "", "", "", "")
	if words[0] == "call" {
		os.Exit(call(words[1]))
	}
	port, err := strconv.Atoi(words[1])
	if err == nil {
		err = serve(port, words[2], words[3])
	}
	fmt.Fprintln(os.Stderr, "dubbo-go serve PORT [GROUP VERSION] | call HOST:PORT:", err)
	os.Exit(1)
}
