//go:build cgo

package native

/*
#include <stdbool.h>
#include <string.h>
#include "trilane.h"

#if TRILANE_ABI_VERSION != 2
#error "this Go module was written for ABI 2 of trilane.h"
#endif

#define TL_MAX 256

static inline trilane_str tl_str(const char *p, size_t n) {
	trilane_str s = { (const uint8_t *)(p ? p : ""), n };
	return s;
}

static inline int tl_start(bool explicit_start, const trilane_engine **engine, char *why, size_t capacity,
                           size_t *len) {
	trilane_options o;
	memset(&o, 0, sizeof o);
	o.struct_size = sizeof o;
	o.binding = tl_str("go", 2);
	o.explicit_start = explicit_start;
	o.read_environment = true;
	trilane_error *error = NULL;
	int status = trilane_engine_default(&o, engine, &error);
	*len = error ? trilane_error_message(error, (uint8_t *)why, capacity) : 0;
	trilane_error_free(error);
	return status;
}

// One piece of memory with the values one after the other: no Go pointer is inside memory that Go hands over.
static inline uint64_t tl_inbound(const trilane_engine *e, uint32_t kind, uint32_t snapshot, const char *bytes,
                                  const int32_t *ends, size_t n) {
	trilane_str values[TL_MAX];
	int32_t begin = 0;
	if (n > TL_MAX) n = TL_MAX;
	for (size_t i = 0; i < n; i++) {
		if (ends[i] < 0) {
			values[i].ptr = NULL;
			values[i].len = 0;
		} else {
			values[i] = tl_str(bytes + begin, (size_t)(ends[i] - begin));
			begin = ends[i];
		}
	}
	return trilane_inbound(e, kind, snapshot, values, n);
}

// As above, for the values of an outgoing call. Where it asks for more than the answer, policy_out is filled, too.
static inline uint64_t tl_route_with(const trilane_engine *e, uint64_t list, uint32_t tag, uint64_t entropy,
                                     uint32_t stamp, const char *bytes, const int32_t *ends, size_t n,
                                     trilane_policy *policy_out) {
	trilane_str values[TL_MAX];
	int32_t begin = 0;
	if (n > TL_MAX) n = TL_MAX;
	for (size_t i = 0; i < n; i++) {
		values[i] = ends[i] < 0 ? (trilane_str){ NULL, 0 } : tl_str(bytes + begin, (size_t)(ends[i] - begin));
		begin = ends[i] < 0 ? begin : ends[i];
	}
	uint64_t answer = trilane_route_with(e, list, tag, entropy, stamp, values, n);
	if (policy_out && !(answer >> 56 & 7)) {
		policy_out->struct_size = sizeof *policy_out;
		trilane_policy_of(e, list, tag, entropy, stamp, values, n, policy_out);
	}
	return answer;
}

// As above, for the values of headers that are passed through.
static inline uint32_t tl_pass(const trilane_engine *e, const char *bytes, const int32_t *ends, size_t n) {
	trilane_str values[TL_MAX];
	int32_t begin = 0;
	if (n > TL_MAX) n = TL_MAX;
	for (size_t i = 0; i < n; i++) {
		values[i] = ends[i] < 0 ? (trilane_str){ NULL, 0 } : tl_str(bytes + begin, (size_t)(ends[i] - begin));
		begin = ends[i] < 0 ? begin : ends[i];
	}
	return trilane_pass(e, values, n);
}

static inline uint32_t tl_edge(const trilane_engine *e, const char *p, size_t n) {
	return trilane_edge(e, tl_str(p, n));
}

static inline uint32_t tl_trace_find(const trilane_engine *e, const char *p, size_t n) {
	return trilane_trace_find(e, tl_str(p, n));
}

static inline void tl_untagged(const trilane_engine *e, const char *p, size_t n) {
	trilane_untagged(e, tl_str(p, n));
}

static inline void tl_tag_lost(const trilane_engine *e, const char *p, size_t n) {
	trilane_tag_lost(e, tl_str(p, n));
}

static inline uint32_t tl_tag_find(const trilane_engine *e, const char *p, size_t n) {
	return trilane_tag_find(e, tl_str(p, n));
}

static inline bool tl_known(const trilane_engine *e, const char *p, size_t n) {
	return trilane_known(e, tl_str(p, n));
}

static inline bool tl_hook_enabled(const trilane_engine *e, const char *p, size_t n) {
	return trilane_hook_enabled(e, tl_str(p, n));
}

static inline uint64_t tl_authority(const trilane_engine *e, const char *p, size_t n) {
	return trilane_authority(e, tl_str(p, n));
}

static inline size_t tl_baggage(const trilane_engine *e, const char *old, size_t nold, const char *tag, size_t ntag,
                                char *out, size_t capacity) {
	return trilane_baggage_set(e, tl_str(old, nold), tl_str(tag, ntag), (uint8_t *)out, capacity);
}

static inline void tl_start_line(const trilane_engine *e, const char *p, size_t n) {
	trilane_start_line(e, tl_str(p, n));
}

static inline void tl_log(const trilane_engine *e, uint32_t level, const char *code, size_t ncode, const char *key,
                          size_t nkey, const char *msg, size_t nmsg) {
	trilane_log(e, level, tl_str(code, ncode), tl_str(key, nkey), tl_str(msg, nmsg));
}

static inline size_t tl_explain(const trilane_engine *e, uint64_t list, const char *tag, size_t ntag,
                                uint64_t entropy, char *out, size_t capacity) {
	return trilane_explain(e, list, tl_str(tag, ntag), 0, entropy, (uint8_t *)out, capacity);
}

#cgo noescape tl_inbound
#cgo nocallback tl_inbound
#cgo noescape tl_route_with
#cgo nocallback tl_route_with
#cgo noescape tl_pass
#cgo nocallback tl_pass
#cgo noescape tl_edge
#cgo nocallback tl_edge
#cgo noescape tl_trace_find
#cgo nocallback tl_trace_find
#cgo noescape tl_tag_find
#cgo nocallback tl_tag_find
#cgo noescape tl_known
#cgo nocallback tl_known
#cgo noescape tl_hook_enabled
#cgo nocallback tl_hook_enabled
#cgo noescape tl_authority
#cgo nocallback tl_authority
#cgo noescape tl_baggage
#cgo nocallback tl_baggage
#cgo noescape trilane_address
#cgo nocallback trilane_address
#cgo noescape trilane_route
#cgo nocallback trilane_route
#cgo noescape trilane_list_stamp
#cgo nocallback trilane_list_stamp
#cgo noescape trilane_mode
#cgo nocallback trilane_mode
*/
import "C"

import (
	"fmt"
	"time"
	"unsafe"
)

// Decides is true: the engine is linked in.
const Decides = true

// Engine is the process's engine. It lives as long as the process.
type Engine struct {
	c *C.trilane_engine
}

func chars(s string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

func open(explicit bool) (*Engine, error) {
	if got := uint32(C.trilane_abi_version()); got != ABI {
		return nil, fmt.Errorf("libtrilane has ABI %d, this Go module was written for %d: use both of one release", got, ABI)
	}
	var why [512]byte
	var n C.size_t
	e := &Engine{}
	status := C.tl_start(C.bool(explicit), &e.c, (*C.char)(unsafe.Pointer(&why[0])), C.size_t(len(why)), &n)
	if status != C.TRILANE_STATUS_OK || e.c == nil {
		return nil, fmt.Errorf("the engine answered status %d: %s", status, why[:min(int(n), len(why))])
	}
	return e, nil
}

// text calls an export that writes a text and returns its length, with more room where the first try was short.
func text(write func(out *C.uint8_t, room C.size_t) C.size_t) string {
	var small [256]byte
	buf := small[:]
	for {
		n := int(write((*C.uint8_t)(unsafe.Pointer(&buf[0])), C.size_t(len(buf))))
		if n <= len(buf) {
			return string(buf[:n])
		}
		buf = make([]byte, n)
	}
}

// Version of the engine.
func Version() string {
	return text(func(out *C.uint8_t, room C.size_t) C.size_t { return C.trilane_version(out, room) })
}

// Mode in force.
func (e *Engine) Mode() Mode { return Mode(C.trilane_mode(e.c)) }

// HookEnabled tells whether the hooks of a library act, by mode and switches.
func (e *Engine) HookEnabled(library string) bool {
	p, n := chars(library)
	return bool(C.tl_hook_enabled(e.c, p, n))
}

// OwnTag of this process.
func (e *Engine) OwnTag() string {
	return text(func(out *C.uint8_t, room C.size_t) C.size_t { return C.trilane_own_tag(e.c, out, room) })
}

func strs(list []C.trilane_str) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = C.GoStringN((*C.char)(unsafe.Pointer(s.ptr)), C.int(s.len))
	}
	return out
}

// InboundNames lists the headers to read, and the number of the snapshot that asks for them.
func (e *Engine) InboundNames(kind Kind) (uint32, []string) {
	var list [C.TL_MAX]C.trilane_str
	var snapshot C.uint32_t
	n := C.trilane_inbound_names(e.c, C.uint32_t(kind), &list[0], C.TL_MAX, &snapshot)
	return uint32(snapshot), strs(list[:min(int(n), len(list))])
}

// Inbound finds the tag of a request: one crossing.
func (e *Engine) Inbound(kind Kind, snapshot uint32, v *Values) Found {
	bits := C.tl_inbound(e.c, C.uint32_t(kind), C.uint32_t(snapshot), (*C.char)(unsafe.Pointer(unsafe.SliceData(v.bytes))),
		(*C.int32_t)(unsafe.Pointer(unsafe.SliceData(v.ends))), C.size_t(len(v.ends)))
	return unpackFound(uint64(bits))
}

// EdgeNames lists what an edge removes from a request; empty where this is no edge.
func (e *Engine) EdgeNames() []string {
	var list [C.TL_MAX]C.trilane_str
	n := C.trilane_edge_names(e.c, &list[0], C.TL_MAX)
	return strs(list[:min(int(n), len(list))])
}

// Edge tells whether a caller's carriers are believed, and whether they are removed.
func (e *Engine) Edge(peer string) uint32 {
	p, n := chars(peer)
	return uint32(C.tl_edge(e.c, p, n))
}

// Stripped counts a request from which an edge removed carriers.
func (e *Engine) Stripped() { C.trilane_stripped(e.c) }

// Untagged notes who sent an untagged request to this tagged copy.
func (e *Engine) Untagged(peer string) {
	p, n := chars(peer)
	C.tl_untagged(e.c, p, n)
}

// TagLost tells where a call without a tag left, and nobody knows why it has none.
func (e *Engine) TagLost(site string) {
	p, n := chars(site)
	C.tl_tag_lost(e.c, p, n)
}

// PassNames lists the headers that are passed through.
func (e *Engine) PassNames() []string {
	var list [C.TL_MAX]C.trilane_str
	n := C.trilane_pass_names(e.c, &list[0], C.TL_MAX)
	return strs(list[:min(int(n), len(list))])
}

// Pass tells which of the values for PassNames ride on: bit i for value i.
func (e *Engine) Pass(v *Values) uint32 {
	return uint32(C.tl_pass(e.c, (*C.char)(unsafe.Pointer(unsafe.SliceData(v.bytes))),
		(*C.int32_t)(unsafe.Pointer(unsafe.SliceData(v.ends))), C.size_t(len(v.ends))))
}

// Counted reads a counter by its name, 0 when there is none of that name.
func (e *Engine) Counted(name string) uint64 {
	for i := C.uint32_t(0); ; i++ {
		found := text(func(out *C.uint8_t, room C.size_t) C.size_t { return C.trilane_counter_name(i, out, room) })
		if found == name {
			return uint64(C.trilane_counted(e.c, i))
		}
		if found == "" {
			return 0
		}
	}
}

// TraceNames lists the headers that name a trace; empty where the trace-id table is not used.
func (e *Engine) TraceNames() []string {
	var list [C.TL_MAX]C.trilane_str
	n := C.trilane_trace_names(e.c, &list[0], C.TL_MAX)
	return strs(list[:min(int(n), len(list))])
}

// TraceFind is the tag that came with a trace, by the value of a header that names it; 0 for none.
func (e *Engine) TraceFind(value string) uint16 {
	p, n := chars(value)
	return uint16(C.tl_trace_find(e.c, p, n))
}

// TagFind looks a tag up.
func (e *Engine) TagFind(tag string) uint16 {
	p, n := chars(tag)
	return uint16(C.tl_tag_find(e.c, p, n))
}

// TagName is the text of an id.
func (e *Engine) TagName(id uint16) string {
	return text(func(out *C.uint8_t, room C.size_t) C.size_t {
		return C.trilane_tag_name(e.c, C.uint32_t(id), out, room)
	})
}

// CarriersWrite lists the headers to write.
func (e *Engine) CarriersWrite(kind Kind) []string {
	var list [C.TL_MAX]C.trilane_str
	n := C.trilane_carriers_write(e.c, C.uint32_t(kind), &list[0], C.TL_MAX)
	return strs(list[:min(int(n), len(list))])
}

// Known tells whether carriers may be written towards an authority.
func (e *Engine) Known(authority string) bool {
	p, n := chars(authority)
	return bool(C.tl_known(e.c, p, n))
}

// BaggageSet is baggage with our member set to the tag.
func (e *Engine) BaggageSet(old, tag string) string {
	p, n := chars(old)
	q, m := chars(tag)
	return text(func(out *C.uint8_t, room C.size_t) C.size_t {
		return C.tl_baggage(e.c, p, n, q, m, (*C.char)(unsafe.Pointer(out)), room)
	})
}

// Authority is the list of a dialled authority that the rules name, otherwise 0.
func (e *Engine) Authority(authority string) uint64 {
	p, n := chars(authority)
	return uint64(C.tl_authority(e.c, p, n))
}

// Address of an instance, "" when it is gone.
func (e *Engine) Address(list uint64, index uint32) string {
	return text(func(out *C.uint8_t, room C.size_t) C.size_t {
		return C.trilane_address(e.c, C.uint64_t(list), C.uint32_t(index), out, room)
	})
}

// Stamp of a list's state, 0 when it is gone.
func (e *Engine) Stamp(list uint64) uint32 {
	return uint32(C.trilane_list_stamp(e.c, C.uint64_t(list)))
}

// Route decides and picks: one crossing.
func (e *Engine) Route(list uint64, tag uint16, key, entropy uint64, stamp uint32) Routed {
	return unpackRouted(uint64(C.trilane_route(e.c, C.uint64_t(list), C.uint32_t(tag), C.uint64_t(key),
		C.uint64_t(entropy), C.uint32_t(stamp))))
}

// RouteNames tells what deciding about a list asks of a call.
func (e *Engine) RouteNames(list uint64) Asked {
	var names [C.TL_MAX]C.trilane_str
	var flags, stamp C.uint32_t
	n := C.trilane_route_names(e.c, C.uint64_t(list), &names[0], C.TL_MAX, &flags, &stamp)
	return Asked{
		Stamp: uint32(stamp), ByCall: flags&1 != 0, Policy: flags&2 != 0, Names: strs(names[:min(int(n), len(names))]),
	}
}

// RouteWith decides and picks by the values of a call, in the order of RouteNames: one crossing.
func (e *Engine) RouteWith(list uint64, tag uint16, entropy uint64, stamp uint32, v *Values, policy bool) (Routed, Policy) {
	var p C.trilane_policy
	var out *C.trilane_policy
	if policy {
		out = &p
	}
	bits := C.tl_route_with(e.c, C.uint64_t(list), C.uint32_t(tag), C.uint64_t(entropy), C.uint32_t(stamp),
		(*C.char)(unsafe.Pointer(unsafe.SliceData(v.bytes))), (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(v.ends))),
		C.size_t(len(v.ends)), out)
	return unpackRouted(uint64(bits)), Policy{
		Delay:     time.Duration(p.delay_ms) * time.Millisecond,
		Timeout:   time.Duration(p.timeout_ms) * time.Millisecond,
		AbortHTTP: int(p.abort_http), AbortGRPC: uint32(p.abort_grpc),
	}
}

// Health sets the one health bit of an instance.
func (e *Engine) Health(list uint64, index uint32, healthy bool) {
	C.trilane_list_health(e.c, C.uint64_t(list), C.uint32_t(index), C.bool(healthy))
}

// Subset lists the usable instances of a subset, and the stamp that they belong to.
func (e *Engine) Subset(list uint64, subset uint16) ([]uint32, uint32) {
	var stamp C.uint32_t
	var n C.size_t
	out := make([]uint32, 16)
	for {
		status := C.trilane_subset(e.c, C.uint64_t(list), C.uint32_t(subset), (*C.uint32_t)(unsafe.Pointer(&out[0])),
			C.size_t(len(out)), &n, &stamp)
		if status != C.TRILANE_STATUS_OK {
			return nil, 0
		}
		if int(n) <= len(out) {
			return out[:n], uint32(stamp)
		}
		out = make([]uint32, n)
	}
}

// Explain says how a tag is decided, as JSON.
func (e *Engine) Explain(list uint64, tag string, entropy uint64) string {
	p, n := chars(tag)
	return text(func(out *C.uint8_t, room C.size_t) C.size_t {
		return C.tl_explain(e.c, C.uint64_t(list), p, n, C.uint64_t(entropy), (*C.char)(unsafe.Pointer(out)), room)
	})
}

// StartLine prints the one line that says what runs.
func (e *Engine) StartLine(hooks string) {
	p, n := chars(hooks)
	C.tl_start_line(e.c, p, n)
}

// Log writes one line, the same code and key at most once a minute.
func (e *Engine) Log(level Level, code, key, msg string) {
	a, na := chars(code)
	b, nb := chars(key)
	c, nc := chars(msg)
	C.tl_log(e.c, C.uint32_t(level), a, na, b, nb, c, nc)
}

// Live counts live handles: 0 engines, 1 lists of this engine, 2 errors.
func (e *Engine) Live(kind uint32) int64 {
	return int64(C.trilane_live(e.c, C.uint32_t(kind)))
}
