//go:build cgo && trilanenet

package triple

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	"google.golang.org/grpc/status"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// dial starts the interop server that TRILANE_INTEROP_SERVER names and connects a stub of protoc-gen-go-grpc to it.
func dial(t *testing.T) (testpb.TestServiceClient, *Conn) {
	t.Helper()
	program := os.Getenv("TRILANE_INTEROP_SERVER")
	if program == "" {
		t.Skip("skipped: TRILANE_INTEROP_SERVER names no server")
	}
	server := exec.Command(program, "--port=0", "--address=127.0.0.1")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return testpb.NewTestServiceClient(conn), conn
}

// TestInterop runs grpc-go's own cases over our connection: they end the process where one fails.
func TestInterop(t *testing.T) {
	client, conn := dial(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cases := []struct {
		name string
		run  func(context.Context, testpb.TestServiceClient, ...grpc.CallOption)
	}{
		{"empty_unary", interop.DoEmptyUnaryCall},
		{"large_unary", interop.DoLargeUnaryCall},
		{"client_streaming", interop.DoClientStreaming},
		{"server_streaming", interop.DoServerStreaming},
		{"ping_pong", interop.DoPingPong},
		{"empty_stream", interop.DoEmptyStream},
		{"timeout_on_sleeping_server", interop.DoTimeoutOnSleepingServer},
		{"cancel_after_begin", interop.DoCancelAfterBegin},
		{"cancel_after_first_response", interop.DoCancelAfterFirstResponse},
		{"status_code_and_message", interop.DoStatusCodeAndMessage},
		{"special_status_message", interop.DoSpecialStatusMessage},
		{"custom_metadata", interop.DoCustomMetadata},
	}
	for _, c := range cases {
		c.run(ctx, client)
	}
	_, err := client.UnimplementedCall(ctx, &testpb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("unimplemented_method: %v", err)
	}
	_, err = testpb.NewUnimplementedServiceClient(conn).UnimplementedCall(ctx, &testpb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("unimplemented_service: %v", err)
	}
	fmt.Printf("triple (Go): %d cases passed\n", len(cases)+2)
}

// TestWaitingHoldsNoThread: 1,000 goroutines that wait for an answer need no thread each.
func TestWaitingHoldsNoThread(t *testing.T) {
	client, _ := dial(t)
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := client.EmptyCall(ctx, &testpb.Empty{}); err != nil {
		t.Fatal(err)
	}
	before := threads(t)
	var started, ended sync.WaitGroup
	for range 1000 {
		started.Add(1)
		ended.Add(1)
		go func() {
			defer ended.Done()
			stream, err := client.FullDuplexCall(ctx)
			started.Done()
			if err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.Canceled {
				t.Errorf("ended with %v", err)
			}
		}()
	}
	started.Wait()
	// Another call is answered while they wait.
	if _, err := client.EmptyCall(ctx, &testpb.Empty{}); err != nil {
		t.Error(err)
	}
	if during := threads(t); during > before+8 {
		t.Errorf("%d threads before, %d while 1,000 goroutines wait", before, during)
	}
	cancel()
	ended.Wait()
}

func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("skipped: no /proc/self/task: ", err)
	}
	return len(entries)
}
