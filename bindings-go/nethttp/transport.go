package nethttp

import (
	"net/http"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/httpout"
)

// Transport marks every call with the tag of the request that makes it, and sends a call to an authority that the
// rules name to an instance of its lane. A nil base is http.DefaultTransport.
func Transport(base http.RoundTripper) http.RoundTripper {
	trilane.Start()
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{base}
}

type transport struct {
	base http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return httpout.Send(r, t.base.RoundTrip)
}

// CloseIdleConnections reaches the base, as http.Client.CloseIdleConnections expects.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
