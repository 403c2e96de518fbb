//go:build tools

package weave

import _ "github.com/DataDog/orchestrion/runtime/context" // integration: the goroutine store
