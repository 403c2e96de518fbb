//go:build cgo && trilanenet

package triple

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// odd answers with metadata whose name is not UTF-8.
type odd struct {
	testpb.UnimplementedTestServiceServer
	header chan error
}

var notUTF8 = metadata.MD{"x-\xff": {"v"}}

func (o *odd) FullDuplexCall(s testpb.TestService_FullDuplexCallServer) error {
	o.header <- s.SendHeader(notUTF8)
	return nil
}

func (o *odd) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, s testpb.TestService_StreamingOutputCallServer) error {
	s.SetTrailer(notUTF8)
	return nil
}

// TestNamesThatAreNotUTF8: a header is refused where it is set, a trailer ends the call; nobody waits for a deadline.
func TestNamesThatAreNotUTF8(t *testing.T) {
	o := &odd{header: make(chan error, 1)}
	_, address := hosted(t, o)
	client := testpb.NewTestServiceClient(connect(t, address))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, end := stream.Recv()
	if end == nil || end.Error() != "EOF" {
		t.Errorf("the call whose header was refused ended with %v", end)
	}
	err = <-o.header
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), `"x-\xff"`) {
		t.Errorf("the handler was told %v", err)
	}

	replies, err := client.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, end = replies.Recv()
	if status.Code(end) != codes.Internal || !strings.Contains(end.Error(), "UTF-8") {
		t.Errorf("the call whose trailer is not UTF-8 ended with %v", end)
	}
}

// TestHeadersOfACallThatIsGone: who sends headers and waits to be told of the call's end holds up nobody else.
func TestHeadersOfACallThatIsGone(t *testing.T) {
	h, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{hub: h, id: 1 << 62, ctx: ctx} // no call has this number: it is gone, and the record is on its way
	told := make(chan error)
	go func() { told <- s.flushHeader() }()
	free := make(chan struct{})
	go func() {
		for sent := false; !sent; runtime.Gosched() {
			s.mu.Lock()
			sent = s.sent
			s.mu.Unlock()
		}
		s.SetTrailer(metadata.Pairs("x-a", "1"))
		close(free)
	}()
	select {
	case <-free:
	case <-time.After(time.Minute):
		t.Error("setting a trailer waits for the call's end")
	}
	cancel()
	if err := <-told; status.Code(err) != codes.Canceled {
		t.Errorf("sending headers ended with %v", err)
	}
	<-free
}

// told answers a stream with a header, one message and a trailer.
type told struct {
	testpb.UnimplementedTestServiceServer
}

func (told) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, s testpb.TestService_StreamingOutputCallServer) error {
	s.SetHeader(metadata.Pairs("x-head", "1"))
	s.SetTrailer(metadata.Pairs("x-tail", "2"))
	return s.Send(&testpb.StreamingOutputCallResponse{})
}

// TestHeadersAfterTheEnd: who asks for the headers of a stream only when it has ended gets them.
func TestHeadersAfterTheEnd(t *testing.T) {
	_, address := hosted(t, told{})
	client := testpb.NewTestServiceClient(connect(t, address))
	stream, err := client.StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	header, _ := stream.Header()
	if got := append(header.Get("x-head"), stream.Trailer().Get("x-tail")...); strings.Join(got, " ") != "1 2" || err != io.EOF {
		t.Errorf("got %v, ended with %v", got, err)
	}
}

// TestOneRequest: a method that takes one request says so to who sends none.
func TestOneRequest(t *testing.T) {
	_, address := hosted(t, told{})
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := connect(t, address).NewStream(t.Context(), desc, "/grpc.testing.TestService/StreamingOutputCall")
	if err != nil {
		t.Fatal(err)
	}
	stream.CloseSend()
	err = stream.RecvMsg(&testpb.StreamingOutputCallResponse{})
	if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "StreamingOutputCall: the request has no message") {
		t.Errorf("ended with %v", err)
	}
}

// TestClosed: a call after Close says so, on streams as well; what ran before goes on.
func TestClosed(t *testing.T) {
	_, address := hosted(t, told{})
	conn := connect(t, address)
	client := testpb.NewTestServiceClient(conn)
	stream, err := client.StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	conn.Close()
	if _, err := stream.Recv(); err != nil {
		t.Errorf("the stream that was begun before: %v", err)
	}
	if _, err := client.EmptyCall(t.Context(), &testpb.Empty{}); status.Code(err) != codes.Canceled {
		t.Errorf("a call ended with %v", err)
	}
	if _, err := client.FullDuplexCall(t.Context()); status.Code(err) != codes.Canceled {
		t.Errorf("a stream ended with %v", err)
	}
}

// TestRefusalsSayWhere: what is refused on this side names the method, the target, and what to do.
func TestRefusalsSayWhere(t *testing.T) {
	_, address := hosted(t, told{})
	conn, closed := connect(t, address), connect(t, address)
	closed.Close()
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	const method = "/grpc.testing.TestService/EmptyCall"
	empty, zstd := &testpb.Empty{}, grpc.UseCompressor("zstd")
	for name, c := range map[string]struct {
		code codes.Code
		says string
		err  error
	}{
		"closed":     {codes.Canceled, "Dial another", closed.Invoke(t.Context(), method, empty, empty)},
		"compressor": {codes.Unimplemented, "use gzip or none", conn.Invoke(t.Context(), method, empty, empty, zstd)},
		"late":       {codes.DeadlineExceeded, "deadline too short?", conn.Invoke(over, method, empty, empty)},
		"no message": {codes.Internal, "protoc-gen-go's are expected", conn.Invoke(t.Context(), method, "text", empty)},
	} {
		place := method + " at " + address + ": "
		if status.Code(c.err) != c.code || !strings.Contains(c.err.Error(), place) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	for name, at := range map[string]*Conn{"closed": closed, "compressor": conn} {
		_, err := at.NewStream(t.Context(), &grpc.StreamDesc{}, method, zstd)
		if err == nil || !strings.Contains(err.Error(), method+" at "+address+": ") {
			t.Errorf("a stream, %s: %v", name, err)
		}
	}
}

// TestManyAtOnce: every one of many calls that come and go at the same time, some cancelled, gets its own answer.
func TestManyAtOnce(t *testing.T) {
	client, _ := dial(t)
	var all sync.WaitGroup
	for n := range 200 {
		all.Add(1)
		go func() {
			defer all.Done()
			for turn := range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				leaves := n%25 == 0 && turn == 10 // few: servers end connections with more resets than about 20 at once
				if leaves {
					go cancel()
				}
				size := n + turn
				reply, err := client.UnaryCall(ctx, &testpb.SimpleRequest{ResponseSize: int32(size)})
				cancelled := leaves && status.Code(err) == codes.Canceled
				if err != nil && !cancelled || err == nil && len(reply.GetPayload().GetBody()) != size {
					t.Errorf("%d bytes asked for, %d came: %v", size, len(reply.GetPayload().GetBody()), err)
				}
				cancel()
			}
		}()
	}
	all.Wait()
}
