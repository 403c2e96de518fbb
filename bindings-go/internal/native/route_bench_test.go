//go:build cgo && linux

package native

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

var benchSizes = []int{10, 1000, 10000}

// benchLanes is how many lanes the rules name: BENCH_LANES, otherwise 1. A process has one engine.
func benchLanes() int {
	lanes, err := strconv.Atoi(os.Getenv("BENCH_LANES"))
	if err != nil || lanes < 1 {
		return 1
	}
	return lanes
}

// benchRules names one dialled authority per size: half of the instances are baseline, the rest the lanes' in turn.
func benchRules(lanes int) string {
	var text strings.Builder
	text.WriteString("apiVersion: trilane/v1\nmode: on\nlanes:\n")
	for lane := range lanes {
		fmt.Fprintf(&text, "  - {tag: lane-%d}\n", lane)
	}
	text.WriteString("services:\n")
	for _, size := range benchSizes {
		fmt.Fprintf(&text, "  - name: bench-%d\n    authorities: [\"bench-%d:80\"]\n    instances:\n", size, size)
		for n := range size {
			tag := ""
			if n%2 == 1 {
				tag = fmt.Sprintf(", tag: lane-%d", n/2%lanes)
			}
			fmt.Fprintf(&text, "      - {address: \"10.%d.%d.1:%d\"%s}\n", n%250, n/250, 1000+n, tag)
		}
	}
	return text.String()
}

const threadCPU = 3 // CLOCK_THREAD_CPUTIME_ID

func cpuNanos() int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadCPU, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// benchEngine is started once per process, with the rules of whoever asks first.
func benchEngine(b *testing.B) *Engine {
	rules := filepath.Join(b.TempDir(), "lanes.yaml")
	if err := os.WriteFile(rules, []byte(benchRules(benchLanes())), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Setenv("TRILANE_RULES", rules)
	e := Start(true)
	if e == nil {
		b.Fatal("the engine did not start")
	}
	return e
}

// perCall runs the calls on one thread and reports its CPU time for each.
func perCall(b *testing.B, call func(n int)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ResetTimer()
	begin := cpuNanos()
	call(b.N)
	b.ReportMetric(float64(cpuNanos()-begin)/float64(b.N), "cpu-ns/op")
}

// What crossing to the engine costs when almost nothing is done there.
func BenchmarkCrossing(b *testing.B) {
	e := benchEngine(b)
	perCall(b, func(calls int) {
		for range calls {
			e.Mode()
		}
	})
}

// What a decision costs through cgo, by the CPU time of the thread. `make bench` sets it beside the same in Rust.
func BenchmarkRoute(b *testing.B) {
	e := benchEngine(b)
	lanes := benchLanes()
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("instances=%d", size), func(b *testing.B) {
			list := e.Authority(fmt.Sprintf("bench-%d:80", size))
			stamp := e.Stamp(list)
			tags := make([]uint16, lanes)
			for n := range tags {
				tags[n] = e.TagFind(fmt.Sprintf("lane-%d", n))
			}
			if first := e.Route(list, tags[0], 0, 1, stamp); list == 0 || first.Index == NoIndex || first.Flags != 0 {
				b.Fatalf("list %d does not decide: %+v", list, first)
			}
			perCall(b, func(calls int) {
				entropy := uint64(0x9e3779b97f4a7c15)
				for n := range calls {
					entropy = entropy*0x5851f42d4c957f2d + 1
					e.Route(list, tags[n%len(tags)], 0, entropy, stamp)
				}
			})
		})
	}
}
