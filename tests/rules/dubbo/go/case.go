package main

import (
	"fmt"
	"strings"

	"dubbo.apache.org/dubbo-go/v3/cluster/router"
	"dubbo.apache.org/dubbo-go/v3/cluster/router/affinity"
	"dubbo.apache.org/dubbo-go/v3/cluster/router/condition"
	"dubbo.apache.org/dubbo-go/v3/cluster/router/tag"
	"dubbo.apache.org/dubbo-go/v3/common"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/config_center"
	"dubbo.apache.org/dubbo-go/v3/protocol/base"
	"dubbo.apache.org/dubbo-go/v3/protocol/invocation"
	"dubbo.apache.org/dubbo-go/v3/remoting"
	"github.com/dubbogo/gost/log/logger"
)

type question struct {
	ID        string `json:"id"`
	Dialect   string `json:"dialect"`
	Rules     string `json:"rules"`
	Service   string `json:"service"`
	Instances []struct {
		ID      string         `json:"id"`
		Host    string         `json:"host"`
		Port    int            `json:"port"`
		Labels  map[string]any `json:"labels"`
		Healthy *bool          `json:"healthy"`
	} `json:"instances"`
	Caller struct {
		Service string         `json:"service"`
		Host    string         `json:"host"`
		Labels  map[string]any `json:"labels"`
	} `json:"caller"`
	Request struct {
		Service     string         `json:"service"`
		Method      string         `json:"method"`
		Args        []any          `json:"args"`
		Attachments map[string]any `json:"attachments"`
		Tag         string         `json:"tag"`
	} `json:"request"`
}

// application is the provider's, where rules of that scope belong.
const application = "provider"

type routed struct {
	asked    *question
	router   router.PriorityRouter
	consumer *common.URL
	invokers []base.Invoker
	ids      []string
}

// silent takes dubbo-go's log lines.
type silent struct{}

func (silent) Info(...any)           {}
func (silent) Warn(...any)           {}
func (silent) Error(...any)          {}
func (silent) Debug(...any)          {}
func (silent) Fatal(...any)          {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Debugf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func quiet() {
	logger.SetLogger(silent{})
}

func newCase(asked *question) (*routed, error) {
	service := asked.Request.Service
	if service == "" {
		service = asked.Service
	}
	host := asked.Caller.Host
	if host == "" {
		host = "10.9.9.9"
	}
	made := &routed{asked: asked}
	made.consumer = common.NewURLWithOptions(common.WithProtocol("consumer"), common.WithIp(host),
		common.WithPath(service), common.WithParamsValue("interface", service))
	made.consumer.Location = host
	if asked.Caller.Service != "" {
		made.consumer.SetParam("application", asked.Caller.Service)
	}
	for name, value := range asked.Caller.Labels {
		made.consumer.SetParam(name, fmt.Sprint(value))
	}
	for _, instance := range asked.Instances {
		if instance.Healthy != nil && !*instance.Healthy {
			continue
		}
		url := common.NewURLWithOptions(common.WithProtocol("dubbo"), common.WithIp(instance.Host),
			common.WithPort(fmt.Sprint(instance.Port)), common.WithPath(service))
		url.Location = fmt.Sprintf("%s:%d", instance.Host, instance.Port)
		url.SetParam(constant.ApplicationKey, application)
		for name, value := range instance.Labels {
			url.SetParam(name, fmt.Sprint(value))
		}
		made.invokers = append(made.invokers, base.NewBaseInvoker(url))
		made.ids = append(made.ids, instance.ID)
	}
	return made, nil
}

// ready gives a router its rule text the way the configuration centre gives it.
func (c *routed) ready() error {
	var err error
	suffix := ""
	switch c.asked.Dialect {
	case "dubbo-tag":
		c.router, err = tag.NewTagPriorityRouter()
		suffix = constant.TagRouterRuleSuffix
	case "dubbo-condition":
		c.router = condition.NewServiceRouter()
		suffix = constant.ConditionRouterRuleSuffix
	case "dubbo-affinity":
		c.router, err = affinity.NewServiceAffinityRouterFactory().NewPriorityRouter(c.consumer)
		suffix = constant.AffinityRuleSuffix
	default:
		return fmt.Errorf("no router of dubbo-go reads %s", c.asked.Dialect)
	}
	if err != nil || c.asked.Rules == "" {
		return err
	}
	listener, ok := c.router.(config_center.ConfigurationListener)
	if !ok {
		return fmt.Errorf("%T takes no rules", c.router)
	}
	listener.Process(&config_center.ConfigChangeEvent{
		Key: application + suffix, Value: c.asked.Rules, ConfigType: remoting.EventTypeAdd})
	return nil
}

func (c *routed) drawn() bool {
	return c.asked.Dialect == "dubbo-condition" && strings.Contains(c.asked.Rules, "to:")
}

// invocation is the call as dubbo-go's client has it before it is routed.
func (c *routed) invocation() *invocation.RPCInvocation {
	attachments := map[string]any{}
	for name, value := range c.asked.Request.Attachments {
		attachments[name] = fmt.Sprint(value)
	}
	if c.asked.Request.Tag != "" {
		attachments[constant.Tagkey] = c.asked.Request.Tag
	}
	method := c.asked.Request.Method
	if method == "" {
		method = "call"
	}
	return invocation.NewRPCInvocation(method, c.asked.Request.Args, attachments)
}

func (c *routed) once() []string {
	left := c.router.Route(c.invokers, c.consumer, c.invocation())
	return c.inOrder(func(id string) bool {
		for _, invoker := range left {
			if invoker == c.invokers[c.at(id)] {
				return true
			}
		}
		return false
	})
}

func (c *routed) at(id string) int {
	for n, known := range c.ids {
		if known == id {
			return n
		}
	}
	return -1
}

// inOrder lists ids in the order of the case, so that equal sets are equal lists.
func (c *routed) inOrder(wanted func(id string) bool) []string {
	set := []string{}
	for _, id := range c.ids {
		if wanted(id) {
			set = append(set, id)
		}
	}
	return set
}
