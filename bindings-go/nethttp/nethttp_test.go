package nethttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/nethttp"
)

// The copies of pricing, and a host that the rules do not name.
var base, gray, stranger *httptest.Server

// echo answers with its name and what reached it.
func echo(name string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s tag=%s host=%s baggage=%s", name, r.Header.Get("x-mse-tag"), r.Host, r.Header.Get("baggage"))
	}))
}

func address(s *httptest.Server) string {
	return strings.TrimPrefix(s.URL, "http://")
}

const rules = `apiVersion: trilane/v1
lanes:
  - {tag: gray}
  - {tag: blue}
  - {tag: strict, fallback: none}
services:
  - name: pricing
    authorities: ["pricing.shop:8080", "pricing.shop:80"]
    instances:
      - {address: "%[1]s"}
      - {address: "%[2]s", tag: gray}
  - name: only-gray
    authorities: ["only-gray.shop:8080"]
    instances:
      - {address: "%[2]s", tag: gray}
`

func TestMain(m *testing.M) {
	if !native.Decides {
		fmt.Println("skipped: built without cgo, nothing is decided")
		return
	}
	base, gray, stranger = echo("base"), echo("gray"), echo("stranger")
	dir, err := os.MkdirTemp("", "trilane-nethttp-")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "lanes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, rules, address(base), address(gray)), 0o600); err != nil {
		panic(err)
	}
	os.Setenv("TRILANE_RULES", file)
	os.Setenv("TRILANE_TRACE_HEADERS", "x-request-id")
	rulesFile = file
	client = &http.Client{Transport: nethttp.Transport(http.DefaultTransport)}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

var (
	client    *http.Client
	rulesFile string
)

// rule puts a rule file in force and waits until the engine says so.
func rule(t *testing.T, text string, mode native.Mode) {
	t.Helper()
	if err := os.WriteFile(rulesFile+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(rulesFile+".new", rulesFile); err != nil {
		t.Fatal(err)
	}
	hook := mode == native.On && !strings.Contains(text, "net-http: off")
	e := native.Default()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if e.Mode() == mode && flow.NetHTTP.On(e) == (hook || mode == native.Observe) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the engine did not take up\n%s", text)
		}
	}
}

func TestTheRuleFileSwitchesTheModeWhileCallsAreMade(t *testing.T) {
	now := fmt.Sprintf(rules, address(base), address(gray))
	direct := "http://" + address(base)
	for _, c := range []struct {
		word string
		mode native.Mode
	}{{"mode: off", native.Off}, {"mode: observe", native.Observe}, {"hooks: {net-http: off}", native.On}} {
		rule(t, now+c.word+"\n", c.mode)
		got, _, err := call(t, direct, "gray", nil)
		if want := "base tag= host=" + address(base) + " baggage="; err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", c.word, got, err, want)
		}
		if _, _, err := call(t, "http://pricing.shop:8080/", "gray", nil); err == nil {
			t.Errorf("%s: the call was routed", c.word)
		}
		rule(t, now, native.On)
		got, _, err = call(t, "http://pricing.shop:8080/", "gray", nil)
		if want := "gray tag=gray host=pricing.shop:8080 baggage="; err != nil || got != want {
			t.Errorf("after %s: got %q, %v; want %q", c.word, got, err, want)
		}
	}
}

func call(t *testing.T, url, tag string, edit func(*http.Request)) (string, *http.Response, error) {
	t.Helper()
	r := httptest.NewRequest("GET", url, nil)
	r.RequestURI = ""
	if edit != nil {
		edit(r)
	}
	r = r.WithContext(trilane.With(t.Context(), tag))
	before := fmt.Sprint(r.URL, r.Host, r.Header)
	resp, err := client.Do(r)
	if after := fmt.Sprint(r.URL, r.Host, r.Header); after != before {
		t.Errorf("the application's request was changed from %s to %s", before, after)
	}
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp, nil
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestADialledAuthorityIsRouted(t *testing.T) {
	for _, c := range []struct{ url, tag, answer string }{
		{"http://pricing.shop:8080/", "", "base tag= host=pricing.shop:8080 baggage="},
		{"http://pricing.shop:8080/", "gray", "gray tag=gray host=pricing.shop:8080 baggage="},
		{"http://pricing.shop:8080/", "blue", "base tag=blue host=pricing.shop:8080 baggage="},
		{"http://pricing.shop:8080/", "nobody-knows-it", "base tag=nobody-knows-it host=pricing.shop:8080 baggage="},
		{"http://pricing.shop/", "gray", "gray tag=gray host=pricing.shop baggage="},
		{"http://only-gray.shop:8080/", "gray", "gray tag=gray host=only-gray.shop:8080 baggage="},
	} {
		got, resp, err := call(t, c.url, c.tag, nil)
		if err != nil || got != c.answer {
			t.Errorf("%s with tag %q answered %q, %v; want %q", c.url, c.tag, got, err, c.answer)
			continue
		}
		if resp.Request.URL.String() != c.url {
			t.Errorf("the response is of %s, the application asked %s", resp.Request.URL, c.url)
		}
	}
}

func TestNobodyToServeIsAClearError(t *testing.T) {
	for _, c := range []struct{ url, tag, words string }{
		{"http://pricing.shop:8080/", "strict", `no usable instance in lane "strict" and its fallback is none`},
		{"http://only-gray.shop:8080/", "", "no untagged instance"},
	} {
		_, _, err := call(t, c.url, c.tag, nil)
		var none *flow.NoInstance
		if !errors.As(err, &none) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s with tag %q gave the error %v", c.url, c.tag, err)
		}
	}
}

func TestTheApplicationsOwnCarrierStaysAndSteers(t *testing.T) {
	got, _, err := call(t, "http://pricing.shop:8080/", "blue", header("x-mse-tag", "gray"))
	if want := "gray tag=gray host=pricing.shop:8080 baggage="; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestBaggageIsExtendedOnlyWhereItIs(t *testing.T) {
	got, _, err := call(t, "http://pricing.shop:8080/", "gray", header("baggage", "user=7"))
	if err != nil || !strings.Contains(got, "user=7") || !strings.Contains(got, "__microservice_tag__=") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOtherHostsAreLeftAlone(t *testing.T) {
	got, _, err := call(t, stranger.URL, "gray", nil)
	if want := "stranger tag= host=" + address(stranger) + " baggage="; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// front calls pricing with the context of the request it serves.
func front() *httptest.Server {
	return httptest.NewServer(nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequestWithContext(r.Context(), "GET", "http://pricing.shop:8080/", nil)
		if err != nil {
			panic(err)
		}
		resp, err := client.Do(out)
		if err != nil {
			fmt.Fprint(w, err)
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		fmt.Fprintf(w, "front(%s) %s", trilane.Current(r.Context()).Tag, b)
	})))
}

func TestMixedRequestsAreNeverCrossed(t *testing.T) {
	server := front()
	defer server.Close()
	plain := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 20, MaxIdleConnsPerHost: 20}}
	before := live(t)
	var wait sync.WaitGroup
	for range 20 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range 500 {
				tag := []string{"", "gray", "blue", "t7"}[i%4]
				copyOf := map[string]string{"gray": "gray"}[tag]
				if copyOf == "" {
					copyOf = "base"
				}
				r, _ := http.NewRequest("GET", server.URL, nil)
				if tag != "" {
					r.Header.Set("x-mse-tag", tag)
				}
				resp, err := plain.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				want := fmt.Sprintf("front(%s) %s tag=%s host=pricing.shop:8080 baggage=", tag, copyOf, tag)
				if string(b) != want {
					t.Errorf("tag %q got %q, want %q", tag, b, want)
					return
				}
			}
		}()
	}
	wait.Wait()
	if after := live(t); after != before {
		t.Errorf("live handles before %v, after %v", before, after)
	}
}

func live(t *testing.T) [3]int64 {
	t.Helper()
	e := native.Default()
	return [3]int64{e.Live(0), e.Live(1), e.Live(2)}
}

func TestAMalformedTagIsNone(t *testing.T) {
	server := front()
	defer server.Close()
	for _, bad := range []string{"no tag", "gray,blue", strings.Repeat("x", 64), "{}", strings.Repeat("a", 500_000)} {
		r, _ := http.NewRequest("GET", server.URL, nil)
		r.Header.Set("x-mse-tag", bad)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := "front() base tag= host=pricing.shop:8080 baggage="; string(b) != want {
			t.Errorf("%.20q gave %q, want %q", bad, b, want)
		}
	}
}

func TestTheServersFormIsCleanedUp(t *testing.T) {
	form := "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"
	r := httptest.NewRequest("POST", "/", strings.NewReader(form))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	nethttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if r.MultipartForm == nil {
		t.Error("the server cannot remove the files of a form that it does not see")
	}
}

func TestARequestWithoutAHostKeepsTheNameItDialled(t *testing.T) {
	got, _, err := call(t, "http://pricing.shop:8080/", "gray", func(r *http.Request) { r.Host = "" })
	if want := "gray tag=gray host=pricing.shop:8080 baggage="; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
