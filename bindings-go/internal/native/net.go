//go:build cgo && trilanenet

package native

/*
#cgo noescape tl_net_submit
#cgo nocallback tl_net_submit
#cgo noescape trilane_net_poll
#cgo nocallback trilane_net_poll
#include <stdlib.h>
#include "trilane_net.h"

static inline trilane_str tl_net_str(const void *p, size_t n) {
	trilane_str s = { (const uint8_t *)(p ? p : ""), n };
	return s;
}

// The caller's pieces are passed as plain pointers: no Go pointer is inside memory that Go hands over.
static inline void tl_net_request(trilane_request *r, uint64_t tag, const void *path, size_t path_len,
                                  const void *metadata, size_t metadata_len, uint64_t timeout_ns, uint32_t flags) {
	*r = (trilane_request){0};
	r->struct_size = sizeof *r;
	r->tag = tag;
	r->path = tl_net_str(path, path_len);
	r->metadata = tl_net_str(metadata, metadata_len);
	r->timeout_ns = timeout_ns;
	r->flags = flags;
}

static inline void tl_net_submit(const trilane_net *n, const void *items, size_t len) {
	trilane_net_submit(n, tl_net_str(items, len));
}

static inline int tl_net_stream(const trilane_channel *c, uint64_t tag, const void *path, size_t path_len,
                                const void *metadata, size_t metadata_len, uint64_t timeout_ns, uint32_t flags,
                                trilane_call **call, trilane_error **error) {
	trilane_request r;
	tl_net_request(&r, tag, path, path_len, metadata, metadata_len, timeout_ns, flags);
	return trilane_call_stream(c, &r, call, error);
}

static inline int tl_net_connect(const trilane_net *n, const void *targets, size_t targets_len, uint32_t flags,
                                 const void *roots, size_t roots_len, const void *cert, size_t cert_len,
                                 const void *key, size_t key_len, const void *name, size_t name_len,
                                 trilane_channel **channel, trilane_error **error) {
	trilane_connect c = {0};
	c.struct_size = sizeof c;
	c.targets = tl_net_str(targets, targets_len);
	c.flags = flags;
	c.roots = tl_net_str(roots, roots_len);
	c.certificates = tl_net_str(cert, cert_len);
	c.key = tl_net_str(key, key_len);
	c.server_name = tl_net_str(name, name_len);
	return trilane_channel_connect(n, &c, channel, error);
}

static inline int tl_net_send(const trilane_call *call, const void *message, size_t len) {
	return trilane_call_send(call, tl_net_str(message, len));
}
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// Kinds of record that Poll gives.
const (
	RecordEnd     = C.TRILANE_RECORD_END
	RecordMessage = C.TRILANE_RECORD_MESSAGE
	RecordHeaders = C.TRILANE_RECORD_HEADERS
	RecordRoom    = C.TRILANE_RECORD_ROOM
)

// Flags of a call.
const (
	CallWaitForReady = C.TRILANE_CALL_WAIT_FOR_READY
	CallIdempotent   = C.TRILANE_CALL_IDEMPOTENT
	CallGzip         = C.TRILANE_CALL_GZIP
)

// ErrFull says that a stream took no message; a RecordRoom comes when it does again.
var ErrFull = errors.New("the stream is full")

const itemBytes = 48 // of an item without path, metadata and message

// Net is the native queue of records.
type Net struct{ p *C.trilane_net }

// Channel is a native channel.
type Channel struct{ p *C.trilane_channel }

// Call is a native call. Every use holds its lock, so that nothing uses it when it is freed.
type Call struct {
	mu sync.Mutex
	p  *C.trilane_call
}

func netError(status C.int, e *C.trilane_error) error {
	if e == nil {
		return fmt.Errorf("trilane: status %d", int(status))
	}
	var why [512]byte
	n := C.trilane_error_message(e, (*C.uint8_t)(unsafe.Pointer(&why[0])), C.size_t(len(why)))
	C.trilane_error_free(e)
	return errors.New("trilane: " + string(why[:min(int(n), len(why))]))
}

func bytesPtr(b []byte) (unsafe.Pointer, C.size_t) {
	return unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b))
}

func stringPtr(s string) (unsafe.Pointer, C.size_t) {
	return unsafe.Pointer(unsafe.StringData(s)), C.size_t(len(s))
}

// NewNet makes a net whose channels work while somebody is in Poll.
func NewNet() (*Net, error) {
	n := &Net{}
	var e *C.trilane_error
	if s := C.trilane_net_driven(&n.p, &e); s != 0 {
		return nil, netError(C.int(s), e)
	}
	return n, nil
}

// Submit has what the items ask for done: by who is in Poll, or comes there next. One goroutine at a time.
func (n *Net) Submit(items []byte) {
	p, pn := bytesPtr(items)
	C.tl_net_submit(n.p, p, pn)
}

// Poll waits for records and fills buf with whole ones. A result larger than buf is the size that is needed.
func (n *Net) Poll(buf []byte) int {
	return int(C.trilane_net_poll(n.p, (*C.uint8_t)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)), -1))
}

// Connect is where a channel leads, and its TLS. Files are PEM; what is empty is absent.
type Connect struct {
	// Targets is "host:port,host:port".
	Targets string
	// TLS speaks TLS also without Roots, and trusts the system's certificates then.
	TLS bool
	// Roots are the certificates that the server's must come from: it speaks TLS.
	Roots string
	// Certificates and Key are the client's own.
	Certificates, Key string
	// ServerName is the name that the server's certificate must have in place of the target's host.
	ServerName string
}

// Open makes a channel.
func (n *Net) Open(to Connect) (*Channel, error) {
	c := &Channel{}
	var e *C.trilane_error
	var flags C.uint32_t
	if to.TLS {
		flags = C.TRILANE_CONNECT_TLS
	}
	t, tn := stringPtr(to.Targets)
	r, rn := stringPtr(to.Roots)
	o, on := stringPtr(to.Certificates)
	k, kn := stringPtr(to.Key)
	m, mn := stringPtr(to.ServerName)
	if s := C.tl_net_connect(n.p, t, tn, flags, r, rn, o, on, k, kn, m, mn, &c.p, &e); s != 0 {
		return nil, netError(s, e)
	}
	return c, nil
}

// Unary appends the item that starts a unary call; appendMessage appends the message.
func (c *Channel) Unary(to []byte, tag uint64, path string, metadata []byte, timeout uint64, flags uint32,
	appendMessage func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(to)
	to = c.item(to, C.TRILANE_ITEM_UNARY, tag, timeout, flags)
	to = append(append(to, path...), metadata...)
	at := len(to)
	to, err := appendMessage(to)
	if err != nil {
		return nil, err
	}
	for i, n := range [...]int{len(path), len(metadata), len(to) - at} {
		binary.LittleEndian.PutUint32(to[start+36+4*i:], uint32(n))
	}
	for len(to)%8 != start%8 {
		to = append(to, 0)
	}
	binary.LittleEndian.PutUint32(to[start:], uint32(len(to)-start))
	return to, nil
}

// Cancel is the item that cancels a unary call.
func (c *Channel) Cancel(tag uint64) []byte { return c.item(nil, C.TRILANE_ITEM_CANCEL, tag, 0, 0) }

// Free is the item that frees the channel, its last.
func (c *Channel) Free() []byte { return c.item(nil, C.TRILANE_ITEM_FREE, 0, 0, 0) }

func (c *Channel) item(to []byte, kind uint32, tag, timeout uint64, flags uint32) []byte {
	to = binary.LittleEndian.AppendUint32(to, itemBytes)
	to = binary.LittleEndian.AppendUint32(to, kind)
	to = binary.LittleEndian.AppendUint64(to, tag)
	to = binary.LittleEndian.AppendUint64(to, uint64(uintptr(unsafe.Pointer(c.p))))
	to = binary.LittleEndian.AppendUint64(to, timeout)
	to = binary.LittleEndian.AppendUint32(to, flags)
	return append(to, make([]byte, 12)...)
}

// Stream starts a call whose messages come and go one by one.
func (c *Channel) Stream(tag uint64, path string, metadata []byte, timeout uint64, flags uint32) (*Call, error) {
	call := &Call{}
	var e *C.trilane_error
	p, pn := stringPtr(path)
	m, mn := bytesPtr(metadata)
	enter()
	defer leave()
	s := C.tl_net_stream(c.p, C.uint64_t(tag), p, pn, m, mn, C.uint64_t(timeout), C.uint32_t(flags), &call.p, &e)
	if s != 0 {
		return nil, netError(s, e)
	}
	return call, nil
}

// crossings is room for the goroutines that may be in the native side for a stream or a served call: where one is held
// up there, on a busy machine, each further one would take a thread along.
var crossings = make(chan struct{}, max(4, runtime.GOMAXPROCS(0)))

func enter() { crossings <- struct{}{} }
func leave() { <-crossings }

func (c *Call) use(f func(*C.trilane_call)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	enter()
	defer leave()
	if c.p != nil {
		f(c.p)
	}
}

// Send sends a message, or says ErrFull.
func (c *Call) Send(message []byte) (err error) {
	d, dn := bytesPtr(message)
	c.use(func(p *C.trilane_call) {
		if C.tl_net_send(p, d, dn) == C.TRILANE_STATUS_FULL {
			err = ErrFull
		}
	})
	return err
}

// HalfClose says that no more messages will be sent.
func (c *Call) HalfClose() { c.use(func(p *C.trilane_call) { C.trilane_call_half_close(p) }) }

// Receive asks for one message.
func (c *Call) Receive() { c.use(func(p *C.trilane_call) { C.trilane_call_receive(p) }) }

// Headers asks for the response headers.
func (c *Call) Headers() { c.use(func(p *C.trilane_call) { C.trilane_call_headers(p) }) }

// Cancel cancels the call.
func (c *Call) Cancel() { c.use(func(p *C.trilane_call) { C.trilane_call_cancel(p) }) }

// Free frees the call; later uses do nothing.
func (c *Call) Free() {
	c.use(func(p *C.trilane_call) {
		C.trilane_call_free(p)
		c.p = nil
	})
}
