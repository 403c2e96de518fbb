//go:build cgo && trilanenet

package triple

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/trilane/trilane/bindings-go/internal/native"
)

// kept is how large a buffer may have grown to be used again.
const kept = 1 << 20

// teller is told what happens to a call. It runs on the poller and must not wait.
type teller interface{ tell(r *record) }

// hub is a queue of the process: its poller is the only goroutine that holds a thread, and the connections of its
// clients do their work there.
//
// What calls ask for gathers in Go memory. While the poller is awake it takes all of it along at its next turn: one
// crossing, one write to the socket, nobody woken. While it waits in the native side, who comes first submits for
// everybody who comes meanwhile.
type hub struct {
	net    *native.Net
	tags   atomic.Uint64
	served sync.Map // id -> *served

	mu         sync.Mutex
	calls      map[uint64]teller
	items      [][]byte // wait to be submitted, in this order
	waiting    bool     // the poller is in the native side
	submitting bool     // somebody submits; the order stays, because nobody else does
	batch      []byte   // of who submits

	changing sync.Mutex
	methods  atomic.Pointer[[]*method] // replaced whole; a place in it is a method's number
}

// hubs are made when they are needed; connections take turns on as many of them as there are cores.
var (
	hubs  = [...]func() (*hub, error){start(), start(), start(), start()}
	dials atomic.Uint64
)

// shared is the hub of the servers, and of the first connection.
func shared() (*hub, error) { return hubs[0]() }

func nextHub() (*hub, error) {
	return hubs[(dials.Add(1)-1)%uint64(min(runtime.GOMAXPROCS(0), len(hubs)))]()
}

func start() func() (*hub, error) {
	return sync.OnceValues(func() (*hub, error) {
		net, err := native.NewNet()
		if err != nil {
			return nil, err
		}
		h := &hub{net: net, calls: map[uint64]teller{}}
		go h.poll()
		return h, nil
	})
}

func (h *hub) addMethod(m *method) uint32 {
	h.changing.Lock()
	defer h.changing.Unlock()
	var all []*method
	if old := h.methods.Load(); old != nil {
		all = append(all, *old...)
	}
	all = append(all, m)
	h.methods.Store(&all)
	return uint32(len(all) - 1)
}

func (h *hub) method(number uint32) *method {
	if all := h.methods.Load(); all != nil && int(number) < len(*all) {
		return (*all)[number]
	}
	return nil
}

// add registers a call.
func (h *hub) add(tag uint64, call teller) {
	h.mu.Lock()
	h.calls[tag] = call
	h.mu.Unlock()
}

// remove says whether the call was there: otherwise it was told its end, or is being told.
func (h *hub) remove(tag uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, there := h.calls[tag]
	delete(h.calls, tag)
	return there
}

// submit gives an item to the native side, soon. It belongs to the hub until its call has ended. A call is registered
// with it.
func (h *hub) submit(item []byte, tag uint64, call teller) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if call != nil {
		h.calls[tag] = call
	}
	h.items = append(h.items, item)
	if h.waiting && !h.submitting {
		h.hand(func() bool { return h.waiting })
	}
}

// hand gives the native side what gathered, until nothing is left or others will do it. The hub is locked before and
// after, and nobody else submits meanwhile.
func (h *hub) hand(goOn func() bool) {
	h.submitting = true
	for len(h.items) > 0 && goOn() {
		h.batch = h.gather(h.batch)
		h.mu.Unlock()
		h.net.Submit(h.batch)
		h.mu.Lock()
	}
	h.submitting = false
}

// gather moves the items into one buffer. The hub is locked.
func (h *hub) gather(to []byte) []byte {
	if cap(to) > kept {
		to = nil
	}
	to = to[:0]
	for i, item := range h.items {
		to = append(to, item...)
		h.items[i] = nil
	}
	h.items = h.items[:0]
	return to
}

func (h *hub) poll() {
	buf := make([]byte, 256<<10)
	for {
		h.mu.Lock()
		if !h.submitting {
			h.hand(func() bool { return true })
		}
		h.waiting = true
		h.mu.Unlock()
		n := h.net.Poll(buf)
		h.mu.Lock()
		h.waiting = false
		h.mu.Unlock()
		if n > len(buf) {
			buf = make([]byte, n)
			continue
		}
		for rest := buf[:n]; len(rest) > 0; {
			var r *record
			var tag uint64
			r, tag, rest = read(rest)
			h.take(r, tag)
		}
		h.settle()
	}
}

// mostLooks is how often the poller lets others run before it takes along what they asked for.
const mostLooks = 16

// settle lets those who were told run first: what they ask for next goes along with this goroutine, by one crossing and
// one write. While more gathers at each look, others are still at it on their threads.
func (h *hub) settle() {
	before := 0
	for range mostLooks {
		runtime.Gosched()
		h.mu.Lock()
		gathered := len(h.items)
		h.mu.Unlock()
		if gathered <= before {
			return
		}
		before = gathered
	}
}

func (h *hub) take(r *record, tag uint64) {
	switch {
	case r.kind == native.RecordServed:
		h.begin(r, tag)
	case r.kind > native.RecordServed:
		if s, ok := h.served.Load(tag); ok {
			s.(*served).tell(r)
		}
	default:
		h.mu.Lock()
		call := h.calls[tag]
		if r.kind == native.RecordEnd {
			delete(h.calls, tag)
		}
		h.mu.Unlock()
		if call != nil {
			call.tell(r)
		}
	}
}
