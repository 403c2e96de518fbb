//go:build !cgo

package native

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// Decides is false here: without cgo there is no engine, the tag is carried and every call goes where it went.
const Decides = false

// Engine of a build without cgo.
type Engine struct {
	mode Mode
	own  string
	edge bool
}

var pureNames = []string{"x-mse-tag"}

func setting(dotted, upper string) string {
	if v := os.Getenv(dotted); v != "" {
		return v
	}
	return os.Getenv(upper)
}

func open(explicit bool) (*Engine, error) {
	e := &Engine{mode: On}
	for _, name := range []string{"alicloud.service.tag", "MSE_ALICLOUD_SERVICE_TAG", "ALICLOUD_SERVICE_TAG"} {
		if v := os.Getenv(name); v != "" {
			e.own = v
			break
		}
	}
	if !ValidTag(e.own) {
		e.own = ""
	}
	e.edge = strings.EqualFold(setting("trilane.edge", "TRILANE_EDGE"), "true")
	mode := setting("trilane.mode", "TRILANE_MODE")
	enable := setting("mse.enable", "MSE_ENABLE")
	switch {
	case mode == "off" || enable == "false":
		e.mode = Off
	case mode == "observe":
		e.mode = Observe
	case mode == "on" || enable == "true" || explicit || e.own != "":
	default:
		e.mode = Off
	}
	if e.mode != Off {
		fmt.Fprintf(os.Stderr, "trilane: warn msg=%q\n",
			"built without cgo: x-mse-tag is carried, nothing is decided; build with CGO_ENABLED=1 to route")
	}
	return e, nil
}

// Version of the engine.
func Version() string { return "none (built without cgo)" }

// Mode in force.
func (e *Engine) Mode() Mode { return e.mode }

// HookEnabled tells whether the hooks of a library act.
func (e *Engine) HookEnabled(library string) bool {
	name := strings.ToUpper(strings.ReplaceAll(library, "-", "_"))
	return e.mode != Off && setting("trilane.hook."+library, "TRILANE_HOOK_"+name) != "off"
}

// OwnTag of this process.
func (e *Engine) OwnTag() string { return e.own }

// InboundNames lists the headers to read.
func (e *Engine) InboundNames(Kind) (uint32, []string) { return 1, pureNames }

// EdgeNames lists what an edge removes.
func (e *Engine) EdgeNames() []string {
	if !e.edge {
		return nil
	}
	return []string{"x-mse-tag", "__microservice_tag__", "dubbo.tag", "baggage"}
}

// Edge believes nobody: whom to trust is decided by the engine.
func (e *Engine) Edge(string) uint32 {
	switch {
	case !e.edge || e.mode == Off:
		return 0
	case e.mode == Observe:
		return EdgeUntrusted
	}
	return EdgeUntrusted | EdgeRemove
}

// Stripped counts nothing here.
func (e *Engine) Stripped() {}

// Untagged notes nothing here.
func (e *Engine) Untagged(string) {}

// TagLost is not told: nothing is counted here.
func (e *Engine) TagLost(string) {}

// PassNames lists nothing: without the engine only the tag is carried.
func (e *Engine) PassNames() []string { return nil }

// Pass keeps nothing.
func (e *Engine) Pass(*Values) uint32 { return 0 }

// Counted is 0: nothing is counted here.
func (e *Engine) Counted(string) uint64 { return 0 }

// Inbound finds the tag of a request.
func (e *Engine) Inbound(kind Kind, _ uint32, v *Values) Found {
	if e.mode == Off {
		return Found{Flags: InOff}
	}
	if e.edge && kind&Trusted == 0 {
		return Found{}
	}
	if len(v.ends) == 0 || v.ends[0] <= 0 {
		return Found{}
	}
	if !ValidTag(string(v.bytes[:v.ends[0]])) {
		return Found{Flags: InMalformed}
	}
	return Found{ID: 65535, Source: 1, length: uint8(v.ends[0])}
}

// TraceNames lists nothing: the table is the engine's.
func (e *Engine) TraceNames() []string { return nil }

// TraceFind knows nothing.
func (e *Engine) TraceFind(string) uint16 { return 0 }

// TagFind looks a tag up.
func (e *Engine) TagFind(tag string) uint16 {
	if ValidTag(tag) {
		return 65535
	}
	return 0
}

// TagName is empty: nothing is interned here.
func (e *Engine) TagName(uint16) string { return "" }

// CarriersWrite lists the headers to write.
func (e *Engine) CarriersWrite(Kind) []string { return pureNames }

// Known tells whether carriers may be written towards an authority: inside hosts only.
func (e *Engine) Known(authority string) bool {
	if e.mode != On {
		return false
	}
	host := authority
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.Trim(host, "[]")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	host = strings.TrimSuffix(host, ".")
	return host != "" && (!strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") ||
		strings.HasSuffix(host, ".cluster.local"))
}

// BaggageSet writes nothing into baggage; without a tag it takes our member out.
func (e *Engine) BaggageSet(old, tag string) string {
	if tag != "" {
		return old
	}
	var others []string
	for _, member := range strings.Split(old, ",") {
		name, _, _ := strings.Cut(member, "=")
		if member = strings.TrimSpace(member); member != "" && strings.TrimSpace(name) != "__microservice_tag__" {
			others = append(others, member)
		}
	}
	return strings.Join(others, ",")
}

// Authority names no list.
func (e *Engine) Authority(string) uint64 { return 0 }

// Address has none.
func (e *Engine) Address(uint64, uint32) string { return "" }

// Stamp of a list that is not there.
func (e *Engine) Stamp(uint64) uint32 { return 0 }

// Route leaves every call alone.
func (e *Engine) Route(uint64, uint16, uint64, uint64, uint32) Routed {
	return Routed{Index: NoIndex, Flags: RouteOff}
}

// RouteNames asks nothing.
func (e *Engine) RouteNames(uint64) Asked { return Asked{} }

// RouteWith leaves every call alone.
func (e *Engine) RouteWith(uint64, uint16, uint64, uint32, *Values, bool) (Routed, Policy) {
	return Routed{Index: NoIndex, Flags: RouteOff}, Policy{}
}

// StartLine prints the one line that says what runs.
func (e *Engine) StartLine(hooks string) {
	modes := [...]string{"off", "observe", "on"}
	tag := e.own
	if tag == "" {
		tag = "baseline"
	}
	fmt.Fprintf(os.Stderr, "trilane: start version=%q mode=%s tag=%s hooks=%q\n", Version(), modes[e.mode], tag, hooks)
}

// Log writes one line.
func (e *Engine) Log(level Level, code, key, msg string) {
	fmt.Fprintf(os.Stderr, "trilane: %s code=%s key=%s msg=%q\n", level, code, key, msg)
}

// Health has nothing to set.
func (e *Engine) Health(uint64, uint32, bool) {}

// Subset is empty.
func (e *Engine) Subset(uint64, uint16) ([]uint32, uint32) { return nil, 0 }

// Explain has nothing to say.
func (e *Engine) Explain(uint64, string, uint64) string { return "{}" }

// Live counts live handles; there are none.
func (e *Engine) Live(uint32) int64 { return 0 }

// Instance is a member of a published list.
type Instance struct {
	Address  string
	Metadata [][2]string
	Healthy  bool
}

// ListNew publishes nothing.
func (e *Engine) ListNew([]string, []Instance) (uint64, error) { return 0, nil }

// ListFree has nothing to free.
func (e *Engine) ListFree(uint64) error { return nil }
