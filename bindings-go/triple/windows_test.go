//go:build cgo && trilanenet

package triple

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// TestWindows is what `make bench` measures: for each line "ours COUNT" or "theirs COUNT" of standard input it makes
// so many unary calls of 100 bytes with 20 goroutines on one connection, then says "done". Without a target in
// TRILANE_BENCH_TARGET it is skipped.
func TestWindows(t *testing.T) {
	target := os.Getenv("TRILANE_BENCH_TARGET")
	if target == "" {
		t.Skip("skipped: TRILANE_BENCH_TARGET names no server")
	}
	theirs, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	clients := map[string]testpb.TestServiceClient{
		"ours":   testpb.NewTestServiceClient(connect(t, target)),
		"theirs": testpb.NewTestServiceClient(theirs),
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var who string
		var count int64
		if _, err := fmt.Sscanf(strings.TrimSpace(lines.Text()), "%s %d", &who, &count); err != nil {
			t.Fatal(err)
		}
		window(t, clients[who], count)
		fmt.Println("done")
	}
}

func window(t *testing.T, client testpb.TestServiceClient, count int64) {
	var all sync.WaitGroup
	for range 20 {
		all.Add(1)
		go func() {
			defer all.Done()
			request := &testpb.SimpleRequest{ResponseSize: 98, Payload: &testpb.Payload{Body: make([]byte, 98)}}
			for atomic.AddInt64(&count, -1) >= 0 {
				if _, err := client.UnaryCall(context.Background(), request); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	all.Wait()
}
