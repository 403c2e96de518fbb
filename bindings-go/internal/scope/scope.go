// Package scope holds what travels with a request inside the process.
package scope

import (
	"context"
	"sync/atomic"
	"time"
)

// Baseline is the id of "no tag"; Unknown that of a tag which no rule and no instance names.
const (
	Baseline uint16 = 0
	Unknown  uint16 = 65535
)

// Linger is how long after the end of a request a goroutine that it started keeps its tag. Work that a request
// hands off ends within it; a pool or a refresher that happened to be started by a request does not stay in the
// lane for the life of the process.
const Linger = 30 * time.Second

// Scope is one request's tag, the engine's number for it, and what is passed through. A nil *Scope is the baseline
// with nothing to pass on.
type Scope struct {
	Tag   string
	ID    uint16
	Pass  []Passed
	ended atomic.Int64
}

// Passed is the value of a header that is passed through, and the header's two spellings.
type Passed struct {
	Lower, Canonical, Value string
}

// End marks the request as answered.
func (s *Scope) End() {
	if s != nil {
		s.ended.Store(time.Now().UnixNano())
	}
}

// Name is the tag, "" for the baseline.
func (s *Scope) Name() string {
	if s == nil {
		return ""
	}
	return s.Tag
}

// Passes is what is passed through on the calls of this request.
func (s *Scope) Passes() []Passed {
	if s == nil {
		return nil
	}
	return s.Pass
}

// Number is the engine's id of the tag.
func (s *Scope) Number() uint16 {
	if s == nil {
		return Baseline
	}
	return s.ID
}

// lingering tells whether an inherited scope may still be used.
func (s *Scope) lingering() bool {
	end := s.ended.Load()
	return end == 0 || time.Now().UnixNano()-end < int64(Linger)
}

// Goroutines is the store that a woven build fills: it carries the scope where no context goes.
type Goroutines struct {
	Push func(*Scope)
	Pop  func()
	Peek func() *Scope
}

// Store is nil in a plain build. It is set once, by an initialiser, before any request.
var Store *Goroutines

type key struct{}

// Of reads the scope: from the context if one was put there, otherwise from the goroutine.
func Of(ctx context.Context) *Scope {
	if ctx != nil {
		if s, ok := ctx.Value(key{}).(*Scope); ok {
			return s
		}
	}
	if Store == nil {
		return nil
	}
	s := Store.Peek()
	if s == nil || !s.lingering() {
		return nil
	}
	return s
}

// Entered tells whether a request's beginning put anything, be it the baseline, into this context.
func Entered(ctx context.Context) bool {
	if ctx == nil {
		return false
	}
	_, entered := ctx.Value(key{}).(*Scope)
	return entered
}

// With puts the scope into a context; nil stands for the baseline and hides what was there.
func With(ctx context.Context, s *Scope) context.Context {
	return context.WithValue(ctx, key{}, s)
}

// Enter begins an inbound request: it always sets or clears, in the context and on the goroutine.
func Enter(ctx context.Context, s *Scope) context.Context {
	if Store != nil {
		Store.Push(s)
	}
	return With(ctx, s)
}

// Leave ends what Enter began, on the same goroutine.
func Leave(s *Scope) {
	s.End()
	if Store != nil {
		Store.Pop()
	}
}
