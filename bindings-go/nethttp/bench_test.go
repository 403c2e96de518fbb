package nethttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/httpout"
	"github.com/trilane/trilane/bindings-go/nethttp"
)

type nothing struct{}

func (nothing) ServeHTTP(http.ResponseWriter, *http.Request) {}

func (nothing) RoundTrip(*http.Request) (*http.Response, error) { return nil, nil }

// What the middleware adds to a request: the same handler with and without it.
func BenchmarkHandler(b *testing.B) {
	for name, tag := range map[string]string{"untagged": "", "tagged": "gray", "unknown": "t7"} {
		r := httptest.NewRequest("GET", "/", nil)
		if tag != "" {
			r.Header.Set("x-mse-tag", tag)
		}
		w := httptest.NewRecorder()
		h := nethttp.Handler(nothing{})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

func sent(*http.Request) (*http.Response, error) { return nil, nil }

// What a call costs on its way out: decided, picked, redirected and written on a copy.
func BenchmarkSend(b *testing.B) {
	for _, c := range []struct{ name, url, tag string }{
		{"routed-tagged", "http://pricing.shop:8080/", "gray"},
		{"routed-untagged", "http://pricing.shop:8080/", ""},
		{"unnamed-tagged", "http://other.example.com:8080/", "gray"},
	} {
		r := httptest.NewRequest("GET", c.url, nil)
		r = r.WithContext(trilane.With(b.Context(), c.tag))
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := httpout.Send(r, sent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
