// Package edge holds what needs a process of its own: a gRPC server that is an edge and passes a header through.
package edge

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	trilane "github.com/trilane/trilane/bindings-go"
	trilanegrpc "github.com/trilane/trilane/bindings-go/grpc"
	"github.com/trilane/trilane/bindings-go/internal/native"
)

const member = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"

// trusted is the address of this machine that the edge trusts; it is called from others as well.
const trusted = "127.0.0.2"

func TestMain(m *testing.M) {
	if !native.Decides {
		fmt.Println("skipped: built without cgo, nothing is decided")
		return
	}
	os.Setenv("TRILANE_EDGE", "true")
	os.Setenv("TRILANE_EDGE_TRUST", trusted)
	os.Setenv("ALICLOUD_SERVICE_HEADER", "x-a")
	os.Setenv("TRILANE_MODE", "on")
	os.Exit(m.Run())
}

// told answers with what reached it and, with next, with what reached that one.
type told struct {
	pb.UnimplementedHealthServer
	next pb.HealthClient
}

func (s *told) seen(ctx context.Context) (metadata.MD, error) {
	in, _ := metadata.FromIncomingContext(ctx)
	var all []string
	for _, name := range []string{"baggage", "dubbo.tag", "x-a", "x-mse-tag"} {
		if values := in.Get(name); len(values) > 0 {
			all = append(all, name+"="+strings.Join(values, "+"))
		}
	}
	text := "{" + strings.Join(all, " ") + "}"
	if s.next != nil {
		text += trilane.Current(ctx).Tag
		if own := in.Get("own"); len(own) > 0 {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-a", own[0])
		}
		var md metadata.MD
		if _, err := s.next.Check(ctx, &pb.HealthCheckRequest{}, grpc.Header(&md)); err != nil {
			return nil, err
		}
		text += ">" + strings.Join(md.Get("seen"), ",")
	}
	return metadata.Pairs("seen", text), nil
}

func (s *told) Check(ctx context.Context, _ *pb.HealthCheckRequest) (*pb.HealthCheckResponse, error) {
	md, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.HealthCheckResponse{}, grpc.SetHeader(ctx, md)
}

func (s *told) Watch(_ *pb.HealthCheckRequest, stream pb.Health_WatchServer) error {
	md, err := s.seen(stream.Context())
	if err != nil {
		return err
	}
	return stream.SendHeader(md)
}

func serve(t *testing.T, s *told, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	pb.RegisterHealthServer(server, s)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

func dial(t *testing.T, to string, options ...grpc.DialOption) pb.HealthClient {
	t.Helper()
	cc, err := grpc.NewClient(to, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return pb.NewHealthClient(cc)
}

func TestAtAnEdgeNeitherTheEngineNorTheApplicationSeesACarrier(t *testing.T) {
	back := serve(t, &told{})
	front := serve(t, &told{next: dial(t, back, trilanegrpc.DialOptions()...)}, trilanegrpc.ServerOptions()...)
	from := func(address string) pb.HealthClient {
		d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		return dial(t, front, grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", to)
		}))
	}
	stranger, friend := from("127.0.0.3"), from(trusted)
	for _, c := range []struct {
		caller pb.HealthClient
		pairs  []string
		want   string
	}{
		{stranger, []string{"x-mse-tag", "gray", "dubbo.tag", "gray"}, "{}>{}"},
		{stranger, []string{"baggage", "user=7," + member}, "{baggage=user=7}>{}"},
		{stranger, []string{"baggage", member, "x-a", "1"}, "{x-a=1}>{x-a=1}"},
		{friend, []string{"x-mse-tag", "gray"}, "{x-mse-tag=gray}gray>{x-mse-tag=gray}"},
		{friend, []string{"x-mse-tag", "gray", "x-a", "1", "own", "mine"}, "{x-a=1 x-mse-tag=gray}gray>{x-a=mine x-mse-tag=gray}"},
		{friend, nil, "{}>{}"},
	} {
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), c.pairs...), time.Minute)
		defer cancel()
		var md metadata.MD
		_, err := c.caller.Check(ctx, &pb.HealthCheckRequest{}, grpc.Header(&md), grpc.WaitForReady(true))
		if got := strings.Join(md.Get("seen"), ","); err != nil || got != c.want {
			t.Errorf("unary %v: got %q, %v; want %q", c.pairs, got, err, c.want)
		}
		s, err := c.caller.Watch(ctx, &pb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		md, err = s.Header()
		if got := strings.Join(md.Get("seen"), ","); err != nil || got != c.want {
			t.Errorf("stream %v: got %q, %v; want %q", c.pairs, got, err, c.want)
		}
	}
	if got := native.Default().Counted("edge_stripped"); got != 6 {
		t.Errorf("%d calls were counted as stripped, want 6", got)
	}
}
