// Package flow is the order of things on a request's way in and out, the same for every library.
package flow

import (
	"net/textproto"
	"strings"
	"sync/atomic"

	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// names are the headers that the rules ask for, in the spelling of the map they are looked up in.
type names struct {
	engine   *native.Engine
	snapshot uint32
	lower    []string
	canon    []string
}

var known [3]atomic.Pointer[names]

func namesOf(e *native.Engine, kind native.Kind) *names {
	if n := known[kind].Load(); n != nil && n.engine == e {
		return n
	}
	return readNames(e, kind)
}

func readNames(e *native.Engine, kind native.Kind) *names {
	n := &names{engine: e}
	n.snapshot, n.lower = e.InboundNames(kind)
	n.canon = make([]string, len(n.lower))
	for i, name := range n.lower {
		n.canon[i] = textproto.CanonicalMIMEHeaderKey(name)
	}
	known[kind].Store(n)
	return n
}

// Spelling of the keys of a header map.
type Spelling int

// HTTP headers are kept in canonical form, gRPC metadata in lower case.
const (
	Canonical Spelling = iota
	Lower
)

// In finds the scope of an inbound request; nil is the baseline.
func In(l *Library, kind native.Kind, header map[string][]string, how Spelling) *scope.Scope {
	e := native.Default()
	if !l.On(e) {
		return nil
	}
	v := native.NewValues()
	defer v.Free()
	n := namesOf(e, kind)
	f := ask(e, kind, n, v, header, how)
	if f.Flags&native.InStale != 0 {
		v.Reset()
		f = ask(e, kind, readNames(e, kind), v, header, how)
	}
	if f.ID == scope.Baseline || f.Flags&(native.InOff|native.InStale) != 0 {
		return nil
	}
	if f.ID == scope.Unknown {
		tag := v.Span(f)
		if !native.ValidTag(tag) {
			return nil
		}
		return &scope.Scope{Tag: tag, ID: f.ID}
	}
	return &scope.Scope{Tag: tagName(e, f.ID), ID: f.ID}
}

func ask(e *native.Engine, kind native.Kind, n *names, v *native.Values, header map[string][]string,
	how Spelling) native.Found {
	keys := n.canon
	if how == Lower {
		keys = n.lower
	}
	for i, key := range keys {
		all := header[key]
		switch {
		case len(all) == 0:
			v.Add("", false)
		case len(all) > 1 && n.lower[i] == "baggage":
			v.Add(strings.Join(all, ","), true)
		default:
			v.Add(all[0], true)
		}
	}
	return e.Inbound(kind, n.snapshot, v)
}

// tags remembers the text of the few ids that the engine hands out; an id never changes its meaning.
var tags atomic.Pointer[map[uint16]string]

func tagName(e *native.Engine, id uint16) string {
	if m := tags.Load(); m != nil {
		if t, ok := (*m)[id]; ok {
			return t
		}
	}
	t := e.TagName(id)
	for {
		old := tags.Load()
		next := map[uint16]string{id: t}
		if old != nil {
			for k, v := range *old {
				next[k] = v
			}
		}
		if tags.CompareAndSwap(old, &next) {
			return t
		}
	}
}

// Named makes the scope of a tag that the application chose; nil when it is no tag.
func Named(e *native.Engine, tag string) *scope.Scope {
	if !native.ValidTag(tag) {
		return nil
	}
	if e == nil {
		return &scope.Scope{Tag: tag, ID: scope.Unknown}
	}
	return &scope.Scope{Tag: tag, ID: e.TagFind(tag)}
}
