package nethttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/nethttp"
)

// The ways in which programs put net/http together.

const ours = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"

// lines answers with every line of the two headers, so that a doubled one is seen.
func lines(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s tag=%q baggage=%q", r.Proto, r.Header["X-Mse-Tag"], r.Header["Baggage"])
}

func ask(t *testing.T, c *http.Client, url string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAReverseProxyDoublesNothing(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(lines))
	defer back.Close()
	retried(t, fmt.Sprintf(`{address: "%s", tag: gray}, {address: "%s"}`, address(back), address(base)))
	target, _ := url.Parse("http://retry.shop")
	proxy := httptest.NewServer(nethttp.Handler(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: nethttp.Transport(nil),
	}))
	defer proxy.Close()
	equal(t, ask(t, http.DefaultClient, proxy.URL, "x-mse-tag", "gray"), `HTTP/1.1 tag=["gray"] baggage=[]`)
	equal(t, ask(t, http.DefaultClient, proxy.URL, "x-mse-tag", "gray", "baggage", "a=b,"+ours),
		`HTTP/1.1 tag=["gray"] baggage=["a=b,`+ours+`"]`)
	// The tag came by baggage alone: the header is added, the member stays one.
	equal(t, ask(t, http.DefaultClient, proxy.URL, "baggage", ours+",a=b"),
		`HTTP/1.1 tag=["gray"] baggage=["a=b,`+ours+`"]`)
	equal(t, ask(t, http.DefaultClient, proxy.URL, "baggage", "a=b", "baggage", ours),
		`HTTP/1.1 tag=["gray"] baggage=["a=b,`+ours+`"]`)
	if got := ask(t, http.DefaultClient, proxy.URL); !strings.HasPrefix(got, "base tag= ") {
		t.Errorf("untagged: %s", got)
	}
}

func TestARedirectElsewhereTakesNothingAlong(t *testing.T) {
	var seen string
	turn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("x-mse-tag")
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	}))
	defer turn.Close()
	retried(t, fmt.Sprintf(`{address: "%s"}`, address(turn)))
	for _, c := range []struct{ to, want string }{
		{stranger.URL, "stranger tag= host=" + address(stranger) + " baggage=a=b"},
		{"http://pricing.shop:8080/", "gray tag=gray host=pricing.shop:8080 baggage=a=b," + ours},
	} {
		seen = ""
		got, _, err := call(t, "http://retry.shop/?to="+url.QueryEscape(c.to), "gray", header("baggage", "a=b"))
		if err != nil || got != c.want || seen != "gray" {
			t.Errorf("got %q, %v; want %q; on the way the tag was %q", got, err, c.want, seen)
		}
	}
}

func TestAServeMuxSeesItsPatternsAndTheTag(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /item/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.PathValue("id"), r.Pattern, trilane.Current(r.Context()).Tag)
	})
	server := httptest.NewServer(nethttp.Handler(mux))
	defer server.Close()
	equal(t, ask(t, http.DefaultClient, server.URL+"/item/7", "x-mse-tag", "gray"), "7 GET /item/{id} gray")
	equal(t, ask(t, http.DefaultClient, server.URL+"/item/7"), "7 GET /item/{id} ")
}

func TestHTTP2WithoutTLS(t *testing.T) {
	both := new(http.Protocols)
	both.SetUnencryptedHTTP2(true)
	two := func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.Protocols = both
		s.Start()
		t.Cleanup(s.Close)
		return s
	}
	back := two(http.HandlerFunc(lines))
	retried(t, fmt.Sprintf(`{address: "%s"}, {address: "%s", tag: gray}, {address: "%s", tag: gray}`, address(base),
		address(back), nobody(t)))
	plain := &http.Client{Transport: &http.Transport{Protocols: both}}
	laned := &http.Client{Transport: nethttp.Transport(&http.Transport{Protocols: both})}
	front := two(nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, _ := http.NewRequestWithContext(r.Context(), "GET", "http://retry.shop/", nil)
		resp, err := laned.Do(out)
		if err != nil {
			fmt.Fprint(w, err)
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		fmt.Fprintf(w, "%s>%s", r.Proto, b)
	})))
	for range 20 {
		equal(t, ask(t, plain, front.URL, "x-mse-tag", "gray"), `HTTP/2.0>HTTP/2.0 tag=["gray"] baggage=[]`)
	}
	if native.Default().Counted("own") == 0 {
		t.Error("nothing was counted")
	}
}
