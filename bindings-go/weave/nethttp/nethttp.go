// Package nethttp is what the woven net/http calls. The linker joins the variables here with those that the aspects
// declare inside net/http, which cannot import us.
package nethttp

import (
	"context"
	"net/http"
	_ "unsafe" // for go:linkname

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/httpout"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
	"github.com/trilane/trilane/bindings-go/internal/woven"
)

//go:linkname enter __trilane_http_enter
var enter = func(r *http.Request) (context.Context, any) {
	s, _ := flow.In(flow.NetHTTP, native.HTTP, r.Header, flow.Canonical, func() string { return r.RemoteAddr })
	return scope.Enter(r.Context(), s), s
}

//go:linkname leave __trilane_http_leave
var leave = func(s any) {
	scope.Leave(s.(*scope.Scope))
}

//go:linkname send __trilane_http_send
var send = httpout.Send

//go:linkname serverWoven __trilane_http_server_woven
var serverWoven bool

//go:linkname clientWoven __trilane_http_client_woven
var clientWoven bool

func init() {
	if serverWoven {
		woven.Note("net/http server")
	}
	if clientWoven {
		woven.Note("net/http client")
	}
}
