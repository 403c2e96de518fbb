// Command pricing is an ordinary Go service: it answers /price and asks order by URL.
// Environment: PORT, ORDER (the URL of order), COPY.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
)

type answer struct {
	text string
	err  error
}

// askOrder knows nothing of the request it works for: no context is handed in.
func askOrder(base, item string) answer {
	response, err := http.Get(base + "/order?item=" + url.QueryEscape(item))
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("order said %s", response.Status)
	}
	return answer{string(body), err}
}

func main() {
	name, base := os.Getenv("COPY"), os.Getenv("ORDER")
	if name == "" {
		name = "base"
	}
	http.HandleFunc("/price", func(w http.ResponseWriter, r *http.Request) {
		item := r.URL.Query().Get("item")
		answers := make(chan answer, 1)
		go func() { answers <- askOrder(base, item) }()
		got := <-answers
		if got.err != nil {
			http.Error(w, got.err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
		fmt.Fprintf(w, "pricing(%s)>%s", name, got.text)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
