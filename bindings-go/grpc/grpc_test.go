package trilanegrpc_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	trilane "github.com/trilane/trilane/bindings-go"
	trilanegrpc "github.com/trilane/trilane/bindings-go/grpc"
	"github.com/trilane/trilane/bindings-go/internal/native"
)

// copyOf is one instance: it answers, in the response's metadata, with its name and what reached it. With next it
// calls on and answers with that call's answer as well.
type copyOf struct {
	pb.UnimplementedHealthServer
	name string
	next pb.HealthClient
}

func (c *copyOf) seen(ctx context.Context) (metadata.MD, error) {
	in, _ := metadata.FromIncomingContext(ctx)
	text := fmt.Sprintf("%s(%s)", c.name, strings.Join(in.Get("x-mse-tag"), ","))
	if trilane.Current(ctx).Tag != strings.Join(in.Get("x-mse-tag"), ",") {
		text += "!scope=" + trilane.Current(ctx).Tag
	}
	if c.next != nil {
		var md metadata.MD
		if _, err := c.next.Check(ctx, &pb.HealthCheckRequest{}, grpc.Header(&md)); err != nil {
			return nil, err
		}
		text += ">" + strings.Join(md.Get("seen"), ",")
	}
	return metadata.Pairs("seen", text, "baggage-seen", strings.Join(in.Get("baggage"), ",")), nil
}

func (c *copyOf) Check(ctx context.Context, _ *pb.HealthCheckRequest) (*pb.HealthCheckResponse, error) {
	md, err := c.seen(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.HealthCheckResponse{}, grpc.SetHeader(ctx, md)
}

func (c *copyOf) Watch(_ *pb.HealthCheckRequest, s pb.Health_WatchServer) error {
	md, err := c.seen(s.Context())
	if err != nil {
		return err
	}
	if err := s.SetHeader(md); err != nil {
		return err
	}
	return s.Send(&pb.HealthCheckResponse{})
}

type server struct {
	address string
	grpc    *grpc.Server
}

func serve(c pb.HealthServer, address string) *server {
	l, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer(trilanegrpc.ServerOptions()...)
	pb.RegisterHealthServer(s, c)
	go s.Serve(l)
	return &server{l.Addr().String(), s}
}

func dial(target string) (pb.HealthClient, *grpc.ClientConn) {
	o := append(trilanegrpc.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	cc, err := grpc.NewClient(target, o...)
	if err != nil {
		panic(err)
	}
	return pb.NewHealthClient(cc), cc
}

const rules = `apiVersion: trilane/v1
lanes:
  - {tag: gray}
  - {tag: blue}
  - {tag: strict, fallback: none}
services:
  - name: back
    authorities: ["back.grpc:50051"]
    instances:
      - {address: "%s"}
      - {address: "%s", tag: gray}
`

var (
	base, gray *server
	rulesFile  string
)

func TestMain(m *testing.M) {
	if !native.Decides {
		fmt.Println("skipped: built without cgo, nothing is decided")
		return
	}
	dir, err := os.MkdirTemp("", "trilane-grpc-")
	if err != nil {
		panic(err)
	}
	rulesFile = filepath.Join(dir, "lanes.yaml")
	os.Setenv("TRILANE_RULES", rulesFile)
	if err := os.WriteFile(rulesFile, []byte("apiVersion: trilane/v1\nmode: on\n"), 0o600); err != nil {
		panic(err)
	}
	trilane.Start()
	base, gray = serve(&copyOf{name: "base"}, "127.0.0.1:0"), serve(&copyOf{name: "gray"}, "127.0.0.1:0")
	rule(fmt.Sprintf(rules, base.address, gray.address))
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// rule puts a rule file in force and waits until the engine has it.
func rule(text string) {
	old := native.Default().Authority("back.grpc:50051")
	if err := os.WriteFile(rulesFile+".new", []byte(text), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(rulesFile+".new", rulesFile); err != nil {
		panic(err)
	}
	for end := time.Now().Add(2 * time.Minute); native.Default().Authority("back.grpc:50051") == old; {
		if time.Now().After(end) {
			panic("the rule file was not taken up")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func check(t *testing.T, c pb.HealthClient, ctx context.Context) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var md metadata.MD
	_, err := c.Check(ctx, &pb.HealthCheckRequest{}, grpc.Header(&md), grpc.WaitForReady(true))
	return strings.Join(md.Get("seen"), ",") + strings.Join(md.Get("baggage-seen"), ","), err
}

func want(t *testing.T, c pb.HealthClient, ctx context.Context, answer string) {
	t.Helper()
	if got, err := check(t, c, ctx); err != nil || got != answer {
		t.Errorf("got %q, %v; want %q", got, err, answer)
	}
}

func TestATargetIsRoutedPerCall(t *testing.T) {
	for _, target := range []string{"back.grpc:50051", "dns:///back.grpc:50051", "passthrough:///back.grpc:50051"} {
		c, cc := dial(target)
		want(t, c, t.Context(), "base()")
		want(t, c, trilane.With(t.Context(), "gray"), "gray(gray)")
		want(t, c, trilane.With(t.Context(), "blue"), "base(blue)")
		want(t, c, trilane.With(t.Context(), "unheard-of"), "base(unheard-of)")
		want(t, c, t.Context(), "base()")
		_, err := check(t, c, trilane.With(t.Context(), "strict"))
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), `no usable instance in lane "strict"`) {
			t.Errorf("a lane without fallback gave %v", err)
		}
		cc.Close()
	}
}

func TestTheApplicationsOwnMetadataStaysAndSteers(t *testing.T) {
	c, cc := dial("back.grpc:50051")
	defer cc.Close()
	ctx := trilane.With(t.Context(), "blue")
	want(t, c, metadata.AppendToOutgoingContext(ctx, "x-mse-tag", "gray"), "gray(gray)")
	got, err := check(t, c, metadata.AppendToOutgoingContext(ctx, "baggage", "user=7"))
	if err != nil || !strings.HasPrefix(got, "base(blue)user=7,__microservice_tag__=") {
		t.Errorf("baggage: got %q, %v", got, err)
	}
}

func TestAStreamIsRouted(t *testing.T) {
	c, cc := dial("back.grpc:50051")
	defer cc.Close()
	s, err := c.Watch(trilane.With(t.Context(), "gray"), &pb.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	md, err := s.Header()
	if err != nil || strings.Join(md.Get("seen"), ",") != "gray(gray)" {
		t.Errorf("got %v, %v", md, err)
	}
}

func TestTheTagGoesThroughAService(t *testing.T) {
	next, cc := dial("back.grpc:50051")
	defer cc.Close()
	front := serve(&copyOf{name: "front", next: next}, "127.0.0.1:0")
	defer front.grpc.Stop()
	plain, err := grpc.NewClient(front.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	c := pb.NewHealthClient(plain)
	tagged := metadata.AppendToOutgoingContext(t.Context(), "x-mse-tag", "gray")
	for range 100 {
		want(t, c, tagged, "front(gray)>gray(gray)")
		want(t, c, t.Context(), "front()>base()")
	}
}

func TestOtherTargetsAreLeftAlone(t *testing.T) {
	other := serve(&copyOf{name: "other"}, "127.0.0.1:0")
	defer other.grpc.Stop()
	c, cc := dial(other.address)
	defer cc.Close()
	want(t, c, trilane.With(t.Context(), "gray"), "other()")
}

func TestAnInstanceThatDiesIsLeftAndTakenBack(t *testing.T) {
	c, cc := dial("back.grpc:50051")
	defer cc.Close()
	tagged := trilane.With(t.Context(), "gray")
	want(t, c, tagged, "gray(gray)")
	until := func(answer string) {
		t.Helper()
		got, err := "", error(nil)
		for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
			if got, err = check(t, c, tagged); got == answer {
				return
			}
		}
		t.Fatalf("the last answer was %q, %v; want %q", got, err, answer)
	}
	gray.grpc.Stop()
	until("base(gray)")
	for range 50 {
		want(t, c, tagged, "base(gray)")
	}
	gray = serve(&copyOf{name: "gray"}, gray.address)
	until("gray(gray)")
	want(t, c, t.Context(), "base()")
}

func TestNewRulesAreFollowed(t *testing.T) {
	c, cc := dial("back.grpc:50051")
	defer cc.Close()
	tagged := trilane.With(t.Context(), "gray")
	want(t, c, tagged, "gray(gray)")
	third := serve(&copyOf{name: "third"}, "127.0.0.1:0")
	defer third.grpc.Stop()
	rule(fmt.Sprintf(rules, base.address, third.address))
	want(t, c, tagged, "third(gray)")
	want(t, c, t.Context(), "base()")
	rule(fmt.Sprintf(rules, base.address, gray.address))
	want(t, c, tagged, "gray(gray)")
}
