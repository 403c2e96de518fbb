package trilanegrpc_test

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	trilanegrpc "github.com/trilane/trilane/bindings-go/grpc"
)

// The lines of docs/go.md; a test of the program holds the page to these.
func Example() {
	creds := grpc.WithTransportCredentials(insecure.NewCredentials())

	grpc.NewServer(trilanegrpc.ServerOptions()...)
	grpc.NewClient("pricing:50051", append(trilanegrpc.DialOptions(), creds)...)
}
