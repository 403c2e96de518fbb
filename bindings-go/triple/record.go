//go:build cgo && trilanenet

package triple

import (
	"encoding/binary"

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
	headers  []byte // see pairs
	trailers []byte
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
	end := n(0)
	all := append([]byte(nil), b[40:end]...)
	part := func(i int) []byte {
		p := all[:n(i):n(i)]
		all = all[n(i):]
		return p
	}
	r = &record{kind: n(1), code: codes.Code(n(4))}
	r.message = string(part(5))
	r.details = part(6)
	r.headers = part(7)
	r.trailers = part(8)
	r.data = part(9)
	return r, uint64(n(2)) | uint64(n(3))<<32, b[end:]
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
