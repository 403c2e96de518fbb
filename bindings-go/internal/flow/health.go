package flow

import (
	"net"
	"sync"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// Failed says that this choice could not be reached, and gives the next one: another instance of the same subset, or
// whatever the rules' noavailabled leads to. The instance is unhealthy, for everybody in the process, until it can be
// reached again. Where nobody is left it stays as it was, and the caller's own error is the answer.
func (c Choice) Failed(e *native.Engine, authority string, s *scope.Scope, call Call) (Choice, bool) {
	e.Health(c.list, c.index, false)
	next, err := Route(e, authority, s, call)
	if err != nil || next.Address == "" || next.list == c.list && next.index == c.index {
		e.Health(c.list, c.index, true)
		return Choice{}, false
	}
	watch(e, c)
	return next, true
}

type instance struct {
	list  uint64
	index uint32
}

var watched sync.Map // instance -> nothing: those that are being tried

// How an unhealthy instance is tried: by connecting, after 1, 2, 4 … 30 seconds.
const (
	firstTry  = time.Second
	longest   = 30 * time.Second
	tries     = 10
	reachable = 2 * time.Second
)

// watch tries an instance until it can be connected to. After the last try it counts as healthy again: a program may
// reach it by ways of its own (a tunnel, a socket), and the next call finds out.
func watch(e *native.Engine, c Choice) {
	key := instance{c.list, c.index}
	if _, on := watched.LoadOrStore(key, nil); on {
		return
	}
	go func() {
		defer watched.Delete(key)
		for try, wait := 0, firstTry; try < tries; try, wait = try+1, min(2*wait, longest) {
			time.Sleep(wait)
			if e.Stamp(c.list) == 0 {
				return // other rules are in force
			}
			if conn, err := net.DialTimeout("tcp", c.Address, reachable); err == nil {
				conn.Close()
				break
			}
		}
		e.Health(c.list, c.index, true)
	}()
}
