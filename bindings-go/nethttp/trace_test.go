package nethttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/nethttp"
)

const traceLabel = `apiVersion: istio.alibabacloud.com/v1
kind: TrafficLabel
metadata: {name: by-trace, namespace: istio-system}
spec:
  rules:
    - labels: [{name: lane, valueFrom: ["$getContext(x-request-id)"]}]
`

// A program that hands on nothing but the trace id: its calls find the tag again.
func TestACallFindsItsTagByTheTraceId(t *testing.T) {
	// The table knows tags that somebody named: here an instance.
	list, err := native.Default().ListNew([]string{"any"}, []native.Instance{
		{Address: "10.0.0.1:1", Metadata: [][2]string{{"alicloud.service.tag", "gray"}}, Healthy: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer native.Default().ListFree(list)
	replace(t, traceLabel)
	defer swap(t, fmt.Sprintf(rules, address(base), address(gray)), "pricing.shop:8080")
	for end := time.Now().Add(20 * time.Second); len(native.Default().TraceNames()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the label was not taken up")
		}
	}
	forgetful := httptest.NewServer(nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, _ := http.NewRequest("GET", stranger.URL, nil) // another context than the request's
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
	ask := func(id, tag string) string {
		r, _ := http.NewRequest("GET", forgetful.URL, nil)
		r.Header.Set("X-Request-Id", id)
		if tag != "" {
			r.Header.Set("X-Mse-Tag", tag)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	host := address(stranger)
	want := func(got, tag string) {
		t.Helper()
		if wanted := "stranger tag=" + tag + " host=" + host + " baggage="; got != wanted {
			t.Errorf("got %q, want %q", got, wanted)
		}
	}
	for end := time.Now().Add(20 * time.Second); ; {
		if ask("r-0", "gray") == "stranger tag=gray host="+host+" baggage=" || time.Now().After(end) {
			break // the headers are looked at with the switches
		}
	}
	want(ask("r-1", "gray"), "gray")
	want(ask("r-2", ""), "")
	want(ask("r-1", ""), "gray")
}
