package flow

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// A call without a tag is looked at once a second at most, by its stack.
const lookEvery = int64(time.Second)

var (
	// anyTag is true once a request of this process had a tag: before that there is none to lose.
	anyTag atomic.Bool
	epoch  = time.Now()
	looked atomic.Int64
)

// Suspect tells whether a call without a scope is to be looked at: its context did not come from a request. A woven
// program is not looked at: its goroutines keep their request's scope, so that none there is an untagged request's.
func Suspect(ctx context.Context) bool {
	if scope.Store != nil || !anyTag.Load() || scope.Entered(ctx) {
		return false
	}
	now, last := int64(time.Since(epoch)), looked.Load()
	return now-last >= lookEvery && looked.CompareAndSwap(last, now)
}

// libraries are not the application's own packages; a stack without one of those is a library's own business.
var libraries = []string{"net/http.", "github.com/trilane/", "google.golang.org/", "golang.org/x/", "runtime.",
	"dubbo.apache.org/", "go.opentelemetry.io/"}

// TellLost tells the engine where the call is made.
func TellLost(e *native.Engine) {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	site := ""
	for {
		frame, more := frames.Next()
		if site == "" && frame.Function != "" && !library(frame.Function) {
			site = fmt.Sprintf("%s (%s:%d)", frame.Function, path.Base(frame.File), frame.Line)
		}
		if !more {
			break
		}
	}
	if site != "" {
		e.TagLost(site)
	}
}

func library(function string) bool {
	for _, prefix := range libraries {
		if strings.HasPrefix(function, prefix) && !strings.Contains(function, "_test.") {
			return true
		}
	}
	return false
}
