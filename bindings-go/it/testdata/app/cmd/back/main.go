// Command back answers with its name and the tag that reached it. Its first line of output is its address.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	name := os.Args[1]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s(%s)", name, r.Header.Get("x-mse-tag"))
	})
	http.HandleFunc("/host", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s host=%s", name, r.Host)
	})
	http.HandleFunc("/lines", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, name, r.Header["X-Mse-Tag"], r.Header["Baggage"], r.Header["X-A"])
	})
	panic(http.Serve(l, nil))
}
