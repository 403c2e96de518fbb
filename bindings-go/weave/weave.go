// Package weave is the run-time half of a woven program: `trilane go build` puts it in, nobody imports it by hand.
// It carries the scope over goroutines and starts the engine before main.
package weave

import (
	orchestrion "github.com/DataDog/orchestrion/runtime/context"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// hooks say what a goroutine takes over: the innermost scope, one word. Plain channels take nothing.
type hooks struct{}

func (hooks) Main() *orchestrion.Stack[*scope.Scope] { return nil }

func (hooks) Go(parent *orchestrion.Stack[*scope.Scope]) *orchestrion.Stack[*scope.Scope] {
	if parent == nil || len(*parent) == 0 {
		return nil
	}
	top := (*parent)[len(*parent)-1]
	if top == nil {
		return nil
	}
	return &orchestrion.Stack[*scope.Scope]{top}
}

func (h hooks) ChanSend(parent *orchestrion.Stack[*scope.Scope]) *orchestrion.Stack[*scope.Scope] {
	return h.Go(parent)
}

func (hooks) ChanRecv(_, sent *orchestrion.Stack[*scope.Scope]) *orchestrion.Stack[*scope.Scope] {
	return sent
}

func init() {
	store := orchestrion.Register[*scope.Scope](hooks{})
	scope.Store = &scope.Goroutines{
		Push: store.Push,
		Pop:  func() { store.Pop() },
		Peek: func() *scope.Scope {
			s, _ := store.Peek()
			return s
		},
	}
}

// Start makes the engine and prints the start line. Woven code calls it first thing in main.
func Start() {
	if e := native.Start(true); e != nil {
		e.StartLine(report())
	}
}
