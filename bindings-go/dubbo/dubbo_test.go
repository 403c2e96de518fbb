package trilanedubbo_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"dubbo.apache.org/dubbo-go/v3/client"
	"dubbo.apache.org/dubbo-go/v3/common"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	_ "dubbo.apache.org/dubbo-go/v3/imports"
	"dubbo.apache.org/dubbo-go/v3/protocol"
	"dubbo.apache.org/dubbo-go/v3/protocol/triple/triple_protocol"
	"dubbo.apache.org/dubbo-go/v3/server"
	"google.golang.org/protobuf/types/known/wrapperspb"

	trilane "github.com/trilane/trilane/bindings-go"
	trilanedubbo "github.com/trilane/trilane/bindings-go/dubbo"
	"github.com/trilane/trilane/bindings-go/internal/native"
)

const rules = `apiVersion: trilane/v1
lanes:
  - {tag: gray}
  - {tag: dev-x, fallback: gray}
  - {tag: strict, fallback: none}
`

// Providers are processes of their own: this test program, started with the teller's name.
const tellerName, tellerNext = "TELLER_NAME", "TELLER_NEXT"

// As x-a it makes a teller wait for the end of the call.
const hang = "hang"

func TestMain(m *testing.M) {
	if !native.Decides {
		fmt.Println("skipped: built without cgo, nothing is decided")
		return
	}
	if name := os.Getenv(tellerName); name != "" {
		provide(name)
	}
	dir, err := os.MkdirTemp("", "trilane-dubbo-go-")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "lanes.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		panic(err)
	}
	os.Setenv("TRILANE_RULES", file)
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// Teller answers with its name, with what reached it and, where it has a next one, with that one's answer.
type Teller struct {
	name string
	next *client.Connection
}

// Tell is its one method.
func (t *Teller) Tell(ctx context.Context, _ *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	attachments, _ := ctx.Value(constant.AttachmentKey).(map[string]any)
	if value, _ := attachments["x-a"].([]string); len(value) == 1 && value[0] == hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var seen []string
	for _, key := range []string{"__microservice_tag__", "dubbo.tag", "x-mse-tag", "x-a", "baggage"} {
		if value, there := attachments[key]; there {
			seen = append(seen, fmt.Sprint(key, "=", value))
		}
	}
	sort.Strings(seen)
	text := fmt.Sprintf("%s(%s){%s}", t.name, trilane.Current(ctx).Tag, strings.Join(seen, " "))
	if t.next != nil {
		rest, err := tell(ctx, t.next)
		if err != nil {
			return nil, err
		}
		text += ">" + rest
	}
	return wrapperspb.String(text), nil
}

const service = "trilane.test.Teller"

var info = common.ServiceInfo{
	InterfaceName: service,
	ServiceType:   (*Teller)(nil),
	Methods: []common.MethodInfo{{
		Name:        "Tell",
		Type:        constant.CallUnary,
		ReqInitFunc: func() any { return new(wrapperspb.StringValue) },
		MethodFunc: func(ctx context.Context, args []any, handler any) (any, error) {
			told, err := handler.(*Teller).Tell(ctx, args[0].(*wrapperspb.StringValue))
			if err != nil {
				return nil, err
			}
			return triple_protocol.NewResponse(told), nil
		},
	}},
}

func tell(ctx context.Context, conn *client.Connection) (string, error) {
	told := new(wrapperspb.StringValue)
	err := conn.CallUnary(ctx, []any{wrapperspb.String("")}, told, "Tell")
	return told.Value, err
}

// provide is the life of a provider: it tells its address, and ends with its input.
func provide(name string) {
	fatal := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, name, err)
			os.Exit(1)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(err)
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(port)
	l.Close()
	teller := &Teller{name: name}
	if next := os.Getenv(tellerNext); next != "" {
		teller.next, err = dial(next, trilanedubbo.Client())
		fatal(err)
	}
	srv, err := server.NewServer(server.WithServerProtocol(protocol.WithIp("127.0.0.1"), protocol.WithPort(number),
		protocol.WithTriple()))
	fatal(err)
	fatal(srv.Register(teller, &info, trilanedubbo.Service()...))
	go func() { fatal(srv.Serve()) }()
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		time.Sleep(20 * time.Millisecond) // dubbo-go has no event for it
	}
	fmt.Println("READY", address)
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// serve starts a provider and gives its address.
func serve(t *testing.T, name, next string, environment ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(append(os.Environ(), tellerName+"="+name, tellerNext+"="+next), environment...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ready := strings.CutPrefix(lines.Text(), "READY "); ready {
			go io.Copy(io.Discard, out)
			return address
		}
	}
	t.Fatalf("%s ended before it was ready", name)
	return ""
}

func dial(url string, options ...client.ClientOption) (*client.Connection, error) {
	cli, err := client.NewClient(append(options, client.WithClientURL(url))...)
	if err != nil {
		return nil, err
	}
	return cli.DialWithInfo(service, &client.ClientInfo{InterfaceName: service, MethodNames: []string{"Tell"}})
}

func connect(t *testing.T, url string, options ...client.ClientOption) *client.Connection {
	t.Helper()
	conn, err := dial(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestCallsKeepTheirLane(t *testing.T) {
	base, gray := serve(t, "base", ""), serve(t, "gray", "", "ALICLOUD_SERVICE_TAG=gray")
	both := fmt.Sprintf("tri://%s;tri://%s?dubbo.tag=gray&alicloud.service.tag=gray", base, gray)
	pass := "ALICLOUD_SERVICE_HEADER=x-a"
	front, edge := serve(t, "front", both, pass), serve(t, "edge", both, pass, "TRILANE_EDGE=true")
	direct := connect(t, both, trilanedubbo.Client())
	plain, outside := connect(t, "tri://"+front), connect(t, "tri://"+edge)
	carried := func(tag string) string {
		return fmt.Sprintf(`{__microservice_tag__=[[{"name":"%s"}]] dubbo.tag=[%s]}`, tag, tag)
	}
	for range 10 {
		for tag, want := range map[string]string{
			"": "base(){}", "gray": "gray(gray)" + carried("gray"), "blue": "base(blue)" + carried("blue"),
			"dev-x": "gray(dev-x)" + carried("dev-x"),
		} {
			if got, err := tell(trilane.With(t.Context(), tag), direct); err != nil || got != want {
				t.Errorf("tag %q: got %s, %v; want %s", tag, got, err, want)
			}
		}
		if _, err := tell(trilane.With(t.Context(), "strict"), direct); err == nil ||
			!strings.Contains(err.Error(), `no usable instance in lane "strict" and its fallback is none`) {
			t.Errorf("a lane without a copy and without a fallback: %v", err)
		}
		// Through a service whose caller has no library: by attachments alone.
		with := func(attachments map[string]any) context.Context {
			return context.WithValue(t.Context(), constant.AttachmentKey, attachments)
		}
		for _, c := range []struct {
			to          *client.Connection
			attachments map[string]any
			want        string
		}{
			{plain, nil, "front(){}>base(){}"},
			{plain, map[string]any{"x-mse-tag": "gray"}, "front(gray){x-mse-tag=[gray]}>gray(gray)" + carried("gray")},
			{plain, map[string]any{"dubbo.tag": "gray"}, "front(gray){dubbo.tag=[gray]}>gray(gray)" + carried("gray")},
			{plain, map[string]any{"x-a": "1"}, "front(){x-a=[1]}>base(){x-a=[1]}"},
			{outside, map[string]any{"x-mse-tag": "gray", "dubbo.tag": "gray", "x-a": "1"}, "edge(){x-a=[1]}>base(){x-a=[1]}"},
		} {
			if got, err := tell(with(c.attachments), c.to); err != nil || got != c.want {
				t.Errorf("%v: got %s, %v; want %s", c.attachments, got, err, c.want)
			}
		}
	}
}
