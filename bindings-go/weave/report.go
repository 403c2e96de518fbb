package weave

import (
	"runtime/debug"
	"slices"
	"strings"

	"github.com/trilane/trilane/bindings-go/internal/woven"
)

// carriers are libraries that carry requests and for which there is no aspect yet, by module path.
var carriers = []string{
	"github.com/valyala/fasthttp",
	"dubbo.apache.org/dubbo-go/v3",
	"github.com/cloudwego/kitex",
	"github.com/cloudwego/hertz",
	"github.com/apache/rocketmq-client-go/v2",
	"github.com/apache/rocketmq-clients/golang/v5",
	"github.com/IBM/sarama",
	"github.com/twmb/franz-go",
	"github.com/segmentio/kafka-go",
}

// report says which aspects are in this program and which libraries are in it without one.
func report() string {
	active := woven.List()
	text := strings.Join(active, ", ")
	if text == "" {
		text = "none"
	} else {
		text += " active"
	}
	if without := unwoven(active); len(without) > 0 {
		text += "; seen without an aspect: " + strings.Join(without, ", ")
	}
	return text
}

func unwoven(active []string) []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var found []string
	for _, m := range info.Deps {
		if slices.Contains(carriers, m.Path) {
			found = append(found, m.Path)
		}
		if m.Path == "google.golang.org/grpc" && !slices.ContainsFunc(active, isGRPC) {
			found = append(found, m.Path)
		}
	}
	return found
}

func isGRPC(name string) bool {
	return strings.HasPrefix(name, "grpc")
}
