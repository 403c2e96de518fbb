//go:build trilanenet

// Command conformance is our Go face as the client and the server that connectconformance asks for:
//
//	conformance client    # requests on stdin, results on stdout, each with its length before it
//	conformance server    # one request on stdin, where it listens on stdout
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/trilane/trilane/tests/interop/conformance/pb"
)

// read takes one message off stdin.
func read(m proto.Message) error {
	var size [4]byte
	if _, err := io.ReadFull(os.Stdin, size[:]); err != nil {
		return err
	}
	data := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(os.Stdin, data); err != nil {
		return err
	}
	return proto.Unmarshal(data, m)
}

func write(m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	return err
}

func binaryName(name string) bool { return strings.HasSuffix(name, "-bin") }

// headers is metadata as the suite writes it: values of binary names in base64.
func headers(md metadata.MD) (all []*pb.Header) {
	for name, values := range md {
		h := &pb.Header{Name: name}
		for _, value := range values {
			if binaryName(name) {
				value = base64.RawStdEncoding.EncodeToString([]byte(value))
			}
			h.Value = append(h.Value, value)
		}
		all = append(all, h)
	}
	return all
}

func fromHeaders(all []*pb.Header) metadata.MD {
	md := metadata.MD{}
	for _, h := range all {
		name := strings.ToLower(h.Name)
		for _, value := range h.Value {
			if plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "=")); binaryName(name) && err == nil {
				value = string(plain)
			}
			md.Append(name, value)
		}
	}
	return md
}

func fromError(err error) *pb.Error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	return &pb.Error{Code: pb.Code(s.Code()), Message: proto.String(s.Message()), Details: s.Proto().GetDetails()}
}

// file keeps a PEM text where the transport reads it.
func file(pem []byte) (string, error) {
	if len(pem) == 0 {
		return "", nil
	}
	f, err := os.CreateTemp("", "conformance-*.pem")
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.Write(pem)
	return f.Name(), err
}

func asAny(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err) // a message of our own
	}
	return a
}

func main() {
	sides := map[string]func() error{"client": client, "server": serve}
	run := sides[strings.Join(os.Args[1:], " ")]
	if run == nil {
		fmt.Fprintln(os.Stderr, "conformance client | server")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
