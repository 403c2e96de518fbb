package it

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	buildOnce   sync.Once
	plain, bin  string
	buildFailed bool
)

// build makes the two programs, plain and woven, once for all tests, and looks at the tree afterwards.
func build(t testing.TB) (plainDir, wovenDir string) {
	t.Helper()
	d := dist(t)
	buildOnce.Do(func() {
		buildFailed = true
		tree := copyTree(t, "testdata/app")
		before := hashTree(t, tree)
		plain, bin = filepath.Join(shared, "plain"), filepath.Join(shared, "woven")
		command(t, tree, nil, "go", "build", "-o", plain+"/", "./cmd/...")
		command(t, tree, nil, filepath.Join(d, "trilane"), "go", "build", "-o", bin+"/", "./cmd/...")
		if after := hashTree(t, tree); after != before {
			t.Errorf("the user's tree was changed by the woven build")
		}
		buildFailed = false
	})
	if buildFailed {
		t.FailNow()
	}
	return plain, bin
}

func TestUntouchedProgramKeepsTheTag(t *testing.T) {
	plain, woven := build(t)
	t.Run("plain loses it", func(t *testing.T) {
		back := start(t, nil, filepath.Join(plain, "back"), "B")
		front := start(t, nil, filepath.Join(plain, "front"), "http://"+back.address)
		want(t, "http://"+front.address+"/", "gray", "A(gray)>B()")
	})
	back := start(t, nil, filepath.Join(woven, "back"), "B")
	front := start(t, nil, filepath.Join(woven, "front"), "http://"+back.address)
	url := "http://" + front.address
	t.Run("woven keeps it", func(t *testing.T) {
		want(t, url+"/", "gray", "A(gray)>B(gray)")
		want(t, url+"/", "", "A()>B()")
		want(t, url+"/", "blue", "A(blue)>B(blue)")
		want(t, url+"/", "no tag", "A(no tag)>B()")
	})
	t.Run("in coroutines", func(t *testing.T) {
		for range 20 {
			want(t, url+"/pull", "gray", "A(gray)>B(gray)B(gray)")
			want(t, url+"/pull", "", "A()>B()B()")
		}
	})
	t.Run("lost, never wrong", func(t *testing.T) {
		for i := range 20 {
			tag := fmt.Sprintf("t%d", i)
			want(t, url+"/after", tag, "A("+tag+")>B()")
			want(t, url+"/worker", tag, "A("+tag+")>B()")
			want(t, url+"/", "", "A()>B()")
		}
	})
	t.Run("a request that panics leaves nothing", func(t *testing.T) {
		for range 20 {
			if _, err := get(url+"/panic", "gray"); err == nil {
				t.Error("the aborted request was answered")
			}
			want(t, url+"/", "", "A()>B()")
		}
	})
	t.Run("the start line names the aspects", func(t *testing.T) {
		log := front.log.String()
		if !strings.Contains(log, "net/http client, net/http server active") || strings.Count(log, "trilane:") > 2 {
			t.Errorf("standard error was:\n%s", log)
		}
	})
}

func TestMixedRequestsAreNeverCrossed(t *testing.T) {
	_, woven := build(t)
	back := start(t, nil, filepath.Join(woven, "back"), "B")
	front := start(t, nil, filepath.Join(woven, "front"), "http://"+back.address)
	url := "http://" + front.address
	want(t, url+"/", "", "A()>B()")
	before := goroutines(t, url)
	var crossed, failed sync.Map
	var wait sync.WaitGroup
	for c := range 20 {
		wait.Go(func() {
			for i := range 500 {
				tag := ""
				if i%3 != 0 {
					tag = fmt.Sprintf("lane-%d-%d", c, i%7)
				}
				got, err := get(url+"/", tag)
				if err != nil {
					failed.Store(err.Error(), true)
				} else if got != fmt.Sprintf("A(%s)>B(%s)", tag, tag) {
					crossed.Store(tag+" got "+got, true)
				}
			}
		})
	}
	wait.Wait()
	crossed.Range(func(k, _ any) bool { t.Errorf("crossed: %v", k); return true })
	failed.Range(func(k, _ any) bool { t.Errorf("failed: %v", k); return true })
	client.CloseIdleConnections()
	after := goroutines(t, url)
	for deadline := time.Now().Add(time.Minute); after > before && time.Now().Before(deadline); {
		after = goroutines(t, url) // connections that are being closed end on their own
	}
	if after > before {
		t.Errorf("goroutines before %d, after 10,000 requests %d", before, after)
	}
}

func goroutines(t *testing.T, url string) int {
	t.Helper()
	text, err := get(url+"/goroutines", "")
	if err != nil {
		t.Fatal(err)
	}
	client.Transport.(*http.Transport).CloseIdleConnections()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
