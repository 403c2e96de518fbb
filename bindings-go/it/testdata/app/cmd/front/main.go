// Command front calls back and forgets every context on the way: an ordinary program that knows nothing of lanes.
// Its first line of output is its address.
package main

import (
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"
)

var back = os.Args[1]

func call(path string) string {
	resp, err := http.Get(back + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// lines tells every line of the headers that somebody may be interested in.
func lines(r *http.Request) string {
	return fmt.Sprint(r.Header["X-Mse-Tag"], r.Header["Baggage"], r.Header["X-A"])
}

type job struct {
	done chan string
}

var jobs = make(chan job)

func worker() {
	for j := range jobs {
		j.done <- call("/")
	}
}

func main() {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 32
	for i := 0; i < 4; i++ {
		go worker()
	}
	answer := func(how func(chan string)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			done := make(chan string, 1)
			how(done)
			fmt.Fprintf(w, "A(%s)>%s", r.Header.Get("x-mse-tag"), <-done)
		}
	}
	http.HandleFunc("/", answer(func(done chan string) {
		go func() {
			go func() { done <- call("/") }()
		}()
	}))
	http.HandleFunc("/host", answer(func(done chan string) { done <- call("/host") }))
	http.HandleFunc("/after", answer(func(done chan string) {
		time.AfterFunc(time.Millisecond, func() { done <- call("/") })
	}))
	http.HandleFunc("/worker", answer(func(done chan string) { jobs <- job{done} }))
	http.HandleFunc("/pull", answer(func(done chan string) {
		next, stop := iter.Pull(func(yield func(string) bool) {
			for yield(call("/")) {
			}
		})
		go func() {
			defer stop()
			first, _ := next()
			second, _ := next()
			done <- first + second
		}()
	}))
	http.HandleFunc("/lines", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "A%s>%s", lines(r), call("/lines"))
	})
	http.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	http.HandleFunc("/goroutines", func(w http.ResponseWriter, _ *http.Request) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		fmt.Fprint(w, runtime.NumGoroutine())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	panic(http.Serve(l, nil))
}
