package httpout

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
)

// retries bounds how many further instances a call tries when it cannot connect.
const retries = 3

// send tries the chosen instance, and others when it cannot be connected to: nothing was sent then.
func (c *call) send(next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	var body *held
	if c.made.Body != nil && c.made.Body != http.NoBody {
		body = &held{ReadCloser: c.made.Body, holding: true}
		c.out.Body = body
		defer body.release()
	}
	for try := 0; ; try++ {
		resp, err := next(c.out)
		if err == nil || try == retries || !unreached(err) || c.made.Context().Err() != nil || body.used() {
			return resp, err
		}
		choice, ok := c.choice.Failed(c.engine, c.authority, c.steer, (*asked)(c.made))
		if !ok {
			return resp, err
		}
		c.choice = choice
		c.redirect()
	}
}

// unreached tells whether an error says that no connection to this address could be made. What this machine lacks
// (descriptors, ports, a proxy) is no fault of the instance.
func unreached(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" {
		return false
	}
	var dns *net.DNSError
	var call *os.SyscallError
	switch {
	case op.Timeout(), errors.As(op.Err, &dns):
		return true
	case errors.As(op.Err, &call):
		return strings.HasPrefix(call.Syscall, "connect") && !errors.Is(call.Err, syscall.EADDRNOTAVAIL)
	}
	return false
}

// held is a request's body that outlives a try: a transport closes the body of a request that it could not send.
type held struct {
	io.ReadCloser
	lock                  sync.Mutex
	holding, closed, read bool
}

func (h *held) Read(p []byte) (int, error) {
	h.lock.Lock()
	h.read = true
	h.lock.Unlock()
	return h.ReadCloser.Read(p)
}

func (h *held) Close() error {
	h.lock.Lock()
	h.closed = true
	holding := h.holding
	h.lock.Unlock()
	if holding {
		return nil
	}
	return h.ReadCloser.Close()
}

// used tells whether anything of the body was read; a request without one has nothing that could be.
func (h *held) used() bool {
	if h == nil {
		return false
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.read
}

// release ends the holding: a close that came before is done now.
func (h *held) release() {
	h.lock.Lock()
	h.holding = false
	closed := h.closed
	h.lock.Unlock()
	if closed {
		h.ReadCloser.Close()
	}
}
