//go:build cgo && trilanetest

// The shared vectors through cgo: see tests/vectors/README.md.
//
//	PKG_CONFIG_PATH=$PWD/dist/go/lib/pkgconfig GOPROXY=off \
//	    go test -C bindings-go -tags trilanetest -count=1 -v -run '^TestVectors$' ./internal/native
//
// Failing cases are printed with what was expected and found. A good run prints `vectors: go=N`, then what go test
// itself says.

package native

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
)

// vectorsVariable names another directory of vectors than the committed one.
const vectorsVariable = "TRILANE_VECTORS"

// vector is one case of any file; a field that no file has is an error.
type vector struct {
	ID, Why, Op, Kind, Rules, Name, Address string
	Old, Mode, Source, Salt, Key, Text      string
	Percent, From, Subset                   *string
	Tag, Hex, Ours, Authority, Case         *string
	Valid, Match, Refused, Known            bool
	Malformed, Disagree                     *bool
	Options                                 [][2]string
	Headers                                 []header
	Metadata                                map[string]string
	Names, Others, Addresses, Contains      []string
	Instances                               []listed
	Indices                                 []uint32
	Index                                   *uint32
	Entropy                                 uint64 `json:",string"`
	Bucket, Line, Column                    *int
	Lines                                   []int
	Lists                                   []publication
	Peer                                    string
	Edge                                    uint32
	Kept                                    []string
	Steps                                   []step
}

// step is one of trace.json.
type step struct {
	Op, Kind, Tag, Source, Value, Prefix string
	Trusted                              bool
	Headers                              []header
	Count, Most                          int
}

type header struct {
	Name  string
	Value string
	Hex   *string
}

type listed struct {
	Address  string
	Healthy  bool
	Metadata map[string]string
}

type publication struct {
	Names     []string
	Instances []listed
}

// mismatch is what a case expected and what came.
type mismatch struct {
	what            string
	expected, found any
}

func (m mismatch) Error() string {
	return fmt.Sprintf("%s\n  expected %v\n  found    %v", m.what, m.expected, m.found)
}

func same(what string, expected, found any) error {
	if reflect.DeepEqual(expected, found) {
		return nil
	}
	return mismatch{what, expected, found}
}

// first is the first of several outcomes that is a failure.
func first(outcomes ...error) error {
	for _, err := range outcomes {
		if err != nil {
			return err
		}
	}
	return nil
}

func word(words []string, number uint8) string {
	if int(number) < len(words) {
		return words[number]
	}
	return fmt.Sprint("number ", number)
}

func readVectors(t *testing.T, file string) []vector {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var cases []vector
	if err := decoder.Decode(&cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(cases) == 0 {
		t.Errorf("FAILED %s: there is no case in it", file)
	}
	return cases
}

func TestVectors(t *testing.T) {
	dir := os.Getenv(vectorsVariable)
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "tests", "vectors")
	}
	b := &bench{dir: t.TempDir()}
	files := []struct {
		name  string
		check func(*vector) error
	}{
		{"tags", b.tag}, {"carriers", b.carrier}, {"metadata", b.metadata}, {"route", b.route}, {"pick", b.pick},
		{"percent", b.percent}, {"entry", b.entry}, {"badrules", b.badRules}, {"known", b.known},
		{"edge", b.edge}, {"trace", b.trace},
	}
	count := 0
	for _, file := range files {
		for _, c := range readVectors(t, filepath.Join(dir, file.name+".json")) {
			if err := first(file.check(&c), b.freed()); err != nil {
				t.Errorf("FAILED %s: %v\n  why      %s", c.ID, err, c.Why)
			}
			count++
		}
	}
	count += b.buckets(t, filepath.Join(dir, "buckets.txt"))
	b.end()
	for kind, name := range map[uint32]string{0: "engines", 2: "errors"} {
		if live := (&Engine{}).Live(kind); live != 0 {
			t.Errorf("FAILED trilane_live: %d %s are alive at the end", live, name)
		}
	}
	fmt.Printf("vectors: go=%d\n", count)
}

// bench holds the engine of the case before: cases in a row with the same rules and options share it.
type bench struct {
	dir     string
	started int
	last    string
	engine  *Engine
	lists   int64
}

func (b *bench) end() {
	if b.engine != nil {
		b.engine.close()
		b.engine = nil
	}
}

func (b *bench) start(c *vector) error {
	key := fmt.Sprint(c.Options, c.Rules)
	if b.engine != nil && b.last == key {
		return nil
	}
	file, err := b.write(c.Rules)
	if err != nil {
		return err
	}
	settings := "log=off,rules=" + file
	for _, pair := range c.Options {
		settings += "," + pair[0] + "=" + pair[1]
	}
	b.last = key
	return b.open(settings)
}

func (b *bench) open(settings string) error {
	b.end()
	engine, err := openAlone(settings)
	if err != nil {
		return err
	}
	b.engine, b.lists = engine, engine.Live(1)
	return nil
}

func (b *bench) write(rules string) (string, error) {
	b.started++
	file := filepath.Join(b.dir, fmt.Sprintf("%d.yaml", b.started))
	return file, os.WriteFile(file, []byte(rules), 0o600)
}

// freed tells whether what the case published is gone.
func (b *bench) freed() error {
	if b.engine == nil {
		return nil
	}
	return same("live lists after the case", b.lists, b.engine.Live(1))
}

// request is what came of a request's headers.
type request struct {
	tag   string
	found Found
}

// enter lets a request in with these headers.
func (b *bench) enter(kind string, headers []header) (request, error) {
	number, named := map[string]Kind{"http": HTTP, "dubbo": Dubbo, "message": Message}[kind]
	if !named {
		return request{}, fmt.Errorf("there is no kind %q", kind)
	}
	r, err := b.entered(number, headers)
	return r, first(err, same("flag OBSERVE", uint8(0), r.found.Flags&InObserve))
}

func (b *bench) entered(kind Kind, headers []header) (request, error) {
	given := map[string]string{}
	for _, h := range headers {
		value := h.Value
		if h.Hex != nil {
			raw, err := hex.DecodeString(*h.Hex)
			if err != nil {
				return request{}, err
			}
			value = string(raw)
		}
		name := strings.ToLower(h.Name)
		if _, there := given[name]; !there {
			given[name] = value
		}
	}
	snapshot, names := b.engine.InboundNames(kind &^ Trusted)
	values := NewValues()
	defer values.Free()
	for _, name := range names {
		value, present := given[name]
		values.Add(value, present)
	}
	found := b.engine.Inbound(kind, snapshot, values)
	r := request{found: found}
	switch found.ID {
	case 0:
	case 65535:
		r.tag = values.Span(found)
	default:
		r.tag = b.engine.TagName(found.ID)
	}
	return r, same("flags", uint8(0), found.Flags&(InStale|InOff))
}

// instances hands all metadata over: the C ABI leaves it to the library which of them count.
func instances(all []listed, allHealthy bool) []Instance {
	out := make([]Instance, len(all))
	for i, one := range all {
		out[i] = Instance{Address: one.Address, Healthy: one.Healthy || allHealthy}
		for key, value := range one.Metadata {
			out[i].Metadata = append(out[i].Metadata, [2]string{key, value})
		}
		sort.Slice(out[i].Metadata, func(a, b int) bool { return out[i].Metadata[a][0] < out[i].Metadata[b][0] })
	}
	return out
}

// publishBySteps makes the same list by another way: a stranger first, then all healthy without it, then each health
// bit to and fro.
func (b *bench) publishBySteps(names []string, all []listed) (uint64, error) {
	stranger := Instance{Address: "192.0.2.1:1", Healthy: true}
	before, err := b.engine.ListNew(names, []Instance{stranger})
	if err != nil {
		return 0, err
	}
	list, err := b.engine.listChange(before, []uint32{0}, instances(all, true))
	if err := first(err, b.engine.ListFree(before)); err != nil {
		return 0, err
	}
	for i, one := range all {
		b.engine.Health(list, uint32(i), false)
		b.engine.Health(list, uint32(i), one.Healthy)
	}
	return list, nil
}

func (b *bench) routed(list uint64, tag string, entropy uint64) Routed {
	return b.engine.Route(list, b.engine.TagFind(tag), 0, entropy, b.engine.Stamp(list))
}

func (b *bench) usable(list uint64, answer Routed) []uint32 {
	if answer.Subset == noSubset {
		return []uint32{}
	}
	found, _ := b.engine.Subset(list, answer.Subset)
	return append([]uint32{}, found...)
}
