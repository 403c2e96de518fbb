// Package trilane keeps a request in its lane: the tag it came with is found on the way in, travels in the context,
// and steers and marks the calls that the request makes.
//
// A linked program calls Start, wraps its handler by nethttp.Handler and its client by nethttp.Transport. A program
// built by `trilane go build` needs no line of this.
package trilane

import (
	"context"
	"sync"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// Scope is what a request carries inside the process.
type Scope struct {
	// Tag names the lane; "" is the baseline.
	Tag string
	// ID is the engine's number for the tag: 0 is the baseline, 65535 a tag that no rule and no instance names.
	ID uint16
}

var startLine sync.Once

// Start makes the process's engine from the environment, once. A linked program takes part if it has a tag,
// mse.enable=true, trilane.mode or a rule file; otherwise it stays as it was. Start never fails: what goes wrong is
// one line on standard error.
func Start() {
	if e := native.Start(false); e != nil {
		startLine.Do(func() { e.StartLine("linked") })
	}
}

// Current is the scope of the request that this context, or in a woven program this goroutine, belongs to.
func Current(ctx context.Context) Scope {
	s := scope.Of(ctx)
	return Scope{Tag: s.Name(), ID: s.Number()}
}

// With puts a tag into the context; "" leaves the lane. Bytes that are no tag count as "". Headers that are passed
// through stay with the request.
func With(ctx context.Context, tag string) context.Context {
	s := flow.Named(native.Default(), tag)
	if pass := scope.Of(ctx).Passes(); len(pass) > 0 {
		if s == nil {
			s = &scope.Scope{}
		}
		s.Pass = pass
	}
	return scope.With(ctx, s)
}

// Version is the engine's version.
func Version() string {
	return native.Version()
}
