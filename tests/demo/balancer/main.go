// Command balancer spreads TCP connections over its targets in turn, as a Kubernetes Service does.
// Usage: balancer LISTEN TARGET...
package main

import (
	"io"
	"log"
	"net"
	"os"
)

// half copies one direction and passes the end of it on.
func half(to, from *net.TCPConn, done chan<- struct{}) {
	io.Copy(to, from)
	to.CloseWrite()
	done <- struct{}{}
}

func serve(client *net.TCPConn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		log.Printf("%s: %v", target, err)
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	go half(server.(*net.TCPConn), client, done)
	go half(client, server.(*net.TCPConn), done)
	<-done
	<-done
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: balancer LISTEN TARGET...")
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	targets := os.Args[2:]
	for n := 0; ; n++ {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(client.(*net.TCPConn), targets[n%len(targets)])
	}
}
