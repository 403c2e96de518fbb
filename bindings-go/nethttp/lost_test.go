package nethttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/nethttp"
)

// A handler that calls on without its request's context loses the tag; one that hands it on does not.
func TestACallWithoutItsRequestsContextIsTold(t *testing.T) {
	e := native.Default()
	client := &http.Client{Transport: nethttp.Transport(nil)}
	lose := false
	front := httptest.NewServer(nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if lose {
			ctx = t.Context()
		}
		out, _ := http.NewRequestWithContext(ctx, "GET", "http://pricing.shop/", nil)
		if resp, err := client.Do(out); err == nil {
			resp.Body.Close()
		}
	})))
	defer front.Close()
	lost := func() uint64 { return e.Counted("tag_lost") }
	before := lost()
	for i := 0; i < 3; i++ {
		ask(t, http.DefaultClient, front.URL, "x-mse-tag", "gray")
		ask(t, http.DefaultClient, front.URL)
	}
	if lost() != before {
		t.Fatalf("%d calls are told that lost nothing", lost()-before)
	}
	lose = true
	// At most one call a second is looked at, by whatever test of this process made it.
	for end := time.Now().Add(2 * time.Minute); lost() == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the loss was never told")
		}
		ask(t, http.DefaultClient, front.URL, "x-mse-tag", "gray")
	}
}
