package flow

import (
	"sync/atomic"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/native"
)

// Library is one hooked library and its switch: `hooks: {NAME: off}` in the rule file, TRILANE_HOOK_NAME=off.
type Library struct {
	name  string
	state atomic.Uint64 // the time of the last look, in units of look; the lowest bit is the switch
}

// The libraries, by the names of their switches.
var (
	NetHTTP = &Library{name: "net-http"}
	GRPC    = &Library{name: "grpc"}
	Dubbo   = &Library{name: "dubbo"}
	Triple  = &Library{name: "triple"}
)

// look is how old an answer may be: a switch acts within it.
const look = 200 * time.Millisecond

// traceHeaders are the headers that name a trace, nil where there was never one. They are looked at with the switches.
var traceHeaders atomic.Pointer[[]string]

var began = time.Now()

// On tells whether the library's hooks act.
func (l *Library) On(e *native.Engine) bool {
	if e == nil {
		return false
	}
	now := uint64(time.Since(began)/look) + 1
	if s := l.state.Load(); s>>1 == now {
		return s&1 == 1
	}
	on := e.HookEnabled(l.name)
	s := now << 1
	if on {
		s |= 1
	}
	l.state.Store(s)
	if names := e.TraceNames(); len(names) > 0 || traceHeaders.Load() != nil {
		traceHeaders.Store(&names)
	}
	return on
}
