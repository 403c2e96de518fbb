//go:build cgo && trilanenet

package triple

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	spb "google.golang.org/genproto/googleapis/rpc/status"
)

// record is one thing that happened to a call, copied out of the shared buffer.
type record struct {
	kind     uint32
	code     codes.Code
	message  string
	details  []byte
	headers  metadata.MD
	trailers metadata.MD
	data     []byte
}

// err is nil for OK, a status otherwise.
func (r *record) err() error {
	if r.code == codes.OK {
		return nil
	}
	if len(r.details) > 0 {
		p := &spb.Status{}
		if proto.Unmarshal(r.details, p) == nil {
			return status.ErrorProto(p)
		}
	}
	return status.Error(r.code, r.message)
}

// read takes the first record off b, and says what is left and whose it is.
func read(b []byte) (r *record, tag uint64, rest []byte) {
	n := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
	at := uint32(40)
	part := func(i int) []byte {
		p := b[at : at+n(i)]
		at += n(i)
		return p
	}
	r = &record{kind: n(1), code: codes.Code(n(4))}
	r.message = string(part(5))
	r.details = append([]byte(nil), part(6)...)
	r.headers = pairs(part(7))
	r.trailers = pairs(part(8))
	r.data = append([]byte(nil), part(9)...)
	return r, uint64(n(2)) | uint64(n(3))<<32, b[n(0):]
}

func pairs(b []byte) metadata.MD {
	md := metadata.MD{}
	for len(b) >= 8 {
		name, value := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		key := string(b[8 : 8+name])
		md[key] = append(md[key], string(b[8+name:8+name+value]))
		b = b[8+name+value:]
	}
	return md
}

func flatten(md metadata.MD) []byte {
	var out []byte
	for name, values := range md {
		for _, value := range values {
			out = binary.LittleEndian.AppendUint32(out, uint32(len(name)))
			out = binary.LittleEndian.AppendUint32(out, uint32(len(value)))
			out = append(append(out, name...), value...)
		}
	}
	return out
}

// hub is the one queue of the process: its poller is the only goroutine that holds a thread.
type hub struct {
	net    *native.Net
	calls  sync.Map // tag -> func(*record)
	tags   atomic.Uint64
	served sync.Map // id -> *served

	mu      sync.Mutex
	methods atomic.Pointer[[]*method] // replaced whole; a place in it is a method's number
}

func (h *hub) addMethod(m *method) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
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

func (h *hub) take(r *record, tag uint64) {
	switch {
	case r.kind == native.RecordServed:
		h.begin(r, tag)
	case r.kind > native.RecordServed:
		if s, ok := h.served.Load(tag); ok {
			s.(*served).tell(r)
		}
	default:
		if tell, ok := h.calls.Load(tag); ok {
			tell.(func(*record))(r)
		}
	}
}

var shared = sync.OnceValues(func() (*hub, error) {
	net, err := native.NewNet(0)
	if err != nil {
		return nil, err
	}
	h := &hub{net: net}
	go h.poll()
	return h, nil
})

func (h *hub) poll() {
	buf := make([]byte, 256<<10)
	for {
		n := h.net.Poll(buf)
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
	}
}

// add registers a call; tell runs on the poller and must not wait.
func (h *hub) add(tell func(*record)) uint64 {
	tag := h.tags.Add(1)
	h.calls.Store(tag, tell)
	return tag
}
