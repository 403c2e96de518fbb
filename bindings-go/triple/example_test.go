//go:build cgo && trilanenet

package triple_test

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/trilane/trilane/bindings-go/triple"
)

// The Go page of docs/triple.md; tests/interop/examples.py holds its lines to these.
func Example() {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	server, err := triple.NewServer()
	check(err)
	healthpb.RegisterHealthServer(server, health.NewServer())
	address, err := server.Listen("127.0.0.1:0")
	check(err)
	target := address.String()

	conn, err := triple.Dial(target, "")
	check(err)
	client := healthpb.NewHealthClient(conn)
	reply, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
	check(err)
	fmt.Println(reply.Status)
	check(conn.Close())
	server.GracefulStop()
	// Output: SERVING
}
