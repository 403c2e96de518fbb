// Package triple calls and serves gRPC and Triple services through the native transport, behind the interfaces that
// generated stubs take: Dial gives a grpc.ClientConnInterface, NewServer a grpc.ServiceRegistrar. It is built with
// cgo and the tag trilanenet, against a library with the feature net; without them the package is empty.
package triple
