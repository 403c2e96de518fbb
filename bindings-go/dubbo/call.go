// Package trilanedubbo keeps the lane through dubbo-go: the tag comes in with a call's attachments, goes out with
// them, and steers which provider is called.
//
//	cli, err := client.NewClient(trilanedubbo.Client(), …)
//	err = pb.RegisterGreetHandler(srv, &Greet{}, trilanedubbo.Service()...)
package trilanedubbo

import (
	"context"
	"strings"

	"dubbo.apache.org/dubbo-go/v3/client"
	"dubbo.apache.org/dubbo-go/v3/cluster/cluster"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/common/extension"
	"dubbo.apache.org/dubbo-go/v3/filter"
	"dubbo.apache.org/dubbo-go/v3/protocol/base"
	"dubbo.apache.org/dubbo-go/v3/protocol/result"
	"dubbo.apache.org/dubbo-go/v3/server"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// name is under which dubbo-go knows our filter, interceptor and router.
const name = "trilane"

const (
	header  = "x-mse-tag"
	member  = "__microservice_tag__"
	baggage = "baggage"
	// decision is the attribute, never sent, under which a call keeps its scope.
	decision = "trilane.scope"
)

var carriers = []string{header, member, constant.Tagkey}

// came is the context's key of the carriers that a request came with.
type came struct{}

func init() {
	extension.SetFilter(name, func() filter.Filter { return around{} })
	cluster.SetClusterInterceptor(name, func() cluster.Interceptor { return before{} })
	extension.SetRouterFactory(name, newFactory)
}

// Client is for client.NewClient: calls carry their tag. Routing needs no option.
func Client() client.ClientOption {
	trilane.Start()
	return client.WithClientFilter(constant.DefaultReferenceFilters + "," + name)
}

// Service is for the registration of every service: the tag of a call is found, and a tagged copy is registered as
// one. A service with filters of its own adds "trilane" to them and takes Registered alone.
func Service() []server.ServiceOption {
	return append(Registered(), server.WithFilter(constant.DefaultServiceFilters+","+name))
}

// Registered tells the registry which lane this copy is in; nothing for a baseline copy.
func Registered() []server.ServiceOption {
	trilane.Start()
	e := native.Default()
	if !flow.Dubbo.On(e) || e.Mode() != native.On || e.OwnTag() == "" {
		return nil
	}
	return []server.ServiceOption{
		server.WithParam("alicloud.service.tag", e.OwnTag()), server.WithParam(constant.Tagkey, e.OwnTag()),
	}
}

// before runs ahead of the routers, and is the last to see the call's context there.
type before struct{}

func (before) Invoke(ctx context.Context, invoker base.Invoker, call base.Invocation) result.Result {
	e := native.Default()
	if !flow.Dubbo.On(e) {
		return invoker.Invoke(ctx, call)
	}
	inherited, _ := ctx.Value(came{}).(map[string]string)
	own := flow.Traced(e, scope.Of(ctx), func(name string) string {
		value, _ := text(call.Attachments()[name])
		return value
	})
	steer := own
	for _, key := range carriers {
		written, there := text(call.Attachments()[key])
		if !there {
			continue
		}
		// dubbo-go hands a request's attachments on to its calls: those are not the application's word.
		if value, came := inherited[key]; came && value == written {
			continue
		}
		if key == member {
			written = strings.TrimSuffix(strings.TrimPrefix(written, `[{"name":"`), `"}]`)
		}
		steer = flow.Steer(e, written, steer)
	}
	if steer == nil && flow.Suspect(ctx) {
		flow.TellLost(e)
	}
	call.SetAttribute(decision, &decided{steer: steer, pass: own.Passes(), inherited: inherited})
	return invoker.Invoke(ctx, call)
}

// around is the filter of both sides: behind the routers of a consumer, ahead of a provider's service.
type around struct{}

func (around) Invoke(ctx context.Context, next base.Invoker, call base.Invocation) result.Result {
	if kept, out := call.GetAttribute(decision); out {
		d := kept.(*decided)
		d.write(native.Default(), call)
		if err := d.hold(ctx); err != nil {
			return &result.RPCResult{Err: err}
		}
		ctx, end := d.limit(ctx, next.GetURL(), call)
		defer end()
		return next.Invoke(ctx, call)
	}
	if filtered(next.GetURL()) {
		return next.Invoke(ctx, call) // a consumer's, from before the library was switched on
	}
	s := enter(ctx, call)
	brought := make(map[string]string, len(carriers))
	for _, key := range carriers {
		if value, there := text(call.Attachments()[key]); there {
			brought[key] = value
		}
	}
	ctx = scope.Enter(context.WithValue(ctx, came{}, brought), s)
	defer scope.Leave(s)
	return next.Invoke(ctx, call)
}

func (around) OnResponse(_ context.Context, r result.Result, _ base.Invoker, _ base.Invocation) result.Result {
	return r
}

// decided is what is known of a call before it is routed.
type decided struct {
	steer     *scope.Scope
	pass      []scope.Passed
	inherited map[string]string
	wishes
}

// write puts the carriers on a call, and what is passed through. The router may have left the key of its choice, and
// dubbo-go what the request came with.
func (d *decided) write(e *native.Engine, call base.Invocation) {
	if e == nil || e.Mode() != native.On {
		return
	}
	delete(call.Attachments(), constant.Tagkey)
	for key, value := range d.inherited {
		if now, _ := text(call.Attachments()[key]); now == value {
			delete(call.Attachments(), key)
		}
	}
	if s := d.steer; s.Name() != "" {
		for _, key := range flow.Writes(e, native.Dubbo) {
			value := s.Tag
			if key == member {
				value = `[{"name":"` + s.Tag + `"}]`
			}
			call.SetAttachment(key, value)
		}
		if old, there := text(call.Attachments()[baggage]); there && old != "" {
			call.SetAttachment(baggage, flow.Baggage(e, []string{old}, s.Tag))
		}
	}
	for _, p := range d.pass {
		if _, own := call.Attachments()[p.Lower]; !own {
			call.SetAttachment(p.Lower, p.Value)
		}
	}
}

// enter finds the scope of a call that came in. An edge's untrusted caller loses its carriers.
func enter(ctx context.Context, call base.Invocation) *scope.Scope {
	attachments := call.Attachments()
	values := make(map[string][]string, len(attachments))
	for key, value := range attachments {
		if all, many := value.([]string); many {
			values[key] = all
		} else if one, there := text(value); there {
			values[key] = []string{one}
		}
	}
	s, removed := flow.In(flow.Dubbo, native.Dubbo, values, flow.Lower, func() string {
		peer, _ := text(attachments[constant.RemoteAddr])
		return peer
	})
	if !removed {
		return s
	}
	for _, of := range []map[string]any{attachments, attachmentsOf(ctx)} {
		for key := range of {
			if kept, there := values[key]; !there {
				delete(of, key)
			} else if key == baggage {
				of[key] = kept
			}
		}
	}
	return s
}

func attachmentsOf(ctx context.Context) map[string]any {
	of, _ := ctx.Value(constant.AttachmentKey).(map[string]any)
	return of
}

// text is an attachment's value: Triple has lists of texts, Dubbo's own protocol texts.
func text(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []string:
		return strings.Join(v, ","), len(v) > 0
	}
	return "", false
}
