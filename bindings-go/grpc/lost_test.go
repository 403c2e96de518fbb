package trilanegrpc_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/trilane/trilane/bindings-go/internal/native"
)

// caller calls on in the context of its request, or without it.
type caller struct {
	pb.UnimplementedHealthServer
	next pb.HealthClient
	lose atomic.Bool
}

func (c *caller) Check(ctx context.Context, r *pb.HealthCheckRequest) (*pb.HealthCheckResponse, error) {
	if c.lose.Load() {
		limited, end := context.WithTimeout(context.Background(), time.Minute)
		defer end()
		ctx = limited
	}
	return c.next.Check(ctx, r)
}

func TestACallWithoutItsRequestsContextIsTold(t *testing.T) {
	next, cc := dial("back.grpc:50051")
	defer cc.Close()
	front := &caller{next: next}
	served := serve(front, "127.0.0.1:0")
	defer served.grpc.Stop()
	plain, err := grpc.NewClient(served.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	ask := func(ctx context.Context) {
		t.Helper()
		if _, err := pb.NewHealthClient(plain).Check(ctx, &pb.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	tagged := metadata.AppendToOutgoingContext(t.Context(), "x-mse-tag", "gray")
	lost := func() uint64 { return native.Default().Counted("tag_lost") }
	before := lost()
	for range 3 {
		ask(tagged)
		ask(t.Context())
	}
	if lost() != before {
		t.Fatalf("%d calls are told that lost nothing", lost()-before)
	}
	front.lose.Store(true)
	// At most one call a second is looked at, by whatever test of this process made it.
	for end := time.Now().Add(2 * time.Minute); lost() == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the loss was never told")
		}
		ask(tagged)
	}
}
