//go:build cgo && trilanetest

package native

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// One method per file of vectors.

const noSubset = 0xFFFF

var (
	decidedWords = []string{"own", "noinstances", "noavailabled", "fail", "all"}
	sourceWords  = []string{"none", "carried", "entry", "trace", "own"}
	shownLine    = regexp.MustCompile(`^ *[0-9]* \| `)
)

func (b *bench) tag(c *vector) error {
	if c.Hex == nil {
		return fmt.Errorf("there is no hex")
	}
	raw, err := hex.DecodeString(*c.Hex)
	if err := first(err, b.start(&vector{Rules: "apiVersion: trilane/v1\n"})); err != nil {
		return err
	}
	return first(
		same("tag_find", c.Valid, b.engine.tagged(string(raw)) != 0),
		same("TagFind", c.Valid, b.engine.TagFind(string(raw)) != 0),
		same("ValidTag", c.Valid, ValidTag(string(raw))),
	)
}

func (b *bench) carrier(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	if c.Op == "baggage_set" {
		return b.baggage(c)
	}
	r, err := b.enter(c.Kind, c.Headers)
	source := uint8(1)
	if *c.Tag == "" {
		source = 0
	}
	err = first(err, same("tag", *c.Tag, r.tag), same("source", source, r.found.Source))
	if c.Malformed != nil {
		err = first(err, same("malformed", *c.Malformed, r.found.Flags&InMalformed != 0))
	}
	if c.Disagree != nil {
		err = first(err, same("disagree", *c.Disagree, r.found.Flags&InDisagreed != 0))
	}
	return err
}

func (b *bench) baggage(c *vector) error {
	result := b.engine.BaggageSet(c.Old, *c.Tag)
	ours, others, expected := []string{}, []string{}, []string{}
	for _, piece := range strings.Split(result, ",") {
		member := strings.TrimSpace(piece)
		key := strings.TrimSpace(strings.SplitN(strings.ReplaceAll(member, ";", "="), "=", 2)[0])
		switch {
		case member == "":
		case key == "__microservice_tag__":
			ours = append(ours, member)
		default:
			others = append(others, member)
		}
	}
	if c.Ours != nil {
		expected = append(expected, *c.Ours)
	}
	edges := result != strings.Trim(result, ", ")
	return first(
		same("our member", expected, ours),
		same("other members", c.Others, others),
		same("a comma or blank at an end", c.Old == "" && edges, edges),
	)
}

func (b *bench) metadata(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	all := []listed{{Address: c.Address, Healthy: true, Metadata: c.Metadata}}
	list, err := b.engine.ListNew([]string{c.Name}, instances(all, false))
	if err != nil {
		return err
	}
	decided := func(tag string) string {
		answer := b.routed(list, tag, 0)
		return fmt.Sprint(word(decidedWords, answer.Case), b.usable(list, answer))
	}
	untagged := "fail[]"
	if c.Tag != nil && *c.Tag == "" {
		untagged = "own[0]"
	}
	err = same("routing no tag", untagged, decided(""))
	if c.Tag != nil && *c.Tag != "" {
		err = first(err, same("routing its tag", "own[0]", decided(*c.Tag)))
	}
	return first(err, b.engine.ListFree(list))
}

func (b *bench) route(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	if c.Authority != nil {
		list := b.engine.Authority(*c.Authority)
		if err := same("a list for the authority", c.Case != nil, list != 0); err != nil || list == 0 {
			return err
		}
		for n, address := range c.Addresses {
			if err := same("address", address, b.engine.Address(list, uint32(n))); err != nil {
				return err
			}
		}
		return b.routeIn(list, c)
	}
	list, err := b.engine.ListNew(c.Names, instances(c.Instances, false))
	if err != nil {
		return err
	}
	if err := first(b.routeIn(list, c), b.engine.ListFree(list)); err != nil {
		return err
	}
	if list, err = b.publishBySteps(c.Names, c.Instances); err != nil {
		return err
	}
	if err := first(b.routeIn(list, c), b.engine.ListFree(list)); err != nil {
		return fmt.Errorf("after list_change and list_health: %w", err)
	}
	return nil
}

func (b *bench) routeIn(list uint64, c *vector) error {
	var tree map[string]any
	if err := json.Unmarshal([]byte(b.engine.Explain(list, *c.Tag, 0)), &tree); err != nil || tree == nil {
		return fmt.Errorf("explain is no object: %v", err)
	}
	answer := b.routed(list, *c.Tag, 0)
	if c.Mode != "on" {
		flag := map[string]uint8{"off": RouteOff, "observe": RouteObserve}[c.Mode]
		return same("flag "+c.Mode, true, answer.Flags&flag != 0)
	}
	fellBack := answer.Case == CaseNoInstances || answer.Case == CaseNoAvailabled
	kind := word(decidedWords, answer.Case)
	if *c.Case == "fallback" && fellBack {
		kind = "fallback"
	}
	index := uint32(NoIndex)
	if len(c.Indices) > 0 {
		index = c.Indices[0]
	}
	err := first(
		same("flags", uint8(0), answer.Flags&^RouteFallback),
		same("case", *c.Case, kind),
		same("indices", c.Indices, b.usable(list, answer)),
		same("index", index, answer.Index),
	)
	switch answer.Case {
	case CaseAsked, CaseNoInstances, CaseNoAvailabled:
		return first(err, same("flag FALLBACK", fellBack, answer.Flags&RouteFallback != 0))
	case CaseFail:
		return first(err, same("subset of a failure", uint16(noSubset), answer.Subset))
	}
	return err
}

func (b *bench) pick(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	list, err := b.engine.ListNew(c.Names, instances(c.Instances, false))
	if err != nil {
		return err
	}
	answer := b.routed(list, *c.Tag, c.Entropy)
	return first(
		same("case", *c.Case, word(decidedWords, answer.Case)),
		same("index", *c.Index, answer.Index),
		b.engine.ListFree(list),
	)
}

// percent: the bucket itself stays inside the library, the rule tells whether it is the one.
func (b *bench) percent(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	r, err := b.enter("http", []header{{Name: "x-user-id", Value: c.Key}})
	expected := " none"
	if c.Match {
		expected = "gray entry"
	}
	return first(err, same("tag and source", expected, r.tag+" "+word(sourceWords, r.found.Source)))
}

// everyBucket has a lane for each bucket.
var everyBucket = sync.OnceValue(func() *vector {
	var lanes, rules strings.Builder
	for n := range 10_000 {
		fmt.Fprintf(&lanes, "  - {tag: b%d}\n", n)
		fmt.Fprintf(&rules, "      - {lane: b%d, percent: 0.01, from: %d.%02d, key: {header: x-user-id}, salt: autumn}\n",
			n, n/100, n%100)
	}
	text := "apiVersion: trilane/v1\nlanes:\n" + lanes.String() + "entry:\n  - service: shop\n    rules:\n" + rules.String()
	return &vector{Rules: text, Options: [][2]string{{"service", "shop"}}}
})

// buckets runs buckets.txt and answers how many lines it has.
func (b *bench) buckets(t *testing.T, file string) int {
	text, err := os.ReadFile(file)
	if err := first(err, b.start(everyBucket())); err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		bucket, key, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		r, err := b.enter("http", []header{{Name: "x-user-id", Value: key}})
		if err := first(err, same("tag", "b"+bucket, r.tag)); err != nil {
			t.Errorf("FAILED buckets.txt: %q: %v", key, err)
		}
		count++
	}
	return count
}

func (b *bench) entry(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	r, err := b.enter(c.Kind, c.Headers)
	return first(err, same("tag and source", *c.Tag+" "+c.Source, r.tag+" "+word(sourceWords, r.found.Source)))
}

func (b *bench) edge(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	answer := b.engine.Edge(c.Peer)
	kind := HTTP
	if answer == 0 {
		kind |= Trusted
	}
	r, err := b.entered(kind, c.Headers)
	values := NewValues()
	defer values.Free()
	pass := b.engine.PassNames()
	for _, name := range pass {
		at := slices.IndexFunc(c.Headers, func(h header) bool { return h.Name == name })
		if at < 0 {
			values.Add("", false)
		} else {
			values.Add(c.Headers[at].Value, true)
		}
	}
	kept, ride := b.engine.Pass(values), []string{}
	for i, name := range pass {
		if kept>>i&1 == 1 {
			ride = append(ride, name)
		}
	}
	return first(
		err,
		same("edge", c.Edge, answer),
		same("names that an edge removes", sorted(c.Names), sorted(b.engine.EdgeNames())),
		same("tag", *c.Tag, r.tag),
		same("kept", c.Kept, ride),
	)
}

func (b *bench) trace(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	err := same("trace_names", sorted(c.Names), sorted(b.engine.TraceNames()))
	for at, step := range c.Steps {
		if err == nil {
			err = b.traced(fmt.Sprintf("step %d: %s", at, step.Op), c.Names, &step)
		}
	}
	return err
}

func (b *bench) traced(what string, names []string, s *step) error {
	find := func(value string) string {
		if id := b.engine.TraceFind(value); id != 0 {
			return b.engine.TagName(id)
		}
		return ""
	}
	switch s.Op {
	case "in":
		kind := map[string]Kind{"http": HTTP, "dubbo": Dubbo}[s.Kind]
		if s.Trusted {
			kind |= Trusted
		}
		r, err := b.entered(kind, s.Headers)
		return first(err, same(what, s.Tag+" "+s.Source, r.tag+" "+word(sourceWords, r.found.Source)))
	case "find":
		return same(what, s.Tag, find(s.Value))
	}
	for n := range s.Count {
		id := fmt.Sprint(s.Prefix, n)
		if _, err := b.entered(HTTP, []header{{Name: "x-mse-tag", Value: s.Tag}, {Name: names[0], Value: id}}); err != nil {
			return err
		}
	}
	known := 0
	for n := range s.Count {
		switch tag := find(fmt.Sprint(s.Prefix, n)); tag {
		case "":
		case s.Tag:
			known++
		default:
			return same(what, s.Tag, tag)
		}
	}
	return same(fmt.Sprintf("%s: %d are known", what, known), true, known >= 1 && known <= s.Most)
}

func sorted(names []string) []string {
	return slices.Sorted(slices.Values(names))
}

func (b *bench) known(c *vector) error {
	if err := b.start(c); err != nil {
		return err
	}
	var published []uint64
	var failed error
	for _, list := range c.Lists {
		id, err := b.engine.ListNew(list.Names, instances(list.Instances, false))
		if err != nil {
			failed = first(failed, err)
			continue
		}
		published = append(published, id)
	}
	err := first(failed, same("known("+*c.Authority+")", c.Known, b.engine.Known(*c.Authority)))
	for _, id := range published {
		err = first(err, b.engine.ListFree(id))
	}
	return err
}

// badRules: the C ABI has no check of a text, so an engine reads it as its rule file and says in its log what it
// refused.
func (b *bench) badRules(c *vector) error {
	file, err := b.write(c.Text)
	if err != nil {
		return err
	}
	log := file + ".log"
	b.last = ""
	if err := b.open("log=" + log + ",rules=" + file); err != nil {
		return err
	}
	said, err := os.ReadFile(log)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	gray := b.engine.tagged("gray")
	names := !c.Refused && strings.Contains(c.Text, "gray")
	if err := same("gray is interned", names, gray != 0 && gray != 65535); err != nil {
		return err
	}
	problems := readProblems(string(said), file)
	if !c.Refused {
		return first(
			same("problems", []problem(nil), problems),
			same("the text is in force", true, strings.Contains(string(said), " TRL-210 ")),
		)
	}
	for _, p := range problems {
		if p.fits(c) {
			return nil
		}
	}
	place := func(n *int) string {
		if n == nil {
			return "any"
		}
		return strconv.Itoa(*n)
	}
	expected := fmt.Sprintf("line %s column %s, words %q, lines %v", place(c.Line), place(c.Column), c.Contains, c.Lines)
	return mismatch{"problems of\n" + c.Text, expected, string(said)}
}

// problem as the log tells it: FILE:LINE:COLUMN: words, the line, a caret, what was expected.
type problem struct {
	line, column int
	said         string
}

func readProblems(log, file string) []problem {
	var problems []problem
	for _, text := range strings.Split(log, "\n") {
		if rest, begins := strings.CutPrefix(text, file+":"); begins {
			parts := append(strings.SplitN(rest, ":", 3), "", "")
			line, _ := strconv.Atoi(parts[0])
			column, _ := strconv.Atoi(parts[1])
			problems = append(problems, problem{line, column, parts[2]})
		} else if len(problems) > 0 && !shownLine.MatchString(text) {
			problems[len(problems)-1].said += "\n" + text
		}
	}
	return problems
}

func (p problem) fits(c *vector) bool {
	if c.Line != nil && *c.Line != p.line || c.Column != nil && *c.Column != p.column {
		return false
	}
	for _, word := range c.Contains {
		if !strings.Contains(p.said, word) {
			return false
		}
	}
	for _, line := range c.Lines {
		if line != p.line && !strings.Contains(p.said, strconv.Itoa(line)) {
			return false
		}
	}
	return true
}
