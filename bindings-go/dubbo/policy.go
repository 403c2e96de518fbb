package trilanedubbo

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"dubbo.apache.org/dubbo-go/v3/common"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/protocol/base"
	"dubbo.apache.org/dubbo-go/v3/protocol/triple/triple_protocol"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
)

// wishes are what the rules want done with a call besides choosing its instances: once, over all its attempts.
type wishes struct {
	number uint64 // by which it is decided, where the rules want anything
	policy native.Policy
	once   sync.Once
	ended  error
	until  time.Time
}

// chance is the number for what a decision leaves to chance. Where the rules may want something done with a call, all
// its attempts are decided by the same one: a call that they abort is not sent by a further attempt.
func (w *wishes) chance(asked *native.Asked) uint64 {
	if !asked.Policy {
		return rand.Uint64()
	}
	for w.number == 0 {
		w.number = rand.Uint64()
	}
	return w.number
}

// aborted is the error of a call that the rules end in place of sending it.
func (w *wishes) aborted() error {
	code := flow.Aborts(w.policy)
	if code == 0 {
		return nil
	}
	return triple_protocol.NewError(triple_protocol.Code(code), errors.New(flow.Aborted))
}

// hold waits as the rules want it, before the first attempt; the call's time begins behind that.
func (w *wishes) hold(ctx context.Context) error {
	w.once.Do(func() {
		w.ended = flow.Wait(ctx, w.policy)
		if w.policy.Timeout > 0 {
			w.until = time.Now().Add(w.policy.Timeout)
		}
	})
	return w.ended
}

// limit gives an attempt what is left of the call's time, unless its own timeout is shorter. How long a stream may last
// no rule knows.
func (w *wishes) limit(ctx context.Context, url *common.URL, call base.Invocation) (context.Context, context.CancelFunc) {
	kind, _ := call.GetAttribute(constant.CallTypeKey)
	if w.until.IsZero() || url == nil || kind != nil && kind != constant.CallUnary {
		return ctx, func() {}
	}
	left := time.Until(w.until)
	own := url.GetParamDuration(constant.TimeoutKey, "")
	if _, limited := ctx.Deadline(); limited && url.Protocol != constant.DubboProtocol {
		own = 0 // Triple goes by the context's then
	}
	written, _ := call.GetAttachment(constant.TimeoutKey)
	if of, err := time.ParseDuration(written); err == nil {
		own = of
	}
	if own > 0 && own < left {
		return ctx, func() {}
	}
	if url.Protocol == constant.DubboProtocol {
		call.SetAttachment(constant.TimeoutKey, max(left, time.Millisecond).String()) // it does not look at the context
	}
	return context.WithDeadline(ctx, w.until)
}
