//go:build peers

// Package peers names the programs that the interop suites build: grpc-go's own client and server, h2spec, grpcurl.
package peers

import (
	_ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "google.golang.org/grpc/interop/client"
	_ "google.golang.org/grpc/interop/server"
)
