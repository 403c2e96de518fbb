package it

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// cpu is the processor time of a process in nanoseconds.
func cpu(b *testing.B, p *program) int64 {
	b.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		b.Skip("skipped: no schedstat on this machine")
	}
	var sum int64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that ended; the runtime keeps its threads, so this is rare
		}
		var ns int64
		fmt.Sscan(string(text), &ns)
		sum += ns
	}
	return sum
}

const requests = 500 // per window

// BenchmarkRequest sets a woven front beside a plain one: CPU of the whole process per request (serve, hop two
// goroutines, call on), in alternated windows.
func BenchmarkRequest(b *testing.B) {
	plainDir, woven := build(b)
	back := start(b, nil, filepath.Join(plainDir, "back"), "B")
	file := filepath.Join(b.TempDir(), "lanes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, lanes, back.address, back.address), 0o600); err != nil {
		b.Fatal(err)
	}
	rules := []string{"TRILANE_RULES=" + file}
	type side struct {
		name, tag string
		front     *program
		ns        []int64
	}
	sides := []*side{
		{name: "plain", front: start(b, nil, filepath.Join(plainDir, "front"), "http://"+back.address)},
		{name: "woven, mode off", tag: "gray", front: start(b, append(rules, "TRILANE_MODE=off"),
			filepath.Join(woven, "front"), "http://"+back.address)},
		{name: "woven, untagged", front: start(b, rules, filepath.Join(woven, "front"), "http://back.shop:8080")},
		{name: "woven, tagged and routed", tag: "gray", front: start(b, rules, filepath.Join(woven, "front"),
			"http://back.shop:8080")},
	}
	for b.Loop() {
		for window := range 16 {
			for _, s := range sides {
				before := cpu(b, s.front)
				load(b, "http://"+s.front.address+"/", s.tag, requests)
				if window > 0 { // the first one warms up
					s.ns = append(s.ns, (cpu(b, s.front)-before)/requests)
				}
			}
		}
	}
	for _, s := range sides {
		slices.Sort(s.ns)
		n := len(s.ns)
		fmt.Printf("%-26s median %6d ns of CPU per request, 95 %% interval %d to %d\n", s.name, s.ns[n/2],
			s.ns[3], s.ns[n-4])
		b.ReportMetric(float64(s.ns[n/2]), strings.NewReplacer(" ", "-", ",", "").Replace(s.name)+"-ns")
	}
}

func load(b *testing.B, url, tag string, n int) {
	b.Helper()
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			for range n / 10 {
				if _, err := get(url, tag); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}
