package nethttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trilane/trilane/bindings-go/nethttp"
)

// A program that hands on nothing but the trace id: its calls find the tag again.
func TestACallFindsItsTagByTheTraceId(t *testing.T) {
	forgetful := httptest.NewServer(nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, _ := http.NewRequest("GET", "http://pricing.shop:8080/", nil) // not in the request's context
		out.Header.Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		resp, err := client.Do(out)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	})))
	defer forgetful.Close()
	for _, c := range []struct{ id, tag, who string }{
		{"r-1", "", "base tag= "}, {"r-1", "gray", "gray tag=gray "}, {"r-1", "", "gray tag=gray "},
		{"r-2", "", "base tag= "}, {"", "gray", "base tag= "},
	} {
		r, _ := http.NewRequest("GET", forgetful.URL, nil)
		r.Header.Set("X-Request-Id", c.id)
		if c.tag != "" {
			r.Header.Set("X-Mse-Tag", c.tag)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := string(b); !strings.HasPrefix(got, c.who) {
			t.Errorf("id %q, tag %q: got %q, want %s", c.id, c.tag, got, c.who)
		}
	}
}
