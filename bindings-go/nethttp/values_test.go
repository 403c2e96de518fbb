package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/native"
)

const istio = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: stock}
spec:
  hosts: [stock.shop]
  ports: [{number: 80, name: http}]
  endpoints:
    - {address: 127.0.0.1, ports: {http: %[1]s}, labels: {version: v1}}
    - {address: 127.0.0.1, ports: {http: %[2]s}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: stock}
spec:
  host: stock.shop
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: stock}
spec:
  hosts: [stock.shop]
  http:
    - match: [{headers: {x-user: {exact: ann}}}, {queryParams: {v: {exact: "2"}}}, {method: {exact: DELETE}}]
      route: [{destination: {host: stock.shop, subset: v2}}]
    - match: [{headers: {x-mse-tag: {exact: gray}}}]
      route: [{destination: {host: stock.shop, subset: v2}}]
    - match: [{uri: {exact: /broken}}]
      fault: {abort: {httpStatus: 418, percentage: {value: 100}}, delay: {fixedDelay: 1ms, percentage: {value: 100}}}
      route: [{destination: {host: stock.shop, subset: v1}}]
    - match: [{uri: {exact: /late}}]
      fault: {delay: {fixedDelay: 1h, percentage: {value: 100}}}
      route: [{destination: {host: stock.shop, subset: v1}}]
    - match: [{uri: {prefix: /hangs}}]
      timeout: 50ms
      route: [{destination: {host: stock.shop, subset: v1}}]
    - match: [{uri: {exact: /half}}]
      route:
        - {destination: {host: stock.shop, subset: v1}, weight: 50}
        - {destination: {host: stock.shop, subset: v2}, weight: 50}
    - route: [{destination: {host: stock.shop, subset: v1}}]
`

// replace puts a rule file in place.
func replace(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(rulesFile+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(rulesFile+".new", rulesFile); err != nil {
		t.Fatal(err)
	}
}

// swap puts a rule file in force and waits until an authority is named in it.
func swap(t *testing.T, text, authority string) {
	t.Helper()
	replace(t, text)
	for end := time.Now().Add(2 * time.Minute); native.Default().Authority(authority) == 0; {
		if time.Now().After(end) {
			t.Fatalf("the engine did not take up\n%s", text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func port(s *httptest.Server) string {
	_, port, _ := net.SplitHostPort(address(s))
	return port
}

func TestIstiosRulesDecideByTheValuesOfACall(t *testing.T) {
	hangs := make(chan struct{})
	v1 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			select {
			case <-hangs:
			case <-r.Context().Done():
			}
		}
		fmt.Fprint(w, "base")
	}))
	defer v1.Close()
	defer close(hangs)
	swap(t, fmt.Sprintf(istio, port(v1), port(gray)), "stock.shop:80")
	defer swap(t, fmt.Sprintf(rules, address(base), address(gray)), "pricing.shop:8080")
	user := func(name string) func(*http.Request) { return header("X-User", name) }
	method := func(name string) func(*http.Request) { return func(r *http.Request) { r.Method = name } }
	for range 20 {
		for _, c := range []struct {
			path, tag string
			edit      func(*http.Request)
			who       string
		}{
			{"/", "", nil, "base"},
			{"/", "", user("ann"), "gray"},
			{"/", "", user("bob"), "base"},
			{"/x?v=2", "", nil, "gray"},
			{"/x?v=22", "", nil, "base"},
			{"/", "", method("DELETE"), "gray"},
			{"/", "gray", nil, "gray"}, // what is still to be written on the call counts
			{"/", "blue", nil, "base"},
		} {
			got, _, err := call(t, "http://stock.shop"+c.path, c.tag, c.edit)
			if who, _, _ := strings.Cut(got, " "); err != nil || who != c.who {
				t.Fatalf("%s tag=%q: reached %q, %v; want %s", c.path, c.tag, got, err, c.who)
			}
		}
	}
	seen := map[string]int{}
	for range 60 {
		got, _, _ := call(t, "http://stock.shop/half", "", nil)
		who, _, _ := strings.Cut(got, " ")
		seen[who]++
	}
	if seen["gray"] < 10 || seen["base"] < 10 { // by chance once in 10 million runs
		t.Errorf("of 60 calls by halves: %v", seen)
	}
	got, resp, err := call(t, "http://stock.shop/broken", "", nil)
	if err != nil || resp.StatusCode != http.StatusTeapot || !strings.Contains(got, "a rule aborts this call") {
		t.Errorf("an abort: %v %v %q", err, resp, got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late, _ := http.NewRequestWithContext(ctx, "GET", "http://stock.shop/late", nil)
	if _, err := client.Do(late); !errors.Is(err, context.Canceled) {
		t.Errorf("a delay outlives its call: %v", err)
	}
	if _, _, err := call(t, "http://stock.shop/hangs", "", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a timeout: %v", err)
	}
}
