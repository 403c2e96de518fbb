package nethttp_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/trilane/trilane/bindings-go/internal/testdns"
)

// names is what this package's tests resolve by; nothing else in them dials a name that exists.
var names = func() *testdns.Names {
	n, err := testdns.Start()
	if err != nil {
		panic(err)
	}
	return n
}()

// two are servers on one port of two addresses.
func two(t *testing.T) (first, second *httptest.Server, port string) {
	t.Helper()
	says := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s tag=%s host=%s", name, r.Header.Get("x-mse-tag"), r.Host)
		})
	}
	for range 20 {
		first = listen(t, "127.0.0.1:0", says("first"))
		_, port, _ = net.SplitHostPort(address(first))
		free, err := net.Listen("tcp", "127.0.0.2:"+port)
		if err != nil {
			continue // somebody else's
		}
		second = httptest.NewUnstartedServer(says("second"))
		second.Listener.Close()
		second.Listener = free
		second.Start()
		t.Cleanup(second.Close)
		return first, second, port
	}
	t.Fatal("no port that is free on 127.0.0.1 and 127.0.0.2")
	return nil, nil, ""
}

func TestAnInstanceMayBeANameAndFollowsItsAddress(t *testing.T) {
	first, second, port := two(t)
	names.Set("gray.lane.test", "127.0.0.1")
	retried(t, fmt.Sprintf(`{address: "%s"}, {address: "gray.lane.test:%s", tag: gray}`, address(base), port))
	answers := func(want string) {
		t.Helper()
		if got, _, err := call(t, "http://retry.shop/", "gray", nil); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	answers("first tag=gray host=retry.shop")
	names.Set("gray.lane.test", "127.0.0.2")
	first.Close() // and with it the connection that was kept
	answers("second tag=gray host=retry.shop")
	names.Set("gray.lane.test", "")
	second.Close()
	answers("base tag=gray host=retry.shop baggage=") // nobody has the name any longer: the lane's fallback
}
