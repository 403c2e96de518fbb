package trilanedubbo

import (
	"fmt"
	"strconv"
	"strings"

	"dubbo.apache.org/dubbo-go/v3/protocol/base"
)

// outgoing is a call as rules ask for its values.
type outgoing struct {
	call    base.Invocation
	service string
}

// Value is that of a name of native.Engine.RouteNames.
func (o *outgoing) Value(name string) (string, bool) {
	switch {
	case name == ":rpc-method":
		return o.call.MethodName(), true
	case name == ":service":
		return o.service, true
	case name == ":path":
		return "/" + o.service + "/" + o.call.MethodName(), true
	case strings.HasPrefix(name, ":arg."):
		at, err := strconv.Atoi(name[len(":arg."):])
		if arguments := o.call.Arguments(); err == nil && at < len(arguments) {
			return argument(arguments[at])
		}
		return "", false
	case strings.HasPrefix(name, ":"):
		return "", false
	}
	return text(o.call.Attachments()[name])
}

// argument is the text of what has a short one of its own.
func argument(value any) (string, bool) {
	switch value.(type) {
	case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return fmt.Sprint(value), true
	}
	return "", false
}
