package scope

import (
	"context"
	"testing"
	"time"
)

// withStore puts a store of one goroutine in place, as a woven build would.
func withStore(t *testing.T) *[]*Scope {
	t.Helper()
	stack := &[]*Scope{}
	Store = &Goroutines{
		Push: func(s *Scope) { *stack = append(*stack, s) },
		Pop:  func() { *stack = (*stack)[:len(*stack)-1] },
		Peek: func() *Scope {
			if len(*stack) == 0 {
				return nil
			}
			return (*stack)[len(*stack)-1]
		},
	}
	t.Cleanup(func() { Store = nil })
	return stack
}

func TestTheContextComesBeforeTheGoroutine(t *testing.T) {
	withStore(t)
	gray, blue := &Scope{Tag: "gray", ID: 1}, &Scope{Tag: "blue", ID: 2}
	ctx := Enter(context.Background(), gray)
	if got := Of(ctx); got != gray {
		t.Errorf("inside the request: %v", got)
	}
	if got := Of(context.Background()); got != gray {
		t.Errorf("a forgotten context: %v", got)
	}
	if got := Of(With(ctx, blue)); got != blue {
		t.Errorf("a tag that the application chose: %v", got)
	}
	if got := Of(With(ctx, nil)); got != nil {
		t.Errorf("the baseline that the application chose: %v", got)
	}
	Leave(gray)
	if got := Of(context.Background()); got != nil {
		t.Errorf("after the request: %v", got)
	}
}

func TestAnUntaggedRequestClears(t *testing.T) {
	stack := withStore(t)
	outer := &Scope{Tag: "gray", ID: 1}
	Enter(context.Background(), outer)
	ctx := Enter(context.Background(), nil)
	if Of(ctx) != nil || Of(context.Background()) != nil {
		t.Error("an untagged request sees what was there before it")
	}
	Leave(nil)
	if Of(context.Background()) != outer {
		t.Error("the outer scope did not come back")
	}
	Leave(outer)
	if len(*stack) != 0 {
		t.Errorf("left on the goroutine: %v", *stack)
	}
}

func TestAnInheritedTagEndsSomeTimeAfterItsRequest(t *testing.T) {
	stack := withStore(t)
	s := &Scope{Tag: "gray", ID: 1}
	*stack = append(*stack, s) // a goroutine that the request started
	s.End()
	if Of(context.Background()) != s {
		t.Error("work that was handed off lost its tag at once")
	}
	s.ended.Store(time.Now().Add(-Linger - time.Second).UnixNano())
	if Of(context.Background()) != nil {
		t.Error("a goroutine keeps the tag of a request that ended long ago")
	}
	if Of(With(context.Background(), s)) != s {
		t.Error("a context is never forgotten")
	}
}
