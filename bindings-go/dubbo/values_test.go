package trilanedubbo_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"dubbo.apache.org/dubbo-go/v3/common/constant"

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

func TestAConditionOfDubbosReadsTheValuesOfACall(t *testing.T) {
	base, gray := serve(t, "base", ""), serve(t, "gray", "")
	conn := connect(t, fmt.Sprintf("tri://%s;tri://%s", base, gray), trilanedubbo.Client())
	port := func(address string) string { _, port, _ := net.SplitHostPort(address); return port }
	put := func(text string) {
		t.Helper()
		file := os.Getenv("TRILANE_RULES")
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
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
