package trilanegrpc_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	trilanegrpc "github.com/trilane/trilane/bindings-go/grpc"
)

const istio = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: back}
spec:
  hosts: [back.grpc]
  ports: [{number: 50051, name: grpc}]
  endpoints:
    - {address: 127.0.0.1, ports: {grpc: %[1]s}, labels: {version: v1}}
    - {address: 127.0.0.1, ports: {grpc: %[2]s}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: back}
spec:
  host: back.grpc
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: back}
spec:
  hosts: [back.grpc]
  http:
    - match: [{headers: {x-user: {exact: bad}}}]
      fault: {abort: {grpcStatus: DATA_LOSS, percentage: {value: 100}}}
      route: [{destination: {host: back.grpc, subset: v1}}]
    - match: [{headers: {x-user: {exact: late}}}]
      timeout: 5s
      route: [{destination: {host: back.grpc, subset: v1}}]
    - match: [{headers: {x-user: {exact: ann}}, uri: {exact: /grpc.health.v1.Health/Check}}]
      route: [{destination: {host: back.grpc, subset: v2}}]
    - route: [{destination: {host: back.grpc, subset: v1}}]
`

func TestIstiosRulesDecideByTheValuesOfACall(t *testing.T) {
	port := func(s *server) string { _, port, _ := net.SplitHostPort(s.address); return port }
	rule(fmt.Sprintf(istio, port(base), port(gray)))
	defer rule(fmt.Sprintf(rules, base.address, gray.address))
	c, cc := dial("passthrough:///back.grpc:50051")
	defer cc.Close()
	as := func(user string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "x-user", user)
	}
	for range 20 {
		for user, want := range map[string]string{"ann": "gray()", "bob": "base()"} {
			if got, err := check(t, c, as(user)); err != nil || got != want {
				t.Fatalf("user %s reached %q, %v; want %s", user, got, err, want)
			}
		}
	}
	if _, err := check(t, c, as("bad")); status.Code(err) != codes.DataLoss {
		t.Errorf("an abort: %v", err)
	}
	var limited bool
	err := trilanegrpc.UnaryClient(as("late"), "/grpc.health.v1.Health/Check", nil, nil, cc,
		func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			_, limited = ctx.Deadline()
			return nil
		})
	if err != nil || !limited {
		t.Errorf("a timeout gave the call no deadline: %v", err)
	}
}
