// Package testdns is a name server for tests: what it says can be changed while programs ask.
package testdns

import (
	"context"
	"net"
	"strings"
	"sync"
)

// Names answers for the names that it was given; every other one does not exist.
type Names struct {
	lock sync.Mutex
	at   map[string]net.IP
}

// Start serves from an address of its own, to whatever the process asks from now on.
func Start() (*Names, error) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &Names{at: map[string]net.IP{}}
	go n.serve(socket)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
	return n, nil
}

// Set has a name stand for an IPv4 address, or for nothing.
func (n *Names) Set(name, address string) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.at[name] = net.ParseIP(address).To4()
}

const (
	header  = 12 // bytes before the question
	typeA   = 1
	missing = 3 // NXDOMAIN
)

func (n *Names) serve(socket net.PacketConn) {
	question := make([]byte, 1500)
	for {
		length, asker, err := socket.ReadFrom(question)
		if err != nil {
			return
		}
		if reply := n.reply(question[:length]); reply != nil {
			_, _ = socket.WriteTo(reply, asker)
		}
	}
}

// reply is RFC 1035, section 4: the header, the question as it came, one address or none.
func (n *Names) reply(question []byte) []byte {
	var labels []string
	at := header
	for at < len(question) && question[at] != 0 {
		end := at + 1 + int(question[at])
		if end >= len(question) {
			return nil
		}
		labels = append(labels, string(question[at+1:end]))
		at = end
	}
	at += 5 // the root label, type and class
	if at > len(question) {
		return nil
	}
	n.lock.Lock()
	address := n.at[strings.ToLower(strings.Join(labels, "."))]
	n.lock.Unlock()
	reply := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[header:at]...)
	switch {
	case address == nil:
		reply[3] |= missing
	case question[at-3] == typeA:
		reply[7] = 1
		// The question's name again, type A, class IN, not to be kept, four bytes.
		reply = append(append(reply, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4), address...)
	}
	return reply
}
