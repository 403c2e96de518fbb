// Package nethttp keeps the lane through net/http: Handler on the way in, Transport on the way out.
package nethttp

import (
	"net/http"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// Handler finds the tag of every request and puts it into its context. It always sets or clears: what an earlier
// request left on the goroutine is never seen.
func Handler(next http.Handler) http.Handler {
	trilane.Start()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := flow.In(flow.NetHTTP, native.HTTP, r.Header, flow.Canonical, func() string { return r.RemoteAddr })
		ctx := scope.Enter(r.Context(), s)
		defer scope.Leave(s)
		own := r.WithContext(ctx)
		// The server cleans up the form of the request that it made, and outer middleware reads its pattern.
		defer func() { r.MultipartForm, r.Pattern = own.MultipartForm, own.Pattern }()
		next.ServeHTTP(w, own)
	})
}
