// Command oracle asks dubbo-go's own routers: a case a line on stdin, in the form of `trilane explain --batch`, an
// answer a line on stdout. It is the twin of the Java program beside it and answers in the same form.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// probes are the calls that show whether a case is drawn by weight at all.
const probes = 64

type answer struct {
	ID       string    `json:"id"`
	Set      []string  `json:"set"`
	Outcomes []outcome `json:"outcomes,omitempty"`
	Error    string    `json:"error,omitempty"`
}

type outcome struct {
	Set   []string `json:"set"`
	Count int      `json:"count"`
}

// Arguments: how many calls to make where the first calls differ; or `time`, windows and milliseconds of warming up
// for each case, to measure what routing costs.
func main() {
	draws := 2000
	if len(os.Args) == 4 && os.Args[1] == "time" {
		answers := os.Stdout
		os.Stdout = os.Stderr
		quiet()
		if err := timer(answers, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 {
		asked, err := strconv.Atoi(os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle: the argument is the number of draws:", err)
			os.Exit(2)
		}
		draws = asked
	}
	// dubbo-go logs to stdout; what it says must not stand among the answers.
	out := bufio.NewWriter(os.Stdout)
	os.Stdout = os.Stderr
	quiet()
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			told, _ := json.Marshal(one(line, draws))
			out.Write(append(told, '\n'))
			if in.Buffered() == 0 {
				out.Flush()
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle: reading stdin:", err)
			os.Exit(1)
		}
	}
	out.Flush()
}

func one(line []byte, draws int) (told answer) {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	told.ID = asked.ID
	defer func() {
		if why := recover(); why != nil {
			told.Error = fmt.Sprintf("panic: %v", why)
		}
	}()
	made, err := newCase(&asked)
	if err == nil {
		err = made.ready()
	}
	if err != nil {
		told.Error = err.Error()
		return told
	}
	counts := map[string]int{}
	sets := map[string][]string{}
	order := []string{}
	calls, wanted := 0, 1
	if made.drawn() {
		wanted = probes
	}
	for ; calls < wanted; calls++ {
		set := made.once()
		key := fmt.Sprint(set)
		if counts[key] == 0 {
			sets[key] = set
			order = append(order, key)
		}
		counts[key]++
		if len(counts) > 1 {
			wanted = draws
		}
	}
	union := []string{}
	for _, key := range order {
		union = append(union, sets[key]...)
		if len(order) > 1 {
			told.Outcomes = append(told.Outcomes, outcome{sets[key], counts[key]})
		}
	}
	told.Set = made.inOrder(func(id string) bool { return slices.Contains(union, id) })
	return told
}
