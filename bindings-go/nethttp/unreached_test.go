package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/nethttp"
)

// nobody is an address at which nobody listens, and may begin to. Until the test ends no other program is given its
// port: a socket is bound to it, and who listens there by name may do so beside it.
func nobody(t *testing.T) string {
	t.Helper()
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(s) })
	if err := syscall.SetsockoptInt(s, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(s, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(s)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
}

func listen(t *testing.T, address string, h http.Handler) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

const retryRules = rules + `  - name: retry
    authorities: ["retry.shop:80"]
    instances: [%s]
`

// retried puts a service with these instances in force; base and gray stand where they always stand.
func retried(t *testing.T, instances string) {
	t.Helper()
	text := strings.Replace(retryRules, "instances: [%s]", "instances: [%[3]s]", 1)
	rule(t, fmt.Sprintf(text, address(base), address(gray), instances), native.On)
	t.Cleanup(func() { rule(t, fmt.Sprintf(rules, address(base), address(gray)), native.On) })
	e := native.Default()
	inForce := func() bool {
		list := e.Authority("retry.shop:80")
		for i, given := range addresses.FindAllStringSubmatch(instances, -1) {
			if list == 0 || e.Address(list, uint32(i)) != given[1] {
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(2 * time.Minute); !inForce(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the rules are not in force")
		}
	}
}

var addresses = regexp.MustCompile(`address: "([^"]*)"`)

// body can be read once, and tells how often it was closed.
type body struct {
	io.Reader
	closed atomic.Int32
}

func (b *body) Close() error {
	b.closed.Add(1)
	return nil
}

func TestACallThatCannotConnectTriesAnotherInstance(t *testing.T) {
	alive := listen(t, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Host, b)
	}))
	retried(t, fmt.Sprintf(`{address: "%s"}, {address: "%s"}, {address: "%s"}`, nobody(t), address(alive), nobody(t)))
	var dials atomic.Int32
	dialer := &net.Dialer{}
	counting := &http.Client{Transport: nethttp.Transport(&http.Transport{
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			dials.Add(1)
			return dialer.DialContext(ctx, network, to)
		},
		DisableKeepAlives: true,
	})}
	for i := range 40 {
		sent := &body{Reader: strings.NewReader("sent")}
		r, _ := http.NewRequest("POST", "http://retry.shop/", sent)
		resp, err := counting.Do(r)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(b) != "retry.shop sent" || sent.closed.Load() == 0 {
			t.Fatalf("call %d: got %q, the body was closed %d times", i, b, sent.closed.Load())
		}
	}
	// Each dead one costs a dial when it is met first; the tries in between are not the calls'.
	if n := dials.Load(); n > 40+2 {
		t.Errorf("40 calls dialled %d times", n)
	}
}

func TestALaneThatCannotBeReachedFallsBackUntilItCan(t *testing.T) {
	at := nobody(t)
	retried(t, fmt.Sprintf(`{address: "%s"}, {address: "%s", tag: gray}`, address(base), at))
	for range 5 {
		got, _, err := call(t, "http://retry.shop/", "gray", nil)
		if want := "base tag=gray host=retry.shop baggage="; err != nil || got != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	if native.Default().Counted("fallback_noavailabled") == 0 {
		t.Error("the fallback was not counted as noavailabled")
	}
	listen(t, at, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "back again") }))
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got, _, err := call(t, "http://retry.shop/", "gray", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got == "back again" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("long after it can be reached again: %q", got)
		}
	}
}

func TestTheLastOneStaysAndTheErrorIsTheDialers(t *testing.T) {
	at := nobody(t)
	retried(t, fmt.Sprintf(`{address: "%s"}`, at))
	for range 3 {
		sent := &body{Reader: strings.NewReader("sent")}
		r, _ := http.NewRequest("POST", "http://retry.shop/", sent)
		if _, err := client.Do(r); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("the error is %v", err)
		}
		if sent.closed.Load() == 0 {
			t.Error("the body was not closed")
		}
	}
	listen(t, at, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "at once") }))
	if got, _, err := call(t, "http://retry.shop/", "", nil); err != nil || got != "at once" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnErrorAfterSomethingWasSentIsNotTriedAgain(t *testing.T) {
	var reached atomic.Int32
	breaks := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached.Add(1)
		panic(http.ErrAbortHandler)
	})
	one, two := listen(t, "127.0.0.1:0", breaks), listen(t, "127.0.0.1:0", breaks)
	retried(t, fmt.Sprintf(`{address: "%s"}, {address: "%s"}`, address(one), address(two)))
	r, _ := http.NewRequest("POST", "http://retry.shop/", &body{Reader: strings.NewReader("sent")})
	if _, err := client.Do(r); err == nil {
		t.Error("the aborted call was answered")
	}
	if n := reached.Load(); n != 1 {
		t.Errorf("the call reached %d instances", n)
	}
}

func TestACallThatWasGivenUpSaysNothingOfTheInstance(t *testing.T) {
	retried(t, fmt.Sprintf(`{address: "%s"}, {address: "%s"}`, address(base), address(gray)))
	ctx, cancel := context.WithCancel(trilane.With(t.Context(), ""))
	cancel()
	stale := native.Default().Stamp(native.Default().Authority("retry.shop:80"))
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://retry.shop/", nil)
	if _, err := client.Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if now := native.Default().Stamp(native.Default().Authority("retry.shop:80")); now != stale {
		t.Error("an instance became unhealthy")
	}
}
