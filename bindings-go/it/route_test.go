package it

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const lanes = `apiVersion: trilane/v1
lanes:
  - {tag: gray}
  - {tag: blue}
services:
  - name: back
    authorities: ["back.shop:8080"]
    instances:
      - {address: "%s"}
      - {address: "%s", tag: gray}
`

func TestWovenProgramIsRoutedByTheRuleFile(t *testing.T) {
	_, woven := build(t)
	base := start(t, nil, filepath.Join(woven, "back"), "base")
	gray := start(t, nil, filepath.Join(woven, "back"), "gray")
	file := filepath.Join(t.TempDir(), "lanes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, lanes, base.address, gray.address), 0o600); err != nil {
		t.Fatal(err)
	}
	front := start(t, []string{"TRILANE_RULES=" + file}, filepath.Join(woven, "front"), "http://back.shop:8080")
	url := "http://" + front.address
	want(t, url+"/", "gray", "A(gray)>gray(gray)")
	want(t, url+"/", "", "A()>base()")
	want(t, url+"/", "blue", "A(blue)>base(blue)") // blue has no copy: fallback
	want(t, url+"/", "never-heard-of", "A(never-heard-of)>base(never-heard-of)")
	want(t, url+"/host", "gray", "A(gray)>gray host=back.shop:8080")
	want(t, url+"/after", "gray", "A(gray)>base()")
	for range 50 {
		want(t, url+"/", "gray", "A(gray)>gray(gray)")
		want(t, url+"/", "", "A()>base()")
	}
	if t.Failed() {
		t.Logf("standard error of front:\n%s", front.log)
	}
}

func TestModeOffLeavesTheProgramAlone(t *testing.T) {
	_, woven := build(t)
	back := start(t, nil, filepath.Join(woven, "back"), "B")
	front := start(t, []string{"TRILANE_MODE=off"}, filepath.Join(woven, "front"), "http://"+back.address)
	want(t, "http://"+front.address+"/", "gray", "A(gray)>B()")
	if !strings.Contains(front.log.String(), "mode=off") {
		t.Errorf("the start line does not say that it is off:\n%s", front.log)
	}
}

func TestWithoutCgoItCarriesAndSaysThatItDoesNotDecide(t *testing.T) {
	out := filepath.Join(shared, "pure") + "/"
	tree := copyTree(t, "testdata/app")
	command(t, tree, []string{"CGO_ENABLED=0"}, filepath.Join(dist(t), "trilane"), "go", "build", "-o", out, "./cmd/...")
	back := start(t, nil, filepath.Join(out, "back"), "B")
	front := start(t, nil, filepath.Join(out, "front"), "http://"+back.address)
	want(t, "http://"+front.address+"/", "gray", "A(gray)>B(gray)")
	want(t, "http://"+front.address+"/", "", "A()>B()")
	if n := strings.Count(front.log.String(), "built without cgo: x-mse-tag is carried, nothing is decided"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, front.log)
	}
}

func TestMistakesSayWhatToDo(t *testing.T) {
	trilane := filepath.Join(dist(t), "trilane")
	fails := func(dir string, env []string, words ...string) {
		t.Helper()
		out, status := try(t, dir, env, trilane, "go", "build", ".")
		if status != 2 {
			t.Errorf("status %d, want 2", status)
		}
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("%q is not in:\n%s", w, out)
			}
		}
	}
	fails(t.TempDir(), nil, "no go.mod was found", "go mod init")
	old := t.TempDir()
	script := `#!/bin/sh
echo '{"GOMOD": "/x/go.mod", "GOWORK": "", "GOVERSION": "go1.25.3", "GOFLAGS": ""}'
`
	if err := os.WriteFile(filepath.Join(old, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	fails(old, []string{"PATH=" + old + ":" + os.Getenv("PATH")}, "needs Go 1.26 or newer, this is go1.25.3")
	fails(old, []string{"PATH=/nowhere"}, "was not found in PATH")
	tree := copyTree(t, "testdata/app")
	fails(filepath.Join(tree, "cmd/front"), []string{
		"XDG_CACHE_HOME=" + t.TempDir(), "GOMODCACHE=" + t.TempDir(), "GOPROXY=off", "GOCACHE=" + t.TempDir(),
	}, "Go module proxy", "Without a network")
}
