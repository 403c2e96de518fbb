package flow_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/nethttp"
)

// This process is an edge, tagged, that trusts one network and passes two headers through.

const member = "__microservice_tag__=%5B%7B%22name%22%3A%22blue%22%7D%5D"

var logFile string

func TestMain(m *testing.M) {
	if !native.Decides {
		fmt.Println("skipped: built without cgo, nothing is decided")
		return
	}
	dir, err := os.MkdirTemp("", "trilane-flow-")
	if err != nil {
		panic(err)
	}
	logFile = filepath.Join(dir, "log")
	for name, value := range map[string]string{
		"ALICLOUD_SERVICE_TAG": "gray", "TRILANE_EDGE": "true", "TRILANE_EDGE_TRUST": "10.1.0.0/16",
		"ALICLOUD_SERVICE_HEADER": "X-A,x-b", "TRILANE_CARRIERS_READ": "x-lane-code", "TRILANE_LOG": logFile,
		"TRILANE_RULES": filepath.Join(dir, "none.yaml"),
	} {
		os.Setenv(name, value)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// told is every header that may matter, with all its lines.
func told(header http.Header) string {
	var all []string
	for name, values := range header {
		if strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "_") || name == "Baggage" || name == "Dubbo.tag" {
			all = append(all, strings.ToLower(name)+"="+strings.Join(values, "+"))
		}
	}
	sort.Strings(all)
	return "{" + strings.Join(all, " ") + "}"
}

// enter lets a request in from an address; then says what the application saw, its tag, and, where a url is given,
// what a call of its got there.
func enter(t *testing.T, from, url string, headers ...string) string {
	t.Helper()
	client := &http.Client{Transport: nethttp.Transport(nil)}
	h := nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s tag=%s", told(r.Header), trilane.Current(r.Context()).Tag)
		if url == "" {
			return
		}
		ctx := r.Context()
		if r.URL.Path == "/blue" {
			ctx = trilane.With(ctx, "blue")
		}
		out, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if own := r.Header.Get("x-own"); own != "" {
			out.Header.Set("x-a", own)
		}
		resp, err := client.Do(out)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		fmt.Fprintf(w, ">%s", b)
	}))
	path := "/"
	if len(headers) > 0 && headers[0] == "/blue" {
		path, headers = "/blue", headers[1:]
	}
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = from
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.String()
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

const stranger, friend = "192.0.2.1:1234", "10.1.2.3:1234"

func TestAnEdgeRemovesCarriersBeforeTheApplicationSeesThem(t *testing.T) {
	trilane.Start()
	e := native.Default()
	stripped := e.Counted("edge_stripped")
	same(t, enter(t, stranger, "", "x-mse-tag", "blue", "x-other", "1"), "{x-other=1} tag=")
	same(t, enter(t, stranger, "", "x-lane-code", "blue", "__microservice_tag__", "[]", "dubbo.tag", "blue"), "{} tag=")
	same(t, enter(t, stranger, "", "baggage", "user=7, "+member), "{baggage=user=7} tag=")
	same(t, enter(t, stranger, "", "baggage", "user=7", "baggage", member), "{baggage=user=7} tag=")
	same(t, enter(t, stranger, "", "baggage", member), "{} tag=")
	if got := e.Counted("edge_stripped") - stripped; got != 5 {
		t.Errorf("%d requests were counted as stripped, want 5", got)
	}
	same(t, enter(t, stranger, "", "baggage", "user=7", "baggage", "b=1"), "{baggage=user=7+b=1} tag=")
	same(t, enter(t, "", "", "x-mse-tag", "blue"), "{} tag=")
	if got := e.Counted("edge_stripped") - stripped; got != 6 {
		t.Errorf("%d requests were counted as stripped, want 6", got)
	}
}

func TestAnEdgeBelievesTheCallersThatItTrusts(t *testing.T) {
	same(t, enter(t, friend, "", "x-mse-tag", "blue"), "{x-mse-tag=blue} tag=blue")
	same(t, enter(t, "[::ffff:10.1.0.1]:7", "", "baggage", member), "{baggage="+member+"} tag=blue")
	same(t, enter(t, "10.2.0.1:7", "", "x-mse-tag", "blue"), "{} tag=")
}

func TestNamedHeadersRideAlong(t *testing.T) {
	next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, told(r.Header))
	}))
	defer next.Close()
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{[]string{"x-a", "1", "x-b", "2 3"}, "{x-a=1 x-b=2 3} tag=>{x-a=1 x-b=2 3}"},
		{nil, "{} tag=>{}"},
		{[]string{"x-a", "1", "x-a", "2"}, "{x-a=1+2} tag=>{x-a=1,2}"},
		{[]string{"x-a", "1", "x-mse-tag", "blue"}, "{x-a=1 x-mse-tag=blue} tag=blue>{x-a=1 x-mse-tag=blue}"},
		{[]string{"x-a", "1", "x-own", "mine"}, "{x-a=1 x-own=mine} tag=>{x-a=mine}"},
		{[]string{"/blue", "x-a", "1"}, "{x-a=1} tag=>{x-a=1 x-mse-tag=blue}"},
		{[]string{"x-a", "1\x80"}, "{x-a=1\x80} tag=>{}"},
	} {
		same(t, enter(t, friend, next.URL, c.headers...), c.want)
	}
	long := strings.Repeat("l", 1025)
	same(t, enter(t, friend, next.URL, "x-a", long, "x-b", "2"), "{x-a="+long+" x-b=2} tag=>{x-b=2}")
	if got := native.Default().Counted("pass_dropped"); got != 2 {
		t.Errorf("%d values were counted as dropped, want 2", got)
	}
	if said := logged(t); strings.Count(said, "TRL-321") != 1 || strings.Contains(said, "lll") {
		t.Errorf("the log says\n%s", said)
	}
}

func TestAnUntaggedRequestIsToldWithItsCaller(t *testing.T) {
	for range 3 {
		enter(t, "192.0.2.77:1", "")
	}
	if said := logged(t); strings.Count(said, "an untagged request from 192.0.2.77 ") != 1 {
		t.Errorf("the log says\n%s", said)
	}
}

func logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPoliciesOfManyAuthoritiesStayBounded(t *testing.T) {
	e := native.Default()
	for i := range 3 * flow.MostPolicies {
		flow.PolicyOf(e, fmt.Sprintf("back-%d.shop:80", i), nil, nil)
	}
	if n := flow.Remembered(); n == 0 || n > flow.MostPolicies {
		t.Errorf("%d authorities are remembered, at most %d are to be", n, flow.MostPolicies)
	}
}
