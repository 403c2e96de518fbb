package trilanedubbo_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	trilanedubbo "github.com/trilane/trilane/bindings-go/dubbo"
	"github.com/trilane/trilane/bindings-go/internal/flow"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"github.com/trilane/trilane/bindings-go/internal/scope"
)

// Here a request comes in as for every library; its calls go out through dubbo-go.
func TestACallWithoutItsRequestsContextIsTold(t *testing.T) {
	conn := connect(t, fmt.Sprintf("tri://%s", serve(t, "base", "")), trilanedubbo.Client())
	request := func(headers map[string][]string) context.Context {
		s, _ := flow.In(flow.Dubbo, native.Dubbo, headers, flow.Lower, func() string { return "" })
		return scope.Enter(t.Context(), s)
	}
	gray := map[string][]string{"x-mse-tag": {"gray"}}
	ask := func(ctx context.Context) {
		t.Helper()
		if _, err := tell(ctx, conn); err != nil {
			t.Fatal(err)
		}
	}
	lost := func() uint64 { return native.Default().Counted("tag_lost") }
	before := lost()
	for range 3 {
		ask(request(gray))
		ask(request(nil))
	}
	if lost() != before {
		t.Fatalf("%d calls are told that lost nothing", lost()-before)
	}
	for end := time.Now().Add(20 * time.Second); lost() == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the loss was never told")
		}
		request(gray)
		ask(t.Context())
	}
}
