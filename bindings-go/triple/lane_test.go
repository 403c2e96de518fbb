//go:build cgo && trilanenet

package triple

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	trilane "github.com/trilane/trilane/bindings-go"
	"github.com/trilane/trilane/bindings-go/internal/native"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

const authority = "back.triple:50051"

var rulesFile string

// TestMain starts the process's engine on a rule file that names nobody yet.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "trilane-triple-")
	if err != nil {
		panic(err)
	}
	rulesFile = filepath.Join(dir, "lanes.yaml")
	os.Setenv("TRILANE_RULES", rulesFile)
	if err := os.WriteFile(rulesFile, []byte("apiVersion: trilane/v1\nmode: on\n"), 0o600); err != nil {
		panic(err)
	}
	trilane.Start()
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// rule puts a rule file in force and waits until the engine has it.
func rule(t *testing.T, text string) {
	t.Helper()
	old := native.Default().Authority(authority)
	if err := os.WriteFile(rulesFile+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(rulesFile+".new", rulesFile); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); native.Default().Authority(authority) == old; {
		if time.Now().After(end) {
			t.Fatal("the rule file was not taken up")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// who answers with its name, the tag of the call's context and the carrier that came.
type who struct {
	testpb.UnimplementedTestServiceServer
	name string
}

func (w *who) text(ctx context.Context) metadata.MD {
	in, _ := metadata.FromIncomingContext(ctx)
	return metadata.Pairs("who", fmt.Sprintf("%s(%s,%s)", w.name, trilane.Current(ctx).Tag, strings.Join(in.Get("x-mse-tag"), ",")))
}

func (w *who) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	return &testpb.Empty{}, grpc.SetHeader(ctx, w.text(ctx))
}

func (w *who) FullDuplexCall(s testpb.TestService_FullDuplexCallServer) error {
	return s.SendHeader(w.text(s.Context()))
}

// TestLanes: a tagged call reaches the gray copy, an untagged one the base; when gray is killed its calls fall back.
func TestLanes(t *testing.T) {
	_, base := hosted(t, &who{name: "base"})
	gray, grayAddress := hosted(t, &who{name: "gray"})
	rule(t, fmt.Sprintf(`apiVersion: trilane/v1
mode: on
lanes:
  - {tag: gray}
  - {tag: strict, fallback: none}
services:
  - name: back
    authorities: ["%s"]
    instances:
      - {address: "%s"}
      - {address: "%s", tag: gray}
`, authority, base, grayAddress))
	client := testpb.NewTestServiceClient(connect(t, authority))
	ask := func(ctx context.Context) string {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		var md metadata.MD
		if _, err := client.EmptyCall(ctx, &testpb.Empty{}, grpc.Header(&md)); err != nil {
			return err.Error()
		}
		return strings.Join(md.Get("who"), ",")
	}
	want := func(ctx context.Context, answer string) {
		t.Helper()
		if got := ask(ctx); got != answer {
			t.Errorf("got %q, want %q", got, answer)
		}
	}
	tagged := trilane.With(t.Context(), "gray")
	want(t.Context(), "base(,)")
	want(tagged, "gray(gray,gray)")
	want(trilane.With(t.Context(), "unheard-of"), "base(unheard-of,unheard-of)")
	want(metadata.AppendToOutgoingContext(t.Context(), "x-mse-tag", "gray"), "gray(gray,gray)")
	want(t.Context(), "base(,)")
	if got := ask(trilane.With(t.Context(), "strict")); !strings.Contains(got, `no usable instance in lane "strict"`) {
		t.Errorf("a lane without fallback gave %q", got)
	}
	stream, err := client.FullDuplexCall(tagged)
	if err != nil {
		t.Fatal(err)
	}
	if md, err := stream.Header(); err != nil || strings.Join(md.Get("who"), ",") != "gray(gray,gray)" {
		t.Errorf("a stream reached %v, %v", md, err)
	}
	gray.Stop()
	// Until the connection is seen to be gone a call may fail, but only as UNAVAILABLE.
	for range 1000 {
		_, err := client.EmptyCall(tagged, &testpb.Empty{})
		if err == nil {
			break
		}
		if status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
	}
	want(tagged, "base(gray,gray)")
	want(t.Context(), "base(,)")
}
