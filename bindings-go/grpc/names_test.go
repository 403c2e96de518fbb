package trilanegrpc_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	trilane "github.com/trilane/trilane/bindings-go"
	trilanegrpc "github.com/trilane/trilane/bindings-go/grpc"
	"github.com/trilane/trilane/bindings-go/internal/testdns"
)

// names is what this package's tests resolve by.
var names = func() *testdns.Names {
	n, err := testdns.Start()
	if err != nil {
		panic(err)
	}
	return n
}()

// named answers with its name, the authority that was asked for, and the name by which TLS asked for it.
type named struct {
	pb.UnimplementedHealthServer
	name string
	sni  *atomic.Value
}

func (n *named) Check(ctx context.Context, _ *pb.HealthCheckRequest) (*pb.HealthCheckResponse, error) {
	in, _ := metadata.FromIncomingContext(ctx)
	text := fmt.Sprintf("%s %s %v", n.name, strings.Join(in.Get(":authority"), ","), n.sni.Load())
	return &pb.HealthCheckResponse{}, grpc.SetHeader(ctx, metadata.Pairs("seen", text))
}

// certificate is for the name that is dialled and for no other.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	made := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, made, made, public, key)
	if err != nil {
		t.Fatal(err)
	}
	read, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(read)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// secured serves on a listener by TLS.
func secured(t *testing.T, l net.Listener, name string, own tls.Certificate) *grpc.Server {
	t.Helper()
	n := &named{name: name, sni: &atomic.Value{}}
	config := &tls.Config{Certificates: []tls.Certificate{own}}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		n.sni.Store(hello.ServerName)
		return nil, nil
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	pb.RegisterHealthServer(s, n)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return s
}

// two are listeners on one port of two addresses.
func two(t *testing.T) (first, second net.Listener, port string) {
	t.Helper()
	for range 20 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(first.Addr().String())
		if second, err := net.Listen("tcp", "127.0.0.2:"+port); err == nil {
			return first, second, port
		}
		first.Close() // somebody else has the other one
	}
	t.Fatal("no port that is free on 127.0.0.1 and 127.0.0.2")
	return nil, nil, ""
}

func TestAnInstanceMayBeANameAndKeepsAuthorityAndSNI(t *testing.T) {
	first, second, port := two(t)
	own, pool := certificate(t, "back.grpc")
	old := secured(t, first, "first", own)
	secured(t, second, "second", own)
	names.Set("gray.lane.test", "127.0.0.1")
	rule(fmt.Sprintf(rules, base.address, "gray.lane.test:"+port))
	t.Cleanup(func() { rule(fmt.Sprintf(rules, base.address, gray.address)) })
	o := append(trilanegrpc.DialOptions(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})))
	cc, err := grpc.NewClient("back.grpc:50051", o...)
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	c := pb.NewHealthClient(cc)
	until := func(want string) {
		t.Helper()
		got, err := "", error(nil)
		for end := time.Now().Add(120 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if got, err = check(t, c, trilane.With(t.Context(), "gray")); got == want {
				return
			}
		}
		t.Fatalf("the last answer was %q, %v; want %q", got, err, want)
	}
	until("first back.grpc:50051 back.grpc")
	names.Set("gray.lane.test", "127.0.0.2")
	old.Stop() // and with it the connection
	until("second back.grpc:50051 back.grpc")
}
