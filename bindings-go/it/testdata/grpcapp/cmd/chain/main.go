// Command chain serves HTTP, asks its own gRPC service by context.Background(), and that calls back by HTTP: an
// ordinary program that knows nothing of lanes. Its first line of output is its address.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

type service struct {
	pb.UnimplementedHealthServer
}

func (service) Check(ctx context.Context, _ *pb.HealthCheckRequest) (*pb.HealthCheckResponse, error) {
	answer := make(chan string)
	go func() {
		resp, err := http.Get(os.Args[1])
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	return &pb.HealthCheckResponse{}, grpc.SetHeader(ctx, metadata.Pairs("answer", <-answer))
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer()
	pb.RegisterHealthServer(s, service{})
	go s.Serve(l)
	cc, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	client := pb.NewHealthClient(cc)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var md metadata.MD
		_, err := client.Check(context.Background(), &pb.HealthCheckRequest{}, grpc.Header(&md), grpc.WaitForReady(true))
		if err != nil {
			fmt.Fprint(w, err)
			return
		}
		fmt.Fprintf(w, "A(%s)>G>%s", r.Header.Get("x-mse-tag"), strings.Join(md.Get("answer"), ","))
	})
	h, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(h.Addr())
	panic(http.Serve(h, nil))
}
