package trilanegrpc

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// chanceKey is the context's key of the number by which a call was decided, where the rules wanted something done with
// it: its instance is to be that decision's.
type chanceKey struct{}

// outgoing is a call as rules ask for its values.
type outgoing struct {
	ctx       context.Context
	method    string
	authority string
}

// Value is that of a name of native.Engine.RouteNames.
func (o *outgoing) Value(name string) (string, bool) {
	switch name {
	case ":path":
		return o.method, true
	case ":method":
		return "POST", true
	case ":authority", "host":
		return o.authority, true
	case ":service", ":rpc-method":
		service, method, _ := strings.Cut(strings.TrimPrefix(o.method, "/"), "/")
		if name == ":service" {
			return service, true
		}
		return method, true
	}
	md, _ := metadata.FromOutgoingContext(o.ctx)
	values := md.Get(name)
	return strings.Join(values, ","), len(values) > 0
}

// before does what the rules want done before a call is sent: it waits, and answers in place of sending it.
func before(ctx context.Context, cc *grpc.ClientConn, method string) (context.Context, native.Policy, error) {
	e := native.Default()
	if !flow.GRPC.On(e) {
		return ctx, native.Policy{}, nil
	}
	authority := authorityOf(cc)
	policy, chance, any := flow.PolicyOf(e, authority, scope.Of(ctx), &outgoing{ctx, method, authority})
	if !any {
		return ctx, policy, nil
	}
	if err := flow.Wait(ctx, policy); err != nil {
		return ctx, policy, status.FromContextError(err).Err()
	}
	if code := codes.Code(flow.Aborts(policy)); code != codes.OK {
		return ctx, policy, status.Error(code, flow.Aborted)
	}
	return context.WithValue(ctx, chanceKey{}, chance), policy, nil
}
