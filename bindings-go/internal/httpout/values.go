package httpout

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
)

// asked is a request as rules ask for its values.
type asked http.Request

// Value is that of a name of native.Engine.RouteNames.
func (r *asked) Value(name string) (string, bool) {
	switch name {
	case ":path":
		return r.URL.RequestURI(), true
	case ":method":
		if r.Method == "" {
			return http.MethodGet, true
		}
		return r.Method, true
	case ":authority", "host":
		if r.Host != "" {
			return r.Host, true
		}
		return r.URL.Host, true
	case ":scheme":
		return r.URL.Scheme, true
	}
	if strings.HasPrefix(name, ":") {
		return "", false
	}
	values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	return strings.Join(values, ","), len(values) > 0
}

// fault does what the rules want before a call is sent: it waits, and answers in place of sending it. Without either
// both results are nil.
func fault(r *http.Request, p native.Policy) (*http.Response, error) {
	if err := flow.Wait(r.Context(), p); err != nil {
		return nil, err
	}
	status := p.AbortHTTP
	if status == 0 && p.AbortGRPC != 0 {
		status = http.StatusServiceUnavailable
	}
	if status == 0 {
		return nil, nil
	}
	const text = flow.Aborted + "\n"
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"text/plain"}},
		Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
	}, nil
}

// ending ends a call's time when its answer was read.
type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

func (e ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

type switched struct {
	io.ReadWriteCloser
	end context.CancelFunc
}

func (s switched) Close() error {
	defer s.end()
	return s.ReadWriteCloser.Close()
}

// within sends a request that has so much time for everything, its answer's body included.
func within(limit time.Duration, r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	ctx, end := context.WithTimeout(r.Context(), limit)
	resp, err := send(r.WithContext(ctx))
	if err != nil {
		end()
		return resp, err
	}
	// A connection that switched protocols is written to by way of its body.
	if w, writes := resp.Body.(io.ReadWriteCloser); writes {
		resp.Body = switched{w, end}
	} else {
		resp.Body = ending{resp.Body, end}
	}
	return resp, nil
}
