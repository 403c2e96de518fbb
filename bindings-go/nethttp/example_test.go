package nethttp_test

import "net/http"

import "github.com/trilane/trilane/bindings-go/nethttp"

// The lines of docs/go.md; a test of the program holds the page to these.
func Example() {
	var addr string
	mux := http.NewServeMux()

	http.ListenAndServe(addr, nethttp.Handler(mux))
	client := &http.Client{Transport: nethttp.Transport(nil)}
	_ = client
}
