package trilanedubbo

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"dubbo.apache.org/dubbo-go/v3/cluster/router"
	"dubbo.apache.org/dubbo-go/v3/common"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/protocol/base"
	"dubbo.apache.org/dubbo-go/v3/protocol/result"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
)

type factory struct{}

func newFactory() router.PriorityRouterFactory {
	trilane.Start()
	return factory{}
}

func (factory) NewPriorityRouter(*common.URL) (router.PriorityRouter, error) {
	return &lanes{}, nil
}

// lanes is the router of one directory. It is the first one: dubbo-go's own follow on what it leaves.
type lanes struct {
	now atomic.Pointer[listing]
}

// listing is what one notification brought, and the engine's list of it. It frees that when nobody holds it any more.
type listing struct {
	list     uint64
	invokers []base.Invoker
	at       map[base.Invoker]int
	read     atomic.Pointer[subsets]
}

// subsets are the invokers of each subset, as they are under one stamp.
type subsets struct {
	asked native.Asked
	of    map[uint16][]base.Invoker
}

func (r *lanes) URL() *common.URL { return nil }

// Priority is ahead of the tag router's, which is 0.
func (r *lanes) Priority() int64 { return -1 }

// Notify publishes what the registry or the configuration gave, for references whose calls pass our filter.
func (r *lanes) Notify(invokers []base.Invoker) {
	e := native.Default()
	if e == nil || len(invokers) == 0 || !filtered(invokers[0].GetURL()) {
		r.now.Store(nil)
		return
	}
	l := &listing{invokers: invokers, at: make(map[base.Invoker]int, len(invokers))}
	instances := make([]native.Instance, len(invokers))
	for i, invoker := range invokers {
		l.at[invoker] = i
		url := invoker.GetURL()
		instances[i] = native.Instance{Address: url.Location, Healthy: true}
		url.RangeParams(func(key, value string) bool {
			instances[i].Metadata = append(instances[i].Metadata, [2]string{key, value})
			return true
		})
	}
	list, err := e.ListNew(names(invokers[0].GetURL()), instances)
	if err != nil || list == 0 {
		r.now.Store(nil) // the engine says why
		return
	}
	l.list = list
	runtime.AddCleanup(l, func(list uint64) { e.ListFree(list) }, list)
	r.now.Store(l)
}

func filtered(url *common.URL) bool {
	return slices.Contains(strings.Split(url.GetParam(constant.ReferenceFilterKey, ""), ","), name)
}

// names are those by which rules may know a service: its application, its interface, both also with group and version.
func names(url *common.URL) []string {
	var all []string
	if application := url.GetParam(constant.ApplicationKey, ""); application != "" {
		all = append(all, application)
	}
	all = append(all, url.Service())
	if key := url.ServiceKey(); key != url.Service() {
		all = append(all, key)
	}
	return all
}

// refusal stands for nobody: dubbo-go 3.3 dereferences nil where a direct address leaves an empty list.
type refusal struct {
	base.Invoker
	call *decided
	why  error
}

func (refusal) IsAvailable() bool { return true }

func (r refusal) Invoke(ctx context.Context, _ base.Invocation) result.Result {
	if err := r.call.hold(ctx); err != nil {
		return &result.RPCResult{Err: err}
	}
	return &result.RPCResult{Err: r.why}
}

// Route gives the invokers of the call's lane, or of where the rules let it fall back to; where it must fail, one that
// refuses.
func (r *lanes) Route(invokers []base.Invoker, _ *common.URL, call base.Invocation) []base.Invoker {
	e, l := native.Default(), r.now.Load()
	if l == nil || !flow.Dubbo.On(e) {
		return invokers
	}
	kept, _ := call.GetAttribute(decision)
	d, known := kept.(*decided)
	if !known {
		return invokers
	}
	all, decided := l.choose(e, d, &outgoing{call, service(l.invokers[0])})
	if !decided || len(invokers) == 0 {
		return invokers
	}
	if why := d.aborted(); why != nil {
		call.SetAttachment(constant.RetriesKey, "0") // a further attempt would end in the same way
		all, l = []base.Invoker{refusal{invokers[0], d, why}}, nil
	} else if len(all) == 0 {
		why := &flow.NoInstance{Authority: service(l.invokers[0]), Tag: d.steer.Name()}
		all, l = []base.Invoker{refusal{invokers[0], d, why}}, nil
	}
	chosen := make([]base.Invoker, 0, len(all))
	if l == nil || len(invokers) == len(l.invokers) {
		chosen = append(chosen, all...)
	} else {
		given := make(map[base.Invoker]bool, len(invokers))
		for _, invoker := range invokers {
			given[invoker] = true
		}
		for _, invoker := range all {
			if given[invoker] {
				chosen = append(chosen, invoker)
			}
		}
	}
	// dubbo-go's tag router comes next and goes by this key: it is to keep what is chosen. The filter behind the
	// routers writes what is sent.
	delete(call.Attachments(), constant.Tagkey)
	if len(chosen) > 0 {
		if tag := chosen[0].GetURL().GetParam(constant.Tagkey, ""); tag != "" {
			call.SetAttachment(constant.Tagkey, tag)
		}
	}
	return chosen
}

func service(invoker base.Invoker) string {
	return invoker.GetURL().Service()
}

// choose asks the engine, and once more when it says that the subsets moved.
func (l *listing) choose(e *native.Engine, d *decided, call *outgoing) (all []base.Invoker, decided bool) {
	for range 2 {
		read := l.read.Load()
		if read == nil {
			read = &subsets{e.RouteNames(l.list), map[uint16][]base.Invoker{}}
		}
		r, policy := flow.DecideBy(e, l.list, &read.asked, d.steer, call, d.chance(&read.asked))
		d.policy = policy
		switch {
		case r.Flags&native.RouteStale != 0:
			l.read.Store(nil)
			continue
		case r.Flags&(native.RouteOff|native.RouteObserve) != 0:
			return nil, false
		case r.Case == native.CaseFail:
			return nil, true
		}
		if r.Subset == native.NoSubset && r.Index != native.NoIndex {
			return []base.Invoker{l.invokers[r.Index]}, true // chosen by what only this call has
		}
		if all, there := read.of[r.Subset]; there {
			return all, true
		}
		indices, stamp := e.Subset(l.list, r.Subset)
		if stamp != read.asked.Stamp {
			l.read.Store(nil)
			continue
		}
		for _, i := range indices {
			all = append(all, l.invokers[i])
		}
		next := &subsets{read.asked, map[uint16][]base.Invoker{r.Subset: all}}
		for subset, of := range read.of {
			next.of[subset] = of
		}
		l.read.Store(next) // a lost race costs one more look
		return all, true
	}
	return nil, false
}
