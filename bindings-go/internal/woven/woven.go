// Package woven keeps account of what a weaver put into this program.
package woven

import (
	"slices"
	"sync"
)

var (
	lock sync.Mutex
	list []string
)

// Note says, from an initialiser, that an aspect is in this program.
func Note(what string) {
	lock.Lock()
	defer lock.Unlock()
	if !slices.Contains(list, what) {
		list = append(list, what)
	}
}

// List gives what was noted, in order.
func List() []string {
	lock.Lock()
	defer lock.Unlock()
	return slices.Sorted(slices.Values(list))
}
