package trilanegrpc

import (
	"errors"
	"math/rand/v2"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// policy is the name under which gRPC knows the balancer.
const policy = "trilane_lanes"

func init() {
	balancer.Register(balancers{})
}

type balancers struct{}

func (balancers) Name() string { return policy }

func (balancers) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	return &lanes{cc: cc, authority: o.Target.Endpoint(), known: map[string]*conn{}}
}

// conn is the connection to one instance.
type conn struct {
	sub   balancer.SubConn
	state connectivity.State
	err   error
}

// lanes keeps a connection to every instance of the target and asks the engine for each call. gRPC calls its methods
// one at a time.
type lanes struct {
	cc        balancer.ClientConn
	authority string
	list      uint64
	known     map[string]*conn
	byIndex   []*conn
}

func (b *lanes) UpdateClientConnState(s balancer.ClientConnState) error {
	list, ok := s.ResolverState.Attributes.Value(listKey{}).(uint64)
	if !ok {
		return errors.New("trilane: the target's instances did not come from the rules")
	}
	fresh := make(map[string]*conn, len(s.ResolverState.Addresses))
	b.list, b.byIndex = list, nil
	for _, a := range s.ResolverState.Addresses {
		c := b.known[a.Addr]
		if c == nil {
			c = fresh[a.Addr]
		}
		if c == nil {
			c = &conn{state: connectivity.Idle}
			sub, err := b.cc.NewSubConn([]resolver.Address{a}, balancer.NewSubConnOptions{
				StateListener: func(s balancer.SubConnState) { b.moved(c, s) },
			})
			if err != nil {
				return err
			}
			c.sub = sub
			sub.Connect()
		}
		fresh[a.Addr] = c
		b.byIndex = append(b.byIndex, c)
	}
	for addr, c := range b.known {
		if fresh[addr] == nil {
			c.sub.Shutdown()
		}
	}
	b.known = fresh
	for i, c := range b.byIndex {
		b.tell(i, c)
	}
	b.publish()
	return nil
}

// moved takes in a connection's new state. An instance that cannot be reached is unhealthy until it can be reached
// again: that is where `noavailabled` comes from.
func (b *lanes) moved(c *conn, s balancer.SubConnState) {
	if s.ConnectivityState == connectivity.Shutdown {
		return
	}
	// A retry of a failed connection is still a failure until it is ready.
	if !(c.state == connectivity.TransientFailure && s.ConnectivityState != connectivity.Ready) {
		c.state = s.ConnectivityState
	}
	if s.ConnectionError != nil {
		c.err = s.ConnectionError
	}
	if s.ConnectivityState == connectivity.Idle {
		c.sub.Connect()
	}
	for i, other := range b.byIndex {
		if other == c {
			b.tell(i, c)
		}
	}
	b.publish()
}

func (b *lanes) tell(index int, c *conn) {
	switch c.state {
	case connectivity.Ready:
		native.Default().Health(b.list, uint32(index), true)
	case connectivity.TransientFailure:
		native.Default().Health(b.list, uint32(index), false)
	}
}

// publish hands gRPC a picker for the state of now.
func (b *lanes) publish() {
	p := &picker{cc: b.cc, list: b.list, authority: b.authority, asked: native.Default().RouteNames(b.list)}
	all := connectivity.TransientFailure
	for _, c := range b.byIndex {
		p.conns = append(p.conns, *c)
		switch c.state {
		case connectivity.Ready:
			all = connectivity.Ready
		case connectivity.Connecting, connectivity.Idle:
			if all != connectivity.Ready {
				all = connectivity.Connecting
			}
		}
	}
	b.cc.UpdateState(balancer.State{ConnectivityState: all, Picker: p})
}

func (b *lanes) ResolverError(error) {}

func (b *lanes) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

func (b *lanes) ExitIdle() {
	for _, c := range b.byIndex {
		c.sub.Connect()
	}
}

func (b *lanes) Close() {
	for _, c := range b.known {
		c.sub.Shutdown()
	}
}

// picker decides one call after the other against one state of the connections.
type picker struct {
	cc        balancer.ClientConn
	authority string
	list      uint64
	asked     native.Asked
	conns     []conn
}

func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	e, s := native.Default(), scope.Of(info.Ctx)
	asked, chance := p.asked, rand.Uint64()
	var call flow.Call
	if asked.ByCall {
		call = &outgoing{info.Ctx, info.FullMethodName, p.authority}
		if decided, there := info.Ctx.Value(chanceKey{}).(uint64); there {
			chance = decided
		}
	}
	r, _ := flow.DecideBy(e, p.list, &asked, s, call, chance)
	// A stamp is stale when the health of an instance moved after this picker was made.
	for try := 0; r.Flags&native.RouteStale != 0 && asked.Stamp != 0 && try < 100; try++ {
		asked.Stamp = e.Stamp(p.list)
		r, _ = flow.DecideBy(e, p.list, &asked, s, call, chance)
	}
	switch {
	case !flow.GRPC.On(e) || asked.Stamp == 0 || r.Flags&(native.RouteStale|native.RouteOff|native.RouteObserve) != 0:
		// Other rules are in force: the resolver looks again, the call waits for what it says.
		p.cc.ResolveNow(resolver.ResolveNowOptions{})
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	case r.Case == native.CaseFail || r.Index == native.NoIndex:
		none := &flow.NoInstance{Authority: p.authority, Tag: s.Name()}
		return balancer.PickResult{}, status.Error(codes.Unavailable, none.Error())
	}
	return p.one(e, r)
}

// one takes the picked instance, or another ready one of the same subset while that one is being connected.
func (p *picker) one(e *native.Engine, r native.Routed) (balancer.PickResult, error) {
	if c := p.at(r.Index); c != nil && c.state == connectivity.Ready {
		return balancer.PickResult{SubConn: c.sub}, nil
	}
	indices, _ := e.Subset(p.list, r.Subset)
	waiting, err := false, error(nil)
	begin := 0
	if len(indices) > 0 {
		begin = rand.IntN(len(indices))
	}
	for i := range indices {
		c := p.at(indices[(begin+i)%len(indices)])
		switch {
		case c == nil:
		case c.state == connectivity.Ready:
			return balancer.PickResult{SubConn: c.sub}, nil
		case c.state == connectivity.TransientFailure:
			err = c.err
		default:
			waiting = true
		}
	}
	if waiting || err == nil {
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	}
	return balancer.PickResult{}, err
}

func (p *picker) at(index uint32) *conn {
	if int(index) >= len(p.conns) {
		return nil
	}
	return &p.conns[index]
}
