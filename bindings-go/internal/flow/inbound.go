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

// border is what the settings say about the outside. They never change in a process.
type border struct {
	engine *native.Engine
	edge   [2][]string // by spelling; empty where this is no edge
	pass   []scope.Passed
}

var theBorder atomic.Pointer[border]

func borderOf(e *native.Engine) *border {
	if b := theBorder.Load(); b != nil && b.engine == e {
		return b
	}
	b := &border{engine: e}
	for _, name := range e.EdgeNames() {
		b.edge[Canonical] = append(b.edge[Canonical], textproto.CanonicalMIMEHeaderKey(name))
		b.edge[Lower] = append(b.edge[Lower], name)
	}
	for _, name := range e.PassNames() {
		b.pass = append(b.pass, scope.Passed{Lower: name, Canonical: textproto.CanonicalMIMEHeaderKey(name)})
	}
	theBorder.Store(b)
	return b
}

// strip removes the carriers from what an edge lets in; others' members of baggage stay.
func (b *border) strip(e *native.Engine, header map[string][]string, how Spelling) bool {
	removed := false
	for i, key := range b.edge[how] {
		all, there := header[key]
		switch {
		case !there:
		case b.edge[Lower][i] != baggage:
			delete(header, key)
			removed = true
		default:
			old := strings.Join(all, ",")
			if !strings.Contains(old, member) {
				continue
			}
			if kept := e.BaggageSet(old, ""); kept != "" {
				header[key] = []string{kept}
			} else {
				delete(header, key)
			}
			removed = true
		}
	}
	if removed {
		e.Stripped()
	}
	return removed
}

const (
	baggage = "baggage"
	member  = "__microservice_tag__"
)

// passed takes the values along that the engine lets through.
func (b *border) passed(e *native.Engine, header map[string][]string, how Spelling) []scope.Passed {
	v := native.NewValues()
	defer v.Free()
	found := make([]scope.Passed, 0, len(b.pass))
	for _, p := range b.pass {
		key := p.Canonical
		if how == Lower {
			key = p.Lower
		}
		if all := header[key]; len(all) > 0 {
			p.Value = strings.Join(all, ",")
		}
		found = append(found, p)
		v.Add(p.Value, p.Value != "")
	}
	kept, out := e.Pass(v), found[:0]
	for i, p := range found {
		if kept>>i&1 == 1 {
			out = append(out, p)
		}
	}
	return out
}

// In finds the scope of an inbound request; nil is the baseline. An edge removes the carriers of callers whom it does
// not trust from the header map first, and tells so. peer gives the caller's address where it is asked for.
func In(l *Library, kind native.Kind, header map[string][]string, how Spelling,
	peer func() string) (s *scope.Scope, removed bool) {
	e := native.Default()
	if !l.On(e) {
		return nil, false
	}
	b := borderOf(e)
	if len(b.edge[how]) > 0 {
		switch answer := e.Edge(peer()); {
		case answer == 0:
			kind |= native.Trusted
		case answer&native.EdgeRemove != 0:
			removed = b.strip(e, header, how)
		}
	}
	s = tagged(e, kind, header, how, peer)
	if len(b.pass) > 0 {
		if all := b.passed(e, header, how); len(all) > 0 {
			if s == nil {
				s = &scope.Scope{}
			}
			s.Pass = all
		}
	}
	return s, removed
}

func tagged(e *native.Engine, kind native.Kind, header map[string][]string, how Spelling,
	peer func() string) *scope.Scope {
	v := native.NewValues()
	defer v.Free()
	n := namesOf(e, kind&^native.Trusted)
	f := ask(e, kind, n, v, header, how)
	if f.Flags&native.InStale != 0 {
		v.Reset()
		f = ask(e, kind, readNames(e, kind&^native.Trusted), v, header, how)
	}
	if f.Flags&native.InUntagged != 0 {
		e.Untagged(peer())
	}
	if f.ID == scope.Baseline || f.Flags&(native.InOff|native.InStale) != 0 {
		return nil
	}
	if !anyTag.Load() {
		anyTag.Store(true)
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
		case len(all) > 1 && n.lower[i] == baggage:
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
