//go:build cgo

package native

/*
#include <stdlib.h>
#include "trilane.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Instance is a member of a published list.
type Instance struct {
	Address  string
	Metadata [][2]string
	Healthy  bool
}

// scratch is memory that C sees during one call.
type scratch struct {
	held []unsafe.Pointer
}

func (s *scratch) free() {
	for _, p := range s.held {
		C.free(p)
	}
}

func (s *scratch) room(size int) unsafe.Pointer {
	// malloc(0) may be NULL, and NULL means absent.
	p := C.malloc(C.size_t(size + 1))
	s.held = append(s.held, p)
	return p
}

func (s *scratch) text(text string) C.trilane_str {
	p := s.room(len(text))
	copy(unsafe.Slice((*byte)(p), len(text)), text)
	return C.trilane_str{ptr: (*C.uint8_t)(p), len: C.size_t(len(text))}
}

func (s *scratch) texts(texts []string) *C.trilane_str {
	p := (*C.trilane_str)(s.room(len(texts) * C.sizeof_trilane_str))
	for i, out := 0, unsafe.Slice(p, len(texts)); i < len(texts); i++ {
		out[i] = s.text(texts[i])
	}
	return p
}

func (s *scratch) instances(instances []Instance) *C.trilane_instance {
	p := (*C.trilane_instance)(s.room(len(instances) * C.sizeof_trilane_instance))
	out := unsafe.Slice(p, len(instances))
	for i, instance := range instances {
		metadata := (*C.trilane_pair)(s.room(len(instance.Metadata) * C.sizeof_trilane_pair))
		for n, pair := range instance.Metadata {
			unsafe.Slice(metadata, len(instance.Metadata))[n] = C.trilane_pair{key: s.text(pair[0]), value: s.text(pair[1])}
		}
		out[i] = C.trilane_instance{
			address: s.text(instance.Address), metadata: metadata, metadata_len: C.size_t(len(instance.Metadata)),
			healthy: C.bool(instance.Healthy),
		}
	}
	return p
}

func failure(status uint32, err *C.trilane_error) error {
	if status == C.TRILANE_STATUS_OK {
		return nil
	}
	why := text(func(out *C.uint8_t, room C.size_t) C.size_t { return C.trilane_error_message(err, out, room) })
	C.trilane_error_free(err)
	return fmt.Errorf("the library answered status %d: %s", status, why)
}

// ListNew publishes a list.
func (e *Engine) ListNew(names []string, instances []Instance) (uint64, error) {
	var s scratch
	defer s.free()
	var id C.uint64_t
	var err *C.trilane_error
	status := C.trilane_list_new(e.c, s.texts(names), C.size_t(len(names)), s.instances(instances),
		C.size_t(len(instances)), &id, &err)
	return uint64(id), failure(status, err)
}

// ListFree frees a list.
func (e *Engine) ListFree(list uint64) error {
	return failure(C.trilane_list_free(e.c, C.uint64_t(list)), nil)
}
