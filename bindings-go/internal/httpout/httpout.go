// Package httpout turns one outgoing net/http request into the one that is sent: routed, and with its carriers
// written. It is the same for a linked and a woven program.
package httpout

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// Prepare gives the request to send. It is r itself when nothing is to be changed; r is never written to, so that a
// request object that the application uses again cannot keep our header.
func Prepare(r *http.Request) (*http.Request, error) {
	e := native.Default()
	if r.URL == nil || !flow.NetHTTP.On(e) {
		return r, nil
	}
	s := scope.Of(r.Context())
	written := r.Header[canonicalCarrier]
	steer := s
	if len(written) > 0 {
		steer = flow.Steer(e, written[0], s)
	}
	authority := authorityOf(r)
	address, named, err := route(e, r, authority, steer)
	if err != nil {
		return nil, err
	}
	out := r
	if address != "" && address != r.URL.Host {
		out = redirect(r, address)
	}
	if s != nil && len(written) == 0 && (named || flow.Known(e, authority)) {
		out = write(e, r, out, s.Tag)
	}
	return out, nil
}

var canonicalCarrier = textproto.CanonicalMIMEHeaderKey(flow.Carrier)

// authorityOf is what the call dials, with its port.
func authorityOf(r *http.Request) string {
	host := r.URL.Host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host
	}
	if r.URL.Scheme == "https" {
		return host + ":443"
	}
	return host + ":80"
}

// route asks for an address. A call by https is carried but not routed: its certificate is checked against the name
// that is dialled.
func route(e *native.Engine, r *http.Request, authority string, s *scope.Scope) (string, bool, error) {
	if r.URL.Scheme != "http" {
		return "", false, nil
	}
	address, named, err := flow.Route(e, authority, s)
	if !named && authority != r.URL.Host {
		return flow.Route(e, r.URL.Host, s)
	}
	return address, named, err
}

// redirect sends the request to an instance under the name that the application called.
func redirect(r *http.Request, address string) *http.Request {
	out := *r
	u := *r.URL
	u.Host = address
	out.URL = &u
	if out.Host == "" {
		out.Host = r.URL.Host
	}
	return &out
}

// write puts the carriers on a copy. A carrier that the application wrote itself stays.
func write(e *native.Engine, r, out *http.Request, tag string) *http.Request {
	if out == r {
		c := *r
		out = &c
	}
	header := r.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for _, name := range flow.Writes(e, native.HTTP) {
		key := textproto.CanonicalMIMEHeaderKey(name)
		if _, own := header[key]; !own {
			header[key] = []string{tag}
		}
	}
	if old := header["Baggage"]; len(old) > 0 {
		header["Baggage"] = []string{flow.Baggage(e, old, tag)}
	}
	out.Header = header
	return out
}
