// Package native is the only door to the engine. Built with cgo it links libtrilane.a; built without, it carries
// tags and decides nothing, and says so.
package native

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ABI is the version of the C interface that this package was written for.
const ABI = 2

// Mode says how much the process takes part.
type Mode uint32

// The modes, from the most cautious on.
const (
	Off Mode = iota
	Observe
	On
)

// Kind says which carriers apply.
type Kind uint32

// The kinds of call.
const (
	HTTP Kind = iota
	Dubbo
	Message
)

// Flags in the answer of Inbound.
const (
	InStale     = 1
	InOff       = 2
	InDisagreed = 4
	InMalformed = 8
	InObserve   = 16
	InUntagged  = 32 // no tag, and this copy is tagged
)

// Trusted is added to a kind where an edge believes the caller.
const Trusted Kind = 256

// Flags in the answer of Edge.
const (
	EdgeUntrusted = 1
	EdgeRemove    = 2
)

// Flags in the answer of Route.
const (
	RouteStale    = 1
	RouteOff      = 2
	RouteObserve  = 4
	RouteFallback = 8
)

// Cases in the answer of Route.
const (
	CaseAsked = iota
	CaseNoInstances
	CaseNoAvailabled
	CaseFail
	CaseAll
)

// NoIndex is the index of a route that picked nothing.
const NoIndex = 0xFFFFFFFF

// NoSubset is the subset of a route whose index alone counts.
const NoSubset = 0xFFFF

// Found is the unpacked answer of Inbound.
type Found struct {
	ID     uint16
	Source uint8
	Flags  uint8
	value  uint8
	offset uint16
	length uint8
}

func unpackFound(bits uint64) Found {
	return Found{
		ID: uint16(bits), Source: uint8(bits >> 16), Flags: uint8(bits >> 24),
		value: uint8(bits >> 32), offset: uint16(bits >> 40), length: uint8(bits >> 56),
	}
}

// Routed is the unpacked answer of Route.
type Routed struct {
	Index  uint32
	Subset uint16
	Case   uint8
	Flags  uint8
}

func unpackRouted(bits uint64) Routed {
	return Routed{Index: uint32(bits), Subset: uint16(bits >> 32), Case: uint8(bits >> 48), Flags: uint8(bits >> 56)}
}

// Asked is what deciding about a list asks of a call.
type Asked struct {
	Stamp  uint32 // the list's; 0: it is gone
	ByCall bool   // RouteWith is to be asked, not Route
	Policy bool   // and may have something to be done besides
	Names  []string
}

// Policy is what is to be done with one call besides choosing its instance; zero is nothing.
type Policy struct {
	Delay, Timeout time.Duration
	AbortHTTP      int    // answer this status in place of sending the call
	AbortGRPC      uint32 // the same for gRPC
}

// Values are the header values of one request in the order of InboundNames, in one piece of memory, so that a
// single crossing can read them without Go pointers inside Go memory.
type Values struct {
	bytes []byte
	ends  []int32 // the end of each value; -1: absent
}

var valuesPool = sync.Pool{New: func() any {
	return &Values{bytes: make([]byte, 0, 512), ends: make([]int32, 0, 16)}
}}

// NewValues takes an empty set from the pool.
func NewValues() *Values {
	return valuesPool.Get().(*Values)
}

// Free hands the set back.
func (v *Values) Free() {
	if cap(v.bytes) > 64<<10 {
		return
	}
	v.Reset()
	valuesPool.Put(v)
}

// Reset empties the set.
func (v *Values) Reset() {
	v.bytes, v.ends = v.bytes[:0], v.ends[:0]
}

// maxValue bounds what one header may bring across: a carrier and an entry rule's value are far shorter.
const maxValue = 64 << 10

// Add appends the next value. A value that is too long counts as absent.
func (v *Values) Add(value string, present bool) {
	if !present || len(value) > maxValue {
		v.ends = append(v.ends, -1)
		return
	}
	v.bytes = append(v.bytes, value...)
	v.ends = append(v.ends, int32(len(v.bytes)))
}

// Span is the text of a tag that the engine found but does not know.
func (v *Values) Span(f Found) string {
	i := int(f.value)
	if i >= len(v.ends) || v.ends[i] < 0 {
		return ""
	}
	begin := 0
	for _, end := range v.ends[:i] {
		if end >= 0 {
			begin = int(end)
		}
	}
	begin += int(f.offset)
	end := begin + int(f.length)
	if end > int(v.ends[i]) {
		return ""
	}
	return string(v.bytes[begin:end])
}

var (
	current   atomic.Pointer[Engine]
	startOnce sync.Once
)

// Default is the process's engine, nil before Start and when it could not be started.
func Default() *Engine {
	return current.Load()
}

// Start makes the default engine once. explicit: the build itself is the switch (woven), so the process takes part
// without a tag. It never fails the caller: what went wrong is one line.
func Start(explicit bool) *Engine {
	startOnce.Do(func() {
		e, err := open(explicit)
		if err != nil {
			fmt.Fprintf(os.Stderr, "trilane: warn msg=%q\n", "not started: "+err.Error())
			return
		}
		current.Store(e)
	})
	return current.Load()
}

// ValidTag tells whether bytes are a tag: [A-Za-z0-9._-], 1 to 63 of them.
func ValidTag(tag string) bool {
	if len(tag) == 0 || len(tag) > 63 {
		return false
	}
	for i := 0; i < len(tag); i++ {
		c := tag[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// Level of a log line.
type Level uint32

// The levels.
const (
	Error Level = iota
	Warn
	Info
)

func (l Level) String() string {
	switch l {
	case Error:
		return "error"
	case Warn:
		return "warn"
	default:
		return "info"
	}
}
