//go:build cgo && trilanenet

package triple

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
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

// cases runs grpc-go's own cases: they end the process where one fails. It returns how many there are.
func cases(t *testing.T, client testpb.TestServiceClient, conn grpc.ClientConnInterface) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	all := []func(context.Context, testpb.TestServiceClient, ...grpc.CallOption){
		interop.DoEmptyUnaryCall, interop.DoLargeUnaryCall, interop.DoClientStreaming, interop.DoServerStreaming,
		interop.DoPingPong, interop.DoEmptyStream, interop.DoTimeoutOnSleepingServer, interop.DoCancelAfterBegin,
		interop.DoCancelAfterFirstResponse, interop.DoStatusCodeAndMessage, interop.DoSpecialStatusMessage,
		interop.DoCustomMetadata,
	}
	for _, run := range all {
		run(ctx, client)
	}
	_, err := client.UnimplementedCall(ctx, &testpb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("unimplemented_method: %v", err)
	}
	_, err = testpb.NewUnimplementedServiceClient(conn).UnimplementedCall(ctx, &testpb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("unimplemented_service: %v", err)
	}
	return len(all) + 2
}

// TestInterop: our client with our Rust server, with grpc-go's server, and with our Go server.
func TestInterop(t *testing.T) {
	client, conn := dial(t)
	fmt.Printf("interop: Go client -> Rust server: %d passed\n", cases(t, client, conn))

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	theirs := grpc.NewServer()
	testpb.RegisterTestServiceServer(theirs, interop.NewTestServer())
	go theirs.Serve(listener)
	defer theirs.Stop()
	conn = connect(t, listener.Addr().String())
	count := cases(t, testpb.NewTestServiceClient(conn), conn)
	fmt.Printf("interop: Go client -> grpc-go server: %d passed\n", count)

	_, address := hosted(t, interop.NewTestServer())
	conn = connect(t, address)
	fmt.Printf("interop: Go client -> Go server: %d passed\n", cases(t, testpb.NewTestServiceClient(conn), conn))

	grpcgo, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer grpcgo.Close()
	count = cases(t, testpb.NewTestServiceClient(grpcgo), grpcgo)
	fmt.Printf("interop: grpc-go client -> Go server: %d passed\n", count)
}

func connect(t *testing.T, address string) *Conn {
	t.Helper()
	conn, err := Dial(address, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
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
	// A thread that is held up inside a C call costs Go another one: some on a busy machine or one of many processors, but
	// not one a goroutine.
	if during := threads(t); during > before+500 {
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
