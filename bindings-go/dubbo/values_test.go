package trilanedubbo_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/protocol/triple/triple_protocol"

	trilanedubbo "github.com/trilane/trilane/bindings-go/dubbo"
)

// Both ports, then the method that the second condition is about.
const conditions = `configVersion: v3.0
scope: service
key: trilane.test.Teller
conditions:
  - "attachments[x-b]=1 => port=%[1]s"
  - "method=%[3]s => port=%[1]s"
  - " => port=%[2]s"
`

// put replaces the rule file.
func put(t *testing.T, text string) {
	t.Helper()
	file := os.Getenv("TRILANE_RULES")
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func TestAConditionOfDubbosReadsTheValuesOfACall(t *testing.T) {
	base, gray := serve(t, "base", ""), serve(t, "gray", "")
	conn := connect(t, fmt.Sprintf("tri://%s;tri://%s", base, gray), trilanedubbo.Client())
	port := func(address string) string { _, port, _ := net.SplitHostPort(address); return port }
	put := func(text string) { t.Helper(); put(t, text) }
	defer put(rules)
	who := func(ctx context.Context) string {
		got, err := tell(ctx, conn)
		if err != nil {
			t.Error(err)
		}
		name, _, _ := strings.Cut(got, "(")
		return name
	}
	settled := func(want string) {
		t.Helper()
		for end, equal := time.Now().Add(20*time.Second), 0; equal < 10; {
			if who(t.Context()) == want {
				equal++
			} else if equal = 0; time.Now().After(end) {
				t.Fatalf("the calls do not go to %s alone", want)
			}
		}
	}
	put(fmt.Sprintf(conditions, port(gray), port(base), "Tell"))
	settled("gray")
	put(fmt.Sprintf(conditions, port(gray), port(base), "Other"))
	settled("base")
	with := context.WithValue(t.Context(), constant.AttachmentKey, map[string]any{"x-b": "1"})
	for range 10 {
		if got := who(with); got != "gray" {
			t.Fatalf("with the attachment: %s", got)
		}
		if got := who(t.Context()); got != "base" {
			t.Fatalf("without it: %s", got)
		}
	}
}

// What a rule wants done with a call besides choosing its instance, by the call's attachment.
const istio = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: teller}
spec:
  hosts: [trilane.test.Teller]
  http:
    - match: [{headers: {x-b: {exact: bad}}}]
      fault: {abort: {grpcStatus: DATA_LOSS, percentage: {value: 100}}}
      route: [{destination: {host: trilane.test.Teller}}]
    - match: [{headers: {x-b: {exact: half}}}]
      fault: {abort: {httpStatus: 503, percentage: {value: 50}}}
      route: [{destination: {host: trilane.test.Teller}}]
    - match: [{headers: {x-b: {exact: late}}}]
      fault: {delay: {fixedDelay: 3600s, percentage: {value: 100}}}
      route: [{destination: {host: trilane.test.Teller}}]
    - match: [{headers: {x-b: {exact: short}}}]
      timeout: 0.2s
      route: [{destination: {host: trilane.test.Teller}}]
    - route: [{destination: {host: trilane.test.Teller}}]
`

func TestFaultsAndTimeoutsOfRulesAreApplied(t *testing.T) {
	conn := connect(t, fmt.Sprintf("tri://%s", serve(t, "base", "")), trilanedubbo.Client())
	ask := func(ctx context.Context, value, what string) (string, error) {
		return tell(context.WithValue(ctx, constant.AttachmentKey, map[string]any{"x-b": value, "x-a": what}), conn)
	}
	with := func(value string, limit time.Duration) (string, error) {
		ctx, end := context.WithTimeout(t.Context(), limit)
		defer end()
		return ask(ctx, value, "1")
	}
	put(t, istio)
	defer put(t, rules)
	code := func(err error) triple_protocol.Code { return triple_protocol.CodeOf(err) }
	plenty := 20 * time.Second
	for end := time.Now().Add(plenty); ; {
		if _, err := with("bad", plenty); err != nil && code(err) == triple_protocol.CodeDataLoss {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the rule's abort never came: %v", err)
		}
	}
	if got, err := with("", plenty); err != nil || got != "base(){x-a=[1]}" {
		t.Errorf("a call of which no rule wants anything: %s, %v", got, err)
	}
	ended := 0
	for range 40 {
		if _, err := with("half", plenty); err == nil {
			continue
		} else if ended++; code(err) != triple_protocol.CodeUnavailable {
			t.Fatalf("half of the calls are aborted: %v", err)
		}
	}
	if ended == 0 || ended == 40 { // a further attempt may not undo it: of three, one would get through mostly
		t.Errorf("%d of 40 calls were aborted, about 20 are to be", ended)
	}
	if _, err := with("late", 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that a rule delays for an hour: %v", err)
	}
	if got, err := with("short", plenty); err != nil || got != "base(){x-a=[1]}" {
		t.Errorf("a call within the rule's time: %s, %v", got, err)
	}
	ctx, end := context.WithTimeout(t.Context(), plenty)
	defer end()
	if _, err := ask(ctx, "short", hang); err == nil || ctx.Err() != nil {
		t.Errorf("a call that would hang, in the rule's time: %v, and the caller's own time: %v", err, ctx.Err())
	}
}
