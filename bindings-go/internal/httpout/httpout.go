// Package httpout sends one outgoing net/http request: routed, and with its carriers written. It is the same for a
// linked and a woven program.
package httpout

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// Send is RoundTrip around next. A request of which nothing is to be changed goes to next as it is. r is never written
// to, so that a request object that the application uses again, or that is redirected, cannot keep our headers.
func Send(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	e := native.Default()
	if r.URL == nil || !flow.NetHTTP.On(e) {
		return next(r)
	}
	c, err := prepare(e, r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	if resp, err := fault(r, c.choice.Policy); resp != nil || err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return resp, err
	}
	if c.out == r {
		return next(r)
	}
	var resp *http.Response
	if c.choice.Address == "" {
		resp, err = next(c.out)
	} else if limit := c.choice.Policy.Timeout; limit > 0 {
		resp, err = within(limit, c.out, func(out *http.Request) (*http.Response, error) {
			c.out = out
			return c.send(next)
		})
	} else {
		resp, err = c.send(next)
	}
	if resp != nil {
		resp.Request = r // the application sees the request that it made
	}
	return resp, err
}

// call is one request on its way.
type call struct {
	engine    *native.Engine
	made, out *http.Request
	authority string
	steer     *scope.Scope
	choice    flow.Choice
}

func prepare(e *native.Engine, r *http.Request) (call, error) {
	s := flow.Traced(e, scope.Of(r.Context()), func(name string) string { return r.Header.Get(name) })
	c := call{engine: e, made: r, out: r, steer: s}
	carries := s.Name() != ""
	if written := r.Header[canonicalCarrier]; len(written) > 0 {
		c.steer, carries = flow.Steer(e, written[0], s), false
	}
	if err := c.route(); err != nil {
		return c, err
	}
	if s == nil && c.steer == nil && flow.Suspect(r.Context()) && (c.choice.Named || flow.Known(e, c.authority)) {
		flow.TellLost(e)
	}
	if c.choice.Address != "" {
		c.redirect()
	}
	if (carries || len(s.Passes()) > 0) && (c.choice.Named || flow.Known(e, c.authority)) {
		c.write(s, carries)
	}
	return c, nil
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
func (c *call) route() (err error) {
	c.authority = authorityOf(c.made)
	if c.made.URL.Scheme != "http" {
		return nil
	}
	c.choice, err = flow.Route(c.engine, c.authority, c.steer, (*asked)(c.made))
	if !c.choice.Named && c.authority != c.made.URL.Host {
		c.authority = c.made.URL.Host
		c.choice, err = flow.Route(c.engine, c.authority, c.steer, (*asked)(c.made))
	}
	return err
}

// redirect sends the request to the chosen instance under the name that the application called.
func (c *call) redirect() {
	out := *c.out
	u := *c.made.URL
	u.Host = c.choice.Address
	out.URL = &u
	if out.Host == "" {
		out.Host = c.made.URL.Host
	}
	c.out = &out
}

// write puts the carriers, and what is passed through, on the copy. What the application wrote itself stays.
func (c *call) write(s *scope.Scope, carries bool) {
	if c.out == c.made {
		out := *c.made
		c.out = &out
	}
	header := c.made.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if carries {
		for _, name := range flow.Writes(c.engine, native.HTTP) {
			key := textproto.CanonicalMIMEHeaderKey(name)
			if _, own := header[key]; !own {
				header[key] = []string{s.Tag}
			}
		}
		if old := header["Baggage"]; len(old) > 0 {
			header["Baggage"] = []string{flow.Baggage(c.engine, old, s.Tag)}
		}
	}
	for _, p := range s.Passes() {
		if _, own := header[p.Canonical]; !own {
			header[p.Canonical] = []string{p.Value}
		}
	}
	c.out.Header = header
}
