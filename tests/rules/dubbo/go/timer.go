package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"

	"dubbo.apache.org/dubbo-go/v3/protocol/invocation"
	"golang.org/x/sys/unix"
)

// window is how long one measurement lasts at least.
const window = 20 * time.Millisecond

type timed struct {
	ID string    `json:"id"`
	NS []float64 `json:"ns"`
	// Allocations a call.
	Allocations float64 `json:"allocations"`

	made *routed
	call *invocation.RPCInvocation
}

// seen keeps what is left, so that no call can be left out.
var seen int

// timer measures what routing costs: the cases of stdin take turns, a window each; CPU time of the thread.
func timer(out io.Writer, arguments []string) error {
	windows, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	warm, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	var all []*timed
	in := bufio.NewReader(os.Stdin)
	for {
		line, end := in.ReadBytes('\n')
		if len(line) > 1 {
			one, err := newTimed(line)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		if end != nil {
			break
		}
	}
	for _, one := range all {
		one.window(time.Duration(warm) * time.Millisecond)
	}
	for range windows {
		for _, one := range all {
			one.NS = append(one.NS, one.window(window))
		}
	}
	for _, one := range all {
		one.allocations()
		told, err := json.Marshal(one)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", told)
	}
	return nil
}

func newTimed(line []byte) (*timed, error) {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	made, err := newCase(&asked)
	if err == nil {
		err = made.ready()
	}
	if err != nil {
		return nil, err
	}
	return &timed{ID: asked.ID, made: made, call: made.invocation()}, nil
}

func (t *timed) window(length time.Duration) float64 {
	calls, took := 0, time.Duration(0)
	begin := threadTime()
	for step := 1; took < length; step = min(step*2, calls) {
		for range step {
			seen += len(t.made.router.Route(t.made.invokers, t.made.consumer, t.call))
		}
		calls += step
		took = threadTime() - begin
	}
	return float64(took.Nanoseconds()) / float64(calls)
}

func (t *timed) allocations() {
	const calls = 10
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		seen += len(t.made.router.Route(t.made.invokers, t.made.consumer, t.call))
	}
	runtime.ReadMemStats(&after)
	t.Allocations = float64(after.Mallocs-before.Mallocs) / calls
}

func threadTime() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Nano())
}
