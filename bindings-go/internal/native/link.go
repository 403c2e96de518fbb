//go:build cgo

package native

// The archive is found by pkg-config after `make install`; a copy laid out by package.sh has its own link.go.

// #cgo pkg-config: trilane-static
import "C"
