package flow

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// Carrier is the header that every library of ours reads first, and the one by which an application steers a call.
const Carrier = "x-mse-tag"

// Steer is the scope that decides a call: the tag that the application itself wrote on it, otherwise the request's.
func Steer(e *native.Engine, written string, s *scope.Scope) *scope.Scope {
	if own := Named(e, written); own != nil {
		return own
	}
	return s
}

// Traced is the scope of a call: its request's, and where that has no tag the one that came with the call's trace id.
func Traced(e *native.Engine, s *scope.Scope, header func(name string) string) *scope.Scope {
	names := traceHeaders.Load()
	if names == nil || s.Name() != "" {
		return s
	}
	for _, name := range *names {
		if value := header(name); value != "" {
			if id := e.TraceFind(value); id != 0 {
				return &scope.Scope{Tag: e.TagName(id), ID: id, Pass: s.Passes()}
			}
		}
	}
	return s
}

// Known tells whether the scope may be written on a call to this authority.
func Known(e *native.Engine, authority string) bool {
	return e.Known(authority)
}

// NoInstance is the error of a call that must stay in its lane and has nobody there.
type NoInstance struct {
	Authority, Tag string
}

func (n *NoInstance) Error() string {
	tag := n.Tag
	if tag == "" {
		return fmt.Sprintf("trilane: %s has no untagged instance and baseline_missing is reject: "+
			"start one, or set `baseline_missing: all` in the rule file", n.Authority)
	}
	return fmt.Sprintf("trilane: %s has no usable instance in lane %q and its fallback is none: "+
		"start one, or write a fallback in the rule file", n.Authority, tag)
}

// routed is what is kept of an authority's list: the stamp that the last answer was given under, and the text of
// the addresses. The decision itself is never kept.
type routed struct {
	list  uint64
	asked native.Asked
	lock  sync.RWMutex
	addr  map[uint32]string
}

var routes sync.Map // authority -> *routed, only authorities that the rules name

// listOf is the list of an authority, 0 crossings once it is known: a list that is gone answers stale.
func listOf(e *native.Engine, authority string) *routed {
	if v, ok := routes.Load(authority); ok {
		return v.(*routed)
	}
	return askList(e, authority)
}

func askList(e *native.Engine, authority string) *routed {
	list := e.Authority(authority)
	if list == 0 {
		routes.Delete(authority)
		return nil
	}
	r := &routed{list: list, asked: e.RouteNames(list), addr: map[uint32]string{}}
	routes.Store(authority, r)
	return r
}

// Choice is where a call to a dialled authority goes.
type Choice struct {
	// Address is where to dial, "" to leave the call as it is.
	Address string
	// Named tells whether the rules name the authority and are in force, so that it may be given carriers.
	Named bool
	// Policy is what the rules want done with the call besides.
	Policy native.Policy
	list   uint64
	index  uint32
}

// Call gives what rules ask of an outgoing call, by the names of native.Engine.RouteNames.
type Call interface {
	Value(name string) (value string, present bool)
}

// Decide asks the engine about a list, with the values of the call where rules read any: what is still to be written
// on it counts as there. It allocates nothing but what the call's own answers do.
func Decide(e *native.Engine, list uint64, asked *native.Asked, s *scope.Scope, call Call) (native.Routed, native.Policy) {
	return DecideBy(e, list, asked, s, call, rand.Uint64())
}

// DecideBy is Decide with a number for what is left to chance: the same number, the same decision.
func DecideBy(e *native.Engine, list uint64, asked *native.Asked, s *scope.Scope, call Call, chance uint64) (native.Routed,
	native.Policy) {
	if !asked.ByCall {
		return e.Route(list, s.Number(), 0, chance, asked.Stamp), native.Policy{}
	}
	values := native.NewValues()
	defer values.Free()
	for _, name := range asked.Names {
		value, present := call.Value(name)
		if !present {
			value, present = carried(s, name)
		}
		values.Add(value, present)
	}
	return e.RouteWith(list, s.Number(), chance, asked.Stamp, values, asked.Policy)
}

func carried(s *scope.Scope, name string) (string, bool) {
	if name == Carrier && s.Name() != "" {
		return s.Name(), true
	}
	for _, p := range s.Passes() {
		if p.Lower == name {
			return p.Value, true
		}
	}
	return "", false
}

// Route decides a dialled authority.
func Route(e *native.Engine, authority string, s *scope.Scope, call Call) (Choice, error) {
	l := listOf(e, authority)
	if l == nil {
		return Choice{}, nil
	}
	r, policy := Decide(e, l.list, &l.asked, s, call)
	if r.Flags&native.RouteStale != 0 {
		if l = askList(e, authority); l == nil {
			return Choice{}, nil
		}
		r, policy = Decide(e, l.list, &l.asked, s, call)
	}
	switch {
	case r.Flags&(native.RouteStale|native.RouteOff|native.RouteObserve) != 0:
		return Choice{}, nil
	case policy.AbortHTTP != 0 || policy.AbortGRPC != 0:
		return Choice{Named: true, Policy: policy}, nil
	case r.Case == native.CaseFail:
		return Choice{Named: true}, &NoInstance{Authority: authority, Tag: s.Name()}
	case r.Index == native.NoIndex:
		return Choice{Named: true}, nil
	}
	return Choice{l.address(e, r.Index), true, policy, l.list, r.Index}, nil
}

func (l *routed) address(e *native.Engine, index uint32) string {
	l.lock.RLock()
	a, ok := l.addr[index]
	l.lock.RUnlock()
	if ok {
		return a
	}
	a = e.Address(l.list, index)
	l.lock.Lock()
	l.addr[index] = a
	l.lock.Unlock()
	return a
}

var writeNames sync.Map // kind -> []string, lower case; a setting, fixed at start

// Writes lists the carriers to write on a call of this kind.
func Writes(e *native.Engine, kind native.Kind) []string {
	if v, ok := writeNames.Load(kind); ok {
		return v.([]string)
	}
	n := e.CarriersWrite(kind)
	writeNames.Store(kind, n)
	return n
}

// Baggage extends baggage that a call already has. With several headers the members are put together first.
func Baggage(e *native.Engine, values []string, tag string) string {
	if len(values) == 1 {
		return e.BaggageSet(values[0], tag)
	}
	return e.BaggageSet(strings.Join(values, ","), tag)
}
