package trilanegrpc

import (
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
)

// Resolvers takes over the targets that the rules name, for the schemes by which a host and port is dialled. Every
// other target is resolved as before.
func Resolvers() grpc.DialOption {
	return grpc.WithResolvers(builder{"dns"}, builder{"passthrough"})
}

type builder struct {
	scheme string
}

func (b builder) Scheme() string { return b.scheme }

func (b builder) Build(target resolver.Target, cc resolver.ClientConn,
	o resolver.BuildOptions) (resolver.Resolver, error) {
	r := &router{scheme: b.scheme, target: target, cc: cc, options: o}
	return r, r.update()
}

// router resolves one channel's target: from the rules while they name it, otherwise by gRPC's own resolver.
type router struct {
	scheme  string
	target  resolver.Target
	cc      resolver.ClientConn
	options resolver.BuildOptions

	lock   sync.Mutex
	own    resolver.Resolver // gRPC's, while the rules do not name the target
	list   uint64
	closed bool
}

const serviceConfig = `{"loadBalancingConfig":[{"` + policy + `":{}}]}`

type listKey struct{}

// decided tells whether the rules route this target now: named, and in mode on.
func decided(e *native.Engine, authority string) uint64 {
	if !flow.GRPC.On(e) {
		return 0
	}
	list := e.Authority(authority)
	if list == 0 || e.Route(list, 0, 0, 0, e.Stamp(list)).Flags&(native.RouteOff|native.RouteObserve) != 0 {
		return 0
	}
	return list
}

func (r *router) update() error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.closed {
		return nil
	}
	e := native.Default()
	list := decided(e, r.target.Endpoint())
	if list == 0 {
		r.list = 0
		if r.own != nil {
			return nil
		}
		own, err := resolver.Get(r.scheme).Build(r.target, r.cc, r.options)
		if err != nil {
			return err
		}
		r.own = own
		return nil
	}
	if list == r.list {
		return nil
	}
	if r.own != nil {
		r.own.Close()
		r.own = nil
	}
	r.list = list
	var addresses []resolver.Address
	for i := uint32(0); ; i++ {
		a := e.Address(list, i)
		if a == "" {
			break
		}
		// Certificates are checked against the name that was dialled, which gRPC takes from the target.
		addresses = append(addresses, resolver.Address{Addr: a})
	}
	return r.cc.UpdateState(resolver.State{
		Addresses:     addresses,
		ServiceConfig: r.cc.ParseServiceConfig(serviceConfig),
		Attributes:    attributes.New(listKey{}, list),
	})
}

func (r *router) ResolveNow(o resolver.ResolveNowOptions) {
	r.lock.Lock()
	own := r.own
	r.lock.Unlock()
	// The balancer asks from inside its own serializer: answer from outside.
	go func() {
		if err := r.update(); err != nil {
			r.cc.ReportError(err)
		}
		if own != nil {
			own.ResolveNow(o)
		}
	}()
}

func (r *router) Close() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.closed = true
	if r.own != nil {
		r.own.Close()
	}
}
