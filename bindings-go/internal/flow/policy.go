package flow

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// wanted is what was last known of a dialled authority's list: looked at again as often as a switch.
type wanted struct {
	at    uint64
	list  uint64
	asked native.Asked
}

// mostPolicies bounds how many authorities are remembered; one more, and all are asked about anew.
const mostPolicies = 1024

var (
	policies   sync.Map // authority of a channel -> *wanted
	remembered atomic.Int32
)

func remember(authority string, w *wanted) {
	if _, there := policies.Swap(authority, w); !there && remembered.Add(1) > mostPolicies {
		remembered.Store(0)
		policies.Clear()
	}
}

// PolicyOf is what the rules want done with a call to a dialled authority besides choosing its instance, and the
// number by which that was decided. False where they never want anything.
func PolicyOf(e *native.Engine, authority string, s *scope.Scope, call Call) (p native.Policy, chance uint64, any bool) {
	now := uint64(time.Since(began) / look)
	known, _ := policies.Load(authority)
	w, _ := known.(*wanted)
	if w == nil || w.at != now {
		list := e.Authority(authority)
		w = &wanted{at: now, list: list}
		if list != 0 {
			w.asked = e.RouteNames(list)
		}
		remember(authority, w)
	}
	if !w.asked.Policy {
		return p, 0, false
	}
	asked := w.asked
	chance = rand.Uint64()
	r, p := DecideBy(e, w.list, &asked, s, call, chance)
	if r.Flags&native.RouteStale != 0 {
		asked.Stamp = e.Stamp(w.list) // an instance's health moved
		_, p = DecideBy(e, w.list, &asked, s, call, chance)
	}
	return p, chance, true
}

// Wait holds a call up as long as the rules want; the error is its context's.
func Wait(ctx context.Context, p native.Policy) error {
	if p.Delay <= 0 {
		return nil
	}
	timer := time.NewTimer(p.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Aborted is the text of a call that a rule ends in place of sending it.
const Aborted = "trilane: a rule aborts this call"

// Aborts is the gRPC code that the rules end a call with in place of sending it; 0 where it is to be sent.
func Aborts(p native.Policy) uint32 {
	if p.AbortHTTP != 0 {
		return codeOf(p.AbortHTTP)
	}
	return p.AbortGRPC
}

// codeOf is what gRPC makes of an HTTP status.
func codeOf(http int) uint32 {
	switch http {
	case 200:
		return 0 // OK
	case 400:
		return 13 // INTERNAL
	case 401:
		return 16 // UNAUTHENTICATED
	case 403:
		return 7 // PERMISSION_DENIED
	case 404:
		return 12 // UNIMPLEMENTED
	case 429, 502, 503, 504:
		return 14 // UNAVAILABLE
	}
	return 2 // UNKNOWN
}
