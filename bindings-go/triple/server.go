//go:build cgo && trilanenet

package triple

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"google.golang.org/grpc"
)

// Server hosts services behind grpc.ServiceRegistrar: give it to the Register function of a generated service.
type Server struct {
	hub      *hub
	native   *native.Server
	options  serverOptions
	services map[string]grpc.ServiceInfo
	mu       sync.Mutex // stopped, and that nothing begins after it
	stopped  bool
	running  sync.WaitGroup
	ended    chan struct{}
	err      error
}

var _ grpc.ServiceRegistrar = (*Server)(nil)

type serverOptions struct {
	group, version   string
	cert, key, roots string
	unary            []grpc.UnaryServerInterceptor
	stream           []grpc.StreamServerInterceptor
}

// ServerOption is an option of NewServer.
type ServerOption func(*serverOptions)

// UnaryInterceptors run around every unary call, the first one outermost.
func UnaryInterceptors(all ...grpc.UnaryServerInterceptor) ServerOption {
	return func(o *serverOptions) { o.unary = append(o.unary, all...) }
}

// StreamInterceptors run around every streaming call, the first one outermost.
func StreamInterceptors(all ...grpc.StreamServerInterceptor) ServerOption {
	return func(o *serverOptions) { o.stream = append(o.stream, all...) }
}

// GroupVersion hosts what is registered for calls of that group and version of Dubbo only; "" means none.
func GroupVersion(group, version string) ServerOption {
	return func(o *serverOptions) { o.group, o.version = group, version }
}

// ServerTLS serves TLS with these PEM files, which are read again when they change. clientRoots names the certificates
// that clients must be signed by; "" asks clients for none.
func ServerTLS(certificates, key, clientRoots string) ServerOption {
	return func(o *serverOptions) { o.cert, o.key, o.roots = certificates, key, clientRoots }
}

// NewServer makes a server that hosts nothing yet. Every call runs on a goroutine of its own; the lane of a call is in
// its context, as trilane.Current reads it.
func NewServer(options ...ServerOption) (*Server, error) {
	trilane.Start()
	h, err := shared()
	if err != nil {
		return nil, err
	}
	n, err := h.net.NewServer()
	if err != nil {
		return nil, err
	}
	s := &Server{hub: h, native: n, services: map[string]grpc.ServiceInfo{}, ended: make(chan struct{})}
	for _, option := range options {
		option(&s.options)
	}
	return s, nil
}

// RegisterService hosts a service; what cannot be hosted is said by Listen.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	info := grpc.ServiceInfo{Metadata: desc.Metadata}
	for i := range desc.Methods {
		name := desc.Methods[i].MethodName
		s.host(&method{server: s, impl: impl, unary: &desc.Methods[i], path: "/" + desc.ServiceName + "/" + name})
		info.Methods = append(info.Methods, grpc.MethodInfo{Name: name})
	}
	for i := range desc.Streams {
		d := &desc.Streams[i]
		s.host(&method{server: s, impl: impl, stream: d, path: "/" + desc.ServiceName + "/" + d.StreamName})
		info.Methods = append(info.Methods, grpc.MethodInfo{
			Name: d.StreamName, IsClientStream: d.ClientStreams, IsServerStream: d.ServerStreams,
		})
	}
	s.services[desc.ServiceName] = info
}

func (s *Server) host(m *method) {
	number := s.hub.addMethod(m)
	if err := s.native.Method(m.path, s.options.group, s.options.version, number, m.unary != nil); err != nil {
		s.err = errors.Join(s.err, err)
	}
}

// GetServiceInfo is what grpc's reflection service asks for.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo { return s.services }

// Listen starts to serve at "host:port" (port 0: the kernel chooses) and says where.
func (s *Server) Listen(address string) (net.Addr, error) {
	if s.err != nil {
		return nil, s.err
	}
	o := &s.options
	port, err := s.native.Listen(address, o.cert, o.key, o.roots)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("trilane: %w", err)
	}
	return net.ResolveTCPAddr("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// Wait returns when the server was stopped.
func (s *Server) Wait() { <-s.ended }

// GracefulStop takes no new calls and returns when those that run have ended.
func (s *Server) GracefulStop() {
	s.whileRunning(func() { s.native.Drain() })
	for left := 1; left > 0; {
		left = 0
		s.whileRunning(func() { left = s.native.Connections() })
		time.Sleep(5 * time.Millisecond)
	}
	s.Stop()
	s.running.Wait()
}

// Stop ends the server at once; the contexts of running calls are cancelled. It does not wait for their handlers.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.stopped = true
		s.native.Free()
		close(s.ended)
	}
}

// whileRunning keeps the native server from being freed meanwhile.
func (s *Server) whileRunning(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		f()
	}
}

// begins counts a call that begins; false when none may.
func (s *Server) begins() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.running.Add(1)
	}
	return !s.stopped
}

// method is one that is hosted.
type method struct {
	server *Server
	impl   any
	path   string
	unary  *grpc.MethodDesc
	stream *grpc.StreamDesc
}

func (o *serverOptions) aroundUnary() grpc.UnaryServerInterceptor {
	if len(o.unary) == 0 {
		return nil
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, last grpc.UnaryHandler) (any, error) {
		next := last
		for i := len(o.unary) - 1; i >= 0; i-- {
			around, inner := o.unary[i], next
			next = func(ctx context.Context, req any) (any, error) { return around(ctx, req, info, inner) }
		}
		return next(ctx, req)
	}
}

func (o *serverOptions) runStream(m *method, ss grpc.ServerStream) error {
	info := &grpc.StreamServerInfo{
		FullMethod: m.path, IsClientStream: m.stream.ClientStreams, IsServerStream: m.stream.ServerStreams,
	}
	next := m.stream.Handler
	for i := len(o.stream) - 1; i >= 0; i-- {
		around, inner := o.stream[i], next
		next = func(impl any, ss grpc.ServerStream) error { return around(impl, ss, info, inner) }
	}
	return next(m.impl, ss)
}
