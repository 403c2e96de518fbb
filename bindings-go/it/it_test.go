// Package it builds untouched programs plainly and woven, runs them, and looks at what reaches the other side.
package it

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// shared is a directory that all tests of a run use; it goes away with the run.
var shared string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "trilane-it-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	shared = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// dist is the directory that `make build` leaves; TRILANE_DIST says where.
func dist(t testing.TB) string {
	t.Helper()
	d := os.Getenv("TRILANE_DIST")
	if d == "" {
		d = "../../dist"
	}
	d, err := filepath.Abs(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d, "trilane")); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	return d
}

// try runs a command and gives what it says and its exit status.
func try(t testing.TB, dir string, env []string, name string, args ...string) (string, int) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil && c.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out), c.ProcessState.ExitCode()
}

func command(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, status := try(t, dir, env, name, args...)
	if status != 0 {
		t.Fatalf("%s %s: status %d\n%s", name, strings.Join(args, " "), status, out)
	}
	return out
}

// copyTree gives the test a tree of its own: that nothing is written into it is a thing to test.
func copyTree(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// hashTree covers names, modes, times and contents.
func hashTree(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, p, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if d.Type().IsRegular() {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			h.Write(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// program is one that was started and whose first line told its address.
type program struct {
	address string
	log     *lines
	cmd     *exec.Cmd
}

// lines is standard error, kept; it may be read while the program writes.
type lines struct {
	lock sync.Mutex
	buf  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.buf.String()
}

func start(t testing.TB, env []string, path string, args ...string) *program {
	t.Helper()
	p := &program{log: &lines{}, cmd: exec.Command(path, args...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s said no address: %v\n%s", path, err, p.log)
	}
	p.address = strings.TrimSpace(line)
	return p
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20, MaxConnsPerHost: 20}}

func get(url, tag string) (string, error) {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return "", err
	}
	if tag != "" {
		r.Header.Set("x-mse-tag", tag)
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func want(t testing.TB, url, tag, answer string) {
	t.Helper()
	got, err := get(url, tag)
	if err != nil {
		t.Errorf("%s with tag %q: %v", url, tag, err)
	} else if got != answer {
		t.Errorf("%s with tag %q answered %q, want %q", url, tag, got, answer)
	}
}
