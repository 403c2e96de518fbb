//go:build cgo && trilanetest

package native

/*
#include <stdlib.h>
#include <string.h>
#include "trilane.h"
*/
import "C"

import (
	"unsafe"
)

// What the tests need of the C ABI and the hooks do not: engines of their own and published lists. The tag keeps it
// out of programs.

// openAlone starts an engine of its own, explicitly, that reads no environment.
func openAlone(settings string) (*Engine, error) {
	var s scratch
	defer s.free()
	options := (*C.trilane_options)(s.room(C.sizeof_trilane_options))
	C.memset(unsafe.Pointer(options), 0, C.sizeof_trilane_options)
	options.struct_size = C.sizeof_trilane_options
	options.settings = s.text(settings)
	options.binding = s.text("go")
	options.explicit_start = true
	e := &Engine{}
	var err *C.trilane_error
	status := C.trilane_engine_new(options, &e.c, &err)
	return e, failure(status, err)
}

// close frees an engine of openAlone with its lists.
func (e *Engine) close() {
	C.trilane_engine_free(e.c)
	e.c = nil
}

// tagged is TagFind as C answers it, without the cut to 16 bits.
func (e *Engine) tagged(tag string) uint32 {
	var s scratch
	defer s.free()
	return uint32(C.trilane_tag_find(e.c, s.text(tag)))
}

// listChange publishes the list that comes of another one.
func (e *Engine) listChange(list uint64, removed []uint32, added []Instance) (uint64, error) {
	var s scratch
	defer s.free()
	positions := (*C.uint32_t)(s.room(len(removed) * C.sizeof_uint32_t))
	for i, position := range removed {
		unsafe.Slice(positions, len(removed))[i] = C.uint32_t(position)
	}
	var id C.uint64_t
	var err *C.trilane_error
	status := C.trilane_list_change(e.c, C.uint64_t(list), positions, C.size_t(len(removed)), s.instances(added),
		C.size_t(len(added)), &id, &err)
	return uint64(id), failure(status, err)
}
