package it

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bring sends a request with these headers and gives the answer.
func bring(t *testing.T, url string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAWovenEdgeLetsNoCarrierInAndPassesNamedHeadersOn(t *testing.T) {
	_, woven := build(t)
	const member = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"
	back := start(t, nil, filepath.Join(woven, "back"), "B")
	edge := start(t, []string{"TRILANE_EDGE=true", "ALICLOUD_SERVICE_HEADER=x-a"}, filepath.Join(woven, "front"),
		"http://"+back.address)
	url := "http://" + edge.address + "/lines"
	equal(t, bring(t, url, "x-mse-tag", "gray", "baggage", "a=b,"+member, "x-a", "1"), "A[] [a=b] [1]>B[] [] [1]")
	equal(t, bring(t, url), "A[] [] []>B[] [] []")
	trusting := start(t, []string{"TRILANE_EDGE=true", "TRILANE_EDGE_TRUST=127.0.0.0/8"}, filepath.Join(woven, "front"),
		"http://"+back.address)
	equal(t, bring(t, "http://"+trusting.address+"/lines", "x-mse-tag", "gray", "x-a", "1"),
		"A[gray] [] [1]>B[gray] [] []")
}

func TestAWovenCallTriesAnotherInstance(t *testing.T) {
	_, woven := build(t)
	base := start(t, nil, filepath.Join(woven, "back"), "base")
	gray := start(t, nil, filepath.Join(woven, "back"), "gray")
	file := filepath.Join(t.TempDir(), "lanes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, lanes, base.address, gray.address), 0o600); err != nil {
		t.Fatal(err)
	}
	front := start(t, []string{"TRILANE_RULES=" + file}, filepath.Join(woven, "front"), "http://back.shop:8080")
	want(t, "http://"+front.address+"/", "gray", "A(gray)>gray(gray)")
	gray.cmd.Process.Kill()
	gray.cmd.Wait()
	for range 20 {
		want(t, "http://"+front.address+"/", "gray", "A(gray)>base(gray)")
	}
}

func TestAWovenCallToAnUnknownHostIsTheSameByteForByte(t *testing.T) {
	plain, woven := build(t)
	file := filepath.Join(t.TempDir(), "lanes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, lanes, "127.0.0.1:1", "127.0.0.1:2"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"TRILANE_RULES=" + file, "ALICLOUD_SERVICE_HEADER=x-a"}
	sent := func(dir string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		request := make(chan string, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				request <- err.Error()
				return
			}
			defer conn.Close()
			var text strings.Builder
			for in := bufio.NewReader(conn); !strings.HasSuffix(text.String(), "\r\n\r\n"); {
				line, err := in.ReadString('\n')
				text.WriteString(line)
				if err != nil {
					break
				}
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nraw")
			_, port, _ := net.SplitHostPort(l.Addr().String())
			request <- strings.ReplaceAll(text.String(), port, "PORT")
		}()
		front := start(t, env, filepath.Join(dir, "front"), "http://"+l.Addr().String())
		equal(t, bring(t, "http://"+front.address+"/", "x-mse-tag", "gray", "x-a", "1", "baggage", "a=b"), "A(gray)>raw")
		return <-request
	}
	without, with := sent(plain), sent(woven)
	if !strings.HasPrefix(without, "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n") {
		t.Errorf("the plain program sent %q", without)
	}
	equal(t, with, without)
}
