//go:build cgo && trilanenet

package native

/*
#include <stdlib.h>
#include "trilane_net.h"

static inline trilane_str tl_srv_str(const void *p, size_t n) {
	trilane_str s = { (const uint8_t *)(p ? p : ""), n };
	return s;
}

static inline int tl_srv_method(const trilane_server *s, const void *path, size_t path_len, const void *group,
                                size_t group_len, const void *version, size_t version_len, uint32_t number,
                                uint32_t flags, trilane_error **error) {
	trilane_method m = {0};
	m.struct_size = sizeof m;
	m.path = tl_srv_str(path, path_len);
	m.group = tl_srv_str(group, group_len);
	m.version = tl_srv_str(version, version_len);
	m.number = number;
	m.flags = flags;
	return trilane_server_method(s, &m, error);
}

static inline int tl_srv_listen(const trilane_server *s, const void *address, size_t address_len, const void *cert,
                                size_t cert_len, const void *key, size_t key_len, const void *roots,
                                size_t roots_len, uint16_t *port, trilane_error **error) {
	trilane_listen l = {0};
	l.struct_size = sizeof l;
	l.address = tl_srv_str(address, address_len);
	l.certificates = tl_srv_str(cert, cert_len);
	l.key = tl_srv_str(key, key_len);
	l.client_roots = tl_srv_str(roots, roots_len);
	return trilane_server_listen(s, &l, port, error);
}

static inline int tl_srv_send(const trilane_net *n, uint64_t id, const void *message, size_t len) {
	return trilane_served_send(n, id, tl_srv_str(message, len));
}

static inline int tl_srv_headers(const trilane_net *n, uint64_t id, const void *metadata, size_t len) {
	return trilane_served_headers(n, id, tl_srv_str(metadata, len));
}

static inline int tl_srv_end(const trilane_net *n, uint64_t id, uint32_t code, const void *message, size_t message_len,
                             const void *details, size_t details_len, const void *headers, size_t headers_len,
                             const void *trailers, size_t trailers_len, const void *data, size_t data_len,
                             uint32_t has_data) {
	trilane_answer a = {0};
	a.struct_size = sizeof a;
	a.code = code;
	a.message = tl_srv_str(message, message_len);
	a.details = tl_srv_str(details, details_len);
	a.headers = tl_srv_str(headers, headers_len);
	a.trailers = tl_srv_str(trailers, trailers_len);
	a.data = tl_srv_str(data, data_len);
	a.has_data = has_data;
	return trilane_served_end(n, id, &a);
}
*/
import "C"

import (
	"errors"
	"fmt"
)

// Kinds of record that concern a server's calls.
const (
	RecordServed        = C.TRILANE_RECORD_SERVED
	RecordServedMessage = C.TRILANE_RECORD_SERVED_MESSAGE
	RecordServedLast    = C.TRILANE_RECORD_SERVED_LAST
	RecordServedRoom    = C.TRILANE_RECORD_SERVED_ROOM
	RecordServedGone    = C.TRILANE_RECORD_SERVED_GONE
)

// ErrGone says that a server's call has ended.
var ErrGone = errors.New("the call has ended")

// Server is a native server.
type Server struct{ p *C.trilane_server }

// NewServer makes a server that hosts nothing yet.
func (n *Net) NewServer() (*Server, error) {
	s := &Server{}
	if status := C.trilane_server_new(n.p, &s.p); status != 0 {
		return nil, netError(C.int(status), nil)
	}
	return s, nil
}

// Method hosts a method; number comes back in the record that begins a call.
func (s *Server) Method(path, group, version string, number uint32, unary bool) error {
	var e *C.trilane_error
	p, pn := stringPtr(path)
	g, gn := stringPtr(group)
	v, vn := stringPtr(version)
	flags := C.uint32_t(0)
	if unary {
		flags = C.TRILANE_METHOD_UNARY
	}
	if status := C.tl_srv_method(s.p, p, pn, g, gn, v, vn, C.uint32_t(number), flags, &e); status != 0 {
		return netError(status, e)
	}
	return nil
}

// Listen starts the server and says its port. cert, key and roots name PEM files; empty means plaintext, and no
// certificates of clients.
func (s *Server) Listen(address, cert, key, roots string) (int, error) {
	var e *C.trilane_error
	var port C.uint16_t
	a, an := stringPtr(address)
	c, cn := stringPtr(cert)
	k, kn := stringPtr(key)
	r, rn := stringPtr(roots)
	if status := C.tl_srv_listen(s.p, a, an, c, cn, k, kn, r, rn, &port, &e); status != 0 {
		return 0, netError(status, e)
	}
	return int(port), nil
}

// Drain lets no new calls in.
func (s *Server) Drain() { C.trilane_server_drain(s.p) }

// Connections counts.
func (s *Server) Connections() int { return int(C.trilane_server_connections(s.p)) }

// Free ends the server at once.
func (s *Server) Free() { C.trilane_server_free(s.p) }

func served(status C.int) error {
	switch status {
	case C.TRILANE_STATUS_OK:
		return nil
	case C.TRILANE_STATUS_FULL:
		return ErrFull
	case C.TRILANE_STATUS_GONE:
		return ErrGone
	default:
		return fmt.Errorf("trilane: status %d", int(status))
	}
}

// ServedReceive asks for one message of a call.
func (n *Net) ServedReceive(id uint64) error {
	enter()
	defer leave()
	return served(C.int(C.trilane_served_receive(n.p, C.uint64_t(id))))
}

// ServedSend sends a message, or says ErrFull or ErrGone.
func (n *Net) ServedSend(id uint64, message []byte) error {
	enter()
	defer leave()
	m, mn := bytesPtr(message)
	return served(C.tl_srv_send(n.p, C.uint64_t(id), m, mn))
}

// ServedHeaders sends the response headers. Another error than ErrGone says that the metadata was not taken.
func (n *Net) ServedHeaders(id uint64, metadata []byte) error {
	enter()
	defer leave()
	m, mn := bytesPtr(metadata)
	return served(C.tl_srv_headers(n.p, C.uint64_t(id), m, mn))
}

// Answer is how a call ends.
type Answer struct {
	Code                       uint32
	Message                    string
	Details, Headers, Trailers []byte
	// Data is a last message if HasData.
	Data    []byte
	HasData bool
}

// ServedEnd ends a call.
func (n *Net) ServedEnd(id uint64, a *Answer) error {
	enter()
	defer leave()
	m, mn := stringPtr(a.Message)
	d, dn := bytesPtr(a.Details)
	h, hn := bytesPtr(a.Headers)
	t, tn := bytesPtr(a.Trailers)
	b, bn := bytesPtr(a.Data)
	has := C.uint32_t(0)
	if a.HasData {
		has = 1
	}
	return served(C.tl_srv_end(n.p, C.uint64_t(id), C.uint32_t(a.Code), m, mn, d, dn, h, hn, t, tn, b, bn, has))
}
