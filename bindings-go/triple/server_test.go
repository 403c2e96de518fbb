//go:build cgo && trilanenet

package triple

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// hosted starts a server of ours with that service, and says where.
func hosted(t *testing.T, service testpb.TestServiceServer, options ...ServerOption) (*Server, string) {
	t.Helper()
	server, err := NewServer(options...)
	if err != nil {
		t.Fatal(err)
	}
	testpb.RegisterTestServiceServer(server, service)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	at, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server, at.String()
}

// watcher tells what happens to the calls of a service.
type watcher struct {
	testpb.UnimplementedTestServiceServer
	begun, ended chan context.Context
	release      chan struct{}
}

func newWatcher() *watcher {
	return &watcher{begun: make(chan context.Context, 2000), ended: make(chan context.Context, 2000),
		release: make(chan struct{})}
}

func (w *watcher) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	w.begun <- ctx
	defer func() { w.ended <- ctx }()
	select {
	case <-w.release:
		return &testpb.Empty{}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func (w *watcher) UnaryCall(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	panic("on purpose")
}

func (w *watcher) FullDuplexCall(s testpb.TestService_FullDuplexCallServer) error {
	w.begun <- s.Context()
	defer func() { w.ended <- s.Context() }() // also where the caller left between a message and its answer
	for {
		_, err := s.Recv()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return err
		}
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, 64<<10)}}); err != nil {
			return err
		}
	}
}

// TestServedContext: metadata, the peer, the deadline and the cancellation of a caller are in the handler's context.
func TestServedContext(t *testing.T) {
	w := newWatcher()
	_, address := hosted(t, w)
	client := testpb.NewTestServiceClient(connect(t, address))
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "x-a", "1", "x-b-bin", "\x00\xff"), time.Hour)
	failed := make(chan error)
	go func() {
		_, err := client.EmptyCall(ctx, &testpb.Empty{})
		failed <- err
	}()
	seen := <-w.begun
	in, _ := metadata.FromIncomingContext(seen)
	if !slices.Equal(in.Get("x-a"), []string{"1"}) || !slices.Equal(in.Get("x-b-bin"), []string{"\x00\xff"}) {
		t.Errorf("metadata: %v", in)
	}
	if p, ok := peer.FromContext(seen); !ok || !strings.HasPrefix(p.Addr.String(), "127.0.0.1:") {
		t.Errorf("peer: %v", p)
	}
	if deadline, ok := seen.Deadline(); !ok || time.Until(deadline) > time.Hour {
		t.Errorf("deadline: %v %v", deadline, ok)
	}
	cancel()
	if err := <-failed; status.Code(err) != codes.Canceled {
		t.Errorf("ended with %v", err)
	}
	if ended := <-w.ended; ended.Err() != context.Canceled {
		t.Errorf("the handler's context says %v", ended.Err())
	}
	// A panic is a status, and the server goes on.
	if _, err := client.UnaryCall(context.Background(), &testpb.SimpleRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("a panic ended with %v", err)
	}
}

// TestInterceptors run in their order around both kinds of call.
func TestInterceptors(t *testing.T) {
	var order []string
	unary := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			order = append(order, name+" "+info.FullMethod)
			return next(ctx, req)
		}
	}
	refuse := func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
		return status.Error(codes.PermissionDenied, "no streams")
	}
	w := newWatcher()
	close(w.release)
	_, address := hosted(t, w, UnaryInterceptors(unary("a"), unary("b")), StreamInterceptors(refuse))
	client := testpb.NewTestServiceClient(connect(t, address))
	if _, err := client.EmptyCall(context.Background(), &testpb.Empty{}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a /grpc.testing.TestService/EmptyCall", "b /grpc.testing.TestService/EmptyCall"}; !slices.Equal(order, want) {
		t.Errorf("ran %v", order)
	}
	stream, err := client.FullDuplexCall(context.Background())
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("the stream ended with %v", err)
	}
}

// TestGracefulStop: a call that runs ends well, a new one is not taken.
func TestGracefulStop(t *testing.T) {
	w := newWatcher()
	server, address := hosted(t, w)
	client := testpb.NewTestServiceClient(connect(t, address))
	answered := make(chan error)
	go func() {
		_, err := client.EmptyCall(context.Background(), &testpb.Empty{})
		answered <- err
	}()
	<-w.begun
	stopped := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(stopped)
	}()
	for {
		late := testpb.NewTestServiceClient(connect(t, address))
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		_, err := late.EmptyCall(ctx, &testpb.Empty{})
		cancel()
		if status.Code(err) == codes.Unavailable {
			break
		}
	}
	select {
	case <-stopped:
		t.Error("stopped while a call runs")
	default:
	}
	close(w.release)
	if err := <-answered; err != nil {
		t.Errorf("the running call ended with %v", err)
	}
	<-stopped
	server.Wait()
}

// TestServedWaitingHoldsNoThread: 1,000 handlers that wait need no thread each.
func TestServedWaitingHoldsNoThread(t *testing.T) {
	w := newWatcher()
	_, address := hosted(t, w)
	client := testpb.NewTestServiceClient(connect(t, address))
	ctx, cancel := context.WithCancel(context.Background())
	before := threads(t)
	var callers sync.WaitGroup
	for n := range 1000 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			if n%2 == 0 {
				client.EmptyCall(ctx, &testpb.Empty{})
				return
			}
			if stream, err := client.FullDuplexCall(ctx); err == nil {
				stream.Send(&testpb.StreamingOutputCallRequest{})
				stream.Recv()
				stream.Recv()
			}
		}()
	}
	for range 1000 {
		<-w.begun
	}
	during := threads(t)
	cancel()
	callers.Wait()
	for range 1000 {
		<-w.ended
	}
	t.Logf("threads: %d before, %d while 1,000 handlers and 1,000 callers wait", before, during)
	// A thread that is held up inside a C call costs Go another one: some on a busy machine or one of many processors, but
	// not one a handler.
	if during > before+500 {
		t.Errorf("%d threads before, %d while 1,000 handlers wait", before, during)
	}
}

// TestHealthAndReflection: grpc-go's own services run on the server.
func TestHealthAndReflection(t *testing.T) {
	_, address := hosted(t, newWatcher())
	conn := connect(t, address)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	said, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil || said.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v %v", said, err)
	}
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ask := &reflectionpb.ServerReflectionRequest_ListServices{}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: ask}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if all := answer.GetListServicesResponse().GetService(); len(all) != 4 {
		t.Errorf("reflection lists %v", all)
	}
}

// TestGroupAndVersion: two versions of one service beside each other, as Dubbo's callers ask for them.
func TestGroupAndVersion(t *testing.T) {
	w := newWatcher()
	close(w.release)
	_, address := hosted(t, w, GroupVersion("red", "2.0"))
	client := testpb.NewTestServiceClient(connect(t, address))
	asked := metadata.AppendToOutgoingContext(context.Background(), "tri-service-group", "red", "tri-service-version", "2.0")
	if _, err := client.EmptyCall(asked, &testpb.Empty{}); err != nil {
		t.Error(err)
	}
	_, err := client.EmptyCall(context.Background(), &testpb.Empty{})
	if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "EmptyCall") {
		t.Errorf("without a version: %v", err)
	}
}
