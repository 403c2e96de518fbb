//go:build peers

// Package peers names the programs that the interop suite builds: grpc-go's own client and server, and h2spec.
package peers

import (
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "google.golang.org/grpc/interop/client"
	_ "google.golang.org/grpc/interop/server"
)
