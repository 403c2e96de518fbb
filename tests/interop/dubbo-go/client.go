package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"dubbo.apache.org/dubbo-go/v3/client"
	tri "dubbo.apache.org/dubbo-go/v3/protocol/triple/triple_protocol"

	pb "google.golang.org/grpc/interop/grpc_testing"
)

var (
	requests = []int{27182, 8, 1828, 45904}
	replies  = []int{31415, 9, 2653, 58979}
)

const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"

type conn struct{ *client.Connection }

func dial(url, name string, options ...client.ReferenceOption) (conn, error) {
	cli, err := client.NewClient(client.WithClientURL(url))
	if err != nil {
		return conn{}, err
	}
	methods := []string{"EmptyCall", "UnaryCall", "StreamingInputCall", "StreamingOutputCall", "FullDuplexCall", "UnimplementedCall"}
	c, err := cli.DialWithInfo(name, &client.ClientInfo{InterfaceName: name, MethodNames: methods}, options...)
	return conn{c}, err
}

func large() *pb.SimpleRequest {
	return &pb.SimpleRequest{ResponseSize: 314159, Payload: payload(271828)}
}

func ask(request int, sizes ...int) *pb.StreamingOutputCallRequest {
	asked := &pb.StreamingOutputCallRequest{Payload: payload(int32(request))}
	for _, size := range sizes {
		asked.ResponseParameters = append(asked.ResponseParameters, &pb.ResponseParameters{Size: int32(size)})
	}
	return asked
}

func (c conn) unary(ctx context.Context, asked *pb.SimpleRequest, options ...client.CallOption) (int, error) {
	reply := &pb.SimpleResponse{}
	err := c.CallUnary(ctx, []any{asked}, reply, "UnaryCall", options...)
	return len(reply.GetPayload().GetBody()), err
}

func (c conn) empty(ctx context.Context, method string, options ...client.CallOption) error {
	return c.CallUnary(ctx, []any{&pb.Empty{}}, &pb.Empty{}, method, options...)
}

func (c conn) duplex(ctx context.Context) (*tri.BidiStreamForClient, error) {
	stream, err := c.CallBidiStream(ctx, "FullDuplexCall")
	if err != nil {
		return nil, err
	}
	return stream.(*tri.BidiStreamForClient), nil
}

// all sends the requests, each after the reply to the one before it, and gives the sizes of the replies.
func all(stream *tri.BidiStreamForClient, asked ...*pb.StreamingOutputCallRequest) (sizes []int, err error) {
	for _, one := range asked {
		if err := stream.Send(one); err != nil && !errors.Is(err, context.Canceled) {
			break // Receive says why
		}
		reply := &pb.StreamingOutputCallResponse{}
		if err := stream.Receive(reply); err != nil {
			return sizes, err
		}
		sizes = append(sizes, len(reply.GetPayload().GetBody()))
	}
	if err := stream.CloseRequest(); err != nil {
		return sizes, err
	}
	if err := stream.Receive(&pb.StreamingOutputCallResponse{}); !tri.IsEnded(err) {
		return sizes, fmt.Errorf("after the last reply: %w", err)
	}
	return sizes, nil
}

func want[T any](seen, expected T, err error) error {
	if err == nil && !reflect.DeepEqual(seen, expected) {
		err = fmt.Errorf("%v, %v is expected", seen, expected)
	}
	return err
}

func ended(err error, code tri.Code, message string) error {
	if tri.CodeOf(err) != code {
		return fmt.Errorf("ended with %v, code %d is expected", err, code)
	}
	var e *tri.Error
	if message != "" && (!errors.As(err, &e) || e.Message() != message) {
		return fmt.Errorf("ended with %q, %q is expected", err, message)
	}
	return nil
}

func (c conn) clientStreaming(ctx context.Context) error {
	raw, err := c.CallClientStream(ctx, "StreamingInputCall")
	if err != nil {
		return err
	}
	stream := raw.(*tri.ClientStreamForClient)
	for _, size := range requests {
		if err := stream.Send(&pb.StreamingInputCallRequest{Payload: payload(int32(size))}); err != nil {
			return err
		}
	}
	sum := &pb.StreamingInputCallResponse{}
	err = stream.CloseAndReceive(tri.NewResponse(sum))
	return want(sum.AggregatedPayloadSize, 74922, err)
}

func (c conn) serverStreaming(ctx context.Context) error {
	raw, err := c.CallServerStream(ctx, ask(0, replies...), "StreamingOutputCall")
	if err != nil {
		return err
	}
	stream, sizes := raw.(*tri.ServerStreamForClient), []int{}
	for reply := new(pb.StreamingOutputCallResponse); stream.Receive(reply); reply = new(pb.StreamingOutputCallResponse) {
		sizes = append(sizes, len(reply.GetPayload().GetBody()))
	}
	return want(sizes, replies, stream.Err())
}

func (c conn) pingPong(ctx context.Context) error {
	stream, err := c.duplex(ctx)
	if err != nil {
		return err
	}
	var asked []*pb.StreamingOutputCallRequest
	for n, size := range requests {
		asked = append(asked, ask(size, replies[n]))
	}
	sizes, err := all(stream, asked...)
	return want(sizes, replies, err)
}

func (c conn) emptyStream(ctx context.Context) error {
	stream, err := c.duplex(ctx)
	if err != nil {
		return err
	}
	_, err = all(stream)
	return err
}

func (c conn) timeout(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	stream, err := c.duplex(ctx)
	if err == nil {
		late := ask(27182, 31415)
		late.ResponseParameters[0].IntervalUs = 1_000_000
		_, err = all(stream, late)
	}
	return ended(err, tri.CodeDeadlineExceeded, "")
}

func (c conn) cancelAfterFirst(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.duplex(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(ask(27182, 31415)); err != nil {
		return err
	}
	if err := stream.Receive(&pb.StreamingOutputCallResponse{}); err != nil {
		return err
	}
	cancel()
	return ended(stream.Receive(&pb.StreamingOutputCallResponse{}), tri.CodeCanceled, "")
}

func (c conn) status(ctx context.Context, text string) error {
	asked := &pb.EchoStatus{Code: 2, Message: text}
	_, err := c.unary(ctx, &pb.SimpleRequest{ResponseStatus: asked})
	if err := ended(err, tri.CodeUnknown, text); err != nil || text == special {
		return err
	}
	stream, err := c.duplex(ctx)
	if err == nil {
		_, err = all(stream, &pb.StreamingOutputCallRequest{ResponseStatus: asked})
	}
	return ended(err, tri.CodeUnknown, text)
}

func (c conn) metadata(ctx context.Context) error {
	sent := http.Header{echoInitial: {"test_initial_metadata_value"}, echoTrailing: {"q6ur"}}
	ctx = tri.NewOutgoingContext(ctx, sent)
	var header, trailer http.Header
	_, err := c.unary(ctx, large(), client.WithResponseHeader(&header), client.WithResponseTrailer(&trailer))
	if err := want([]string{header.Get(echoInitial), trailer.Get(echoTrailing)}, []string{sent.Get(echoInitial), "q6ur"}, err); err != nil {
		return fmt.Errorf("unary: %w", err)
	}
	stream, err := c.duplex(ctx)
	if err != nil {
		return err
	}
	if _, err := all(stream, ask(271828, 314159)); err != nil {
		return err
	}
	seen := []string{stream.ResponseHeader().Get(echoInitial), stream.ResponseTrailer().Get(echoTrailing)}
	return want(seen, []string{sent.Get(echoInitial), "q6ur"}, nil)
}

// groupVersion: what is hosted for group red and version 2.0 is reached by who asks for it only.
func groupVersion(ctx context.Context, url string) error {
	for version, expected := range map[string]string{"2.0": "red/2.0", "": ""} {
		var options []client.ReferenceOption
		if version != "" {
			options = []client.ReferenceOption{client.WithGroup("red"), client.WithVersion(version)}
		}
		c, err := dial(url, service, options...)
		if err != nil {
			return err
		}
		var trailer http.Header
		err = c.empty(ctx, "EmptyCall", client.WithResponseTrailer(&trailer))
		if err := want(trailer.Get(hosted), expected, err); err != nil {
			return fmt.Errorf("version %q: %w", version, err)
		}
	}
	return nil
}

func call(address string) int {
	url := "tri://" + address
	c, err := dial(url, service)
	if err != nil {
		fmt.Println("dial: FAIL:", err)
		return 1
	}
	nobody, err := dial(url, "grpc.testing.UnimplementedService")
	if err != nil {
		fmt.Println("dial: FAIL:", err)
		return 1
	}
	failed := 0
	for _, one := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"empty_unary", func(ctx context.Context) error { return c.empty(ctx, "EmptyCall") }},
		{"large_unary", func(ctx context.Context) error {
			size, err := c.unary(ctx, large())
			return want(size, 314159, err)
		}},
		{"client_streaming", c.clientStreaming},
		{"server_streaming", c.serverStreaming},
		{"ping_pong", c.pingPong},
		{"empty_stream", c.emptyStream},
		{"timeout_on_sleeping_server", c.timeout},
		{"cancel_after_first_response", c.cancelAfterFirst},
		{"status_code_and_message", func(ctx context.Context) error { return c.status(ctx, "test status message") }},
		{"special_status_message", func(ctx context.Context) error { return c.status(ctx, special) }},
		{"custom_metadata", c.metadata},
		{"unimplemented_method", func(ctx context.Context) error {
			return ended(c.empty(ctx, "UnimplementedCall"), tri.CodeUnimplemented, "")
		}},
		{"unimplemented_service", func(ctx context.Context) error {
			return ended(nobody.empty(ctx, "UnimplementedCall"), tri.CodeUnimplemented, "")
		}},
		{"group_and_version", func(ctx context.Context) error { return groupVersion(ctx, url) }},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if err := one.run(ctx); err != nil {
			failed = 1
			fmt.Printf("%s: FAIL: %s\n", one.name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Printf("%s: PASS\n", one.name)
		}
		cancel()
	}
	return failed
}
