package trilanedubbo_test

import (
	"dubbo.apache.org/dubbo-go/v3/client"
	"dubbo.apache.org/dubbo-go/v3/server"

	trilanedubbo "github.com/trilane/trilane/bindings-go/dubbo"
)

type Greet struct{}

// The lines of docs/go.md; a test of the program holds the page to these. `greet` stands for what protoc-gen-go-triple
// writes.
func Example() {
	var greet struct {
		RegisterGreetServiceHandler func(*server.Server, *Greet, ...server.ServiceOption) error
	}
	srv, err := server.NewServer()

	cli, err := client.NewClient(trilanedubbo.Client())
	err = greet.RegisterGreetServiceHandler(srv, &Greet{}, trilanedubbo.Service()...)
	_, _ = cli, err
}
