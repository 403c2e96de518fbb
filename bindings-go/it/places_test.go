package it

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// hello prints what the module and the language say of themselves, so that a woven build can be held to a plain one.
const hello = `package main

import (
	"fmt"
	"runtime/debug"
	"strings"
%s)

func main() {
	info, _ := debug.ReadBuildInfo()
	fmt.Println(info.Main.Path, info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "DefaultGODEBUG" {
			fmt.Println(s.Value)
		}
	}
	var last []func() int
	for i := 0; i < 3; i++ {
		last = append(last, func() int { return i })
	}
	fmt.Println(last[0](), strings.Repeat("x", 2))
%s}
`

func say(text string, args ...string) string {
	for _, a := range args {
		text = strings.Replace(text, "%s", a, 1)
	}
	return text
}

func run(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command(path).Output()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(out)
}

// A woven program is the same program: its own language version (loop variables changed in Go 1.22), its own GODEBUG
// defaults, its own module.
func TestTheLanguageVersionStaysTheModules(t *testing.T) {
	tree := t.TempDir()
	write(t, tree, map[string]string{"go.mod": "module example.org/old\n\ngo 1.20\n", "main.go": say(hello, "", "")})
	command(t, tree, []string{"GOWORK=off"}, "go", "build", "-o", shared+"/old-plain")
	plain := run(t, shared+"/old-plain")
	if !strings.Contains(plain, "\n3 xx\n") {
		t.Fatalf("the plain program does not show its language version:\n%s", plain)
	}
	before := hashTree(t, tree)
	trilane, woven := filepath.Join(dist(t), "trilane"), shared+"/old-woven"
	command(t, tree, []string{"GOWORK=off"}, trilane, "go", "build", "-o", woven, "main.go")
	if hashTree(t, tree) != before {
		t.Error("the user's tree was changed")
	}
	if said := run(t, woven); said != plain {
		t.Errorf("woven:\n%s\nplain:\n%s", said, plain)
	}
}

func TestWithoutOutputTheProgramIsWhereGoPutsIt(t *testing.T) {
	tree := t.TempDir()
	write(t, tree, map[string]string{
		"go.mod":  "module example.org/tool/v2\n\ngo 1.21\n",
		"main.go": "package main\n\nfunc main() {}\n",
	})
	command(t, tree, []string{"GOWORK=off"}, filepath.Join(dist(t), "trilane"), "go", "build")
	if _, err := os.Stat(filepath.Join(tree, "tool")); err != nil {
		entries, _ := os.ReadDir(tree)
		t.Errorf("%v; the directory holds %v", err, entries)
	}
}

// A workspace of the user's, a relative replacement, a vendor directory and a symbolic link.
func TestWorkspacesReplacementsAndVendorDirectories(t *testing.T) {
	tree := t.TempDir()
	trilane := filepath.Join(dist(t), "trilane")
	lib := "package lib\n\nfunc Name() string { return \"lib\" }\n"
	write(t, tree, map[string]string{
		"app/go.mod": "module example.org/app\n\ngo 1.21\n\nrequire example.org/lib v0.0.0\n\n" +
			"replace example.org/lib => ../lib\n",
		"app/main.go": say(hello, "\t\"example.org/lib\"\n", "\tfmt.Println(lib.Name())\n"),
		"lib/go.mod":  "module example.org/lib\n\ngo 1.21\n",
		"lib/lib.go":  lib,
	})
	app := filepath.Join(tree, "app")
	woven := func(what string, env ...string) {
		t.Helper()
		before := hashTree(t, tree)
		out := filepath.Join(shared, "place")
		command(t, app, env, trilane, "go", "build", "-o", out, ".")
		if !strings.HasSuffix(run(t, out), "\nlib\n") {
			t.Errorf("%s: the program says %q", what, run(t, out))
		}
		if hashTree(t, tree) != before {
			t.Errorf("%s: the user's tree was changed", what)
		}
	}
	woven("replacement", "GOWORK=off")
	command(t, app, []string{"GOWORK=off"}, "go", "mod", "vendor")
	woven("vendor", "GOWORK=off", "GOFLAGS=-mod=vendor")
	write(t, tree, map[string]string{
		"app/go.mod": "module example.org/app\n\ngo 1.21\n",
		"go.work":    "go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n",
	})
	if err := os.RemoveAll(filepath.Join(app, "vendor")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../lib/lib.go", filepath.Join(app, "link.txt")); err != nil {
		t.Fatal(err)
	}
	woven("workspace", "GOWORK="+filepath.Join(tree, "go.work"))
}

func TestTheArchiveShowsOnlyOurSymbols(t *testing.T) {
	out := command(t, ".", nil, "nm", "-g", "--defined-only", filepath.Join(dist(t), "go/lib/libtrilane.a"))
	ours := 0
	for _, line := range strings.Split(out, "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		if !strings.HasPrefix(fields[2], "trilane_") {
			t.Errorf("the archive shows %s", fields[2])
		}
		ours++
	}
	if ours < 25 {
		t.Errorf("the archive shows %d symbols", ours)
	}
}
