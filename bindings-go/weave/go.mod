module github.com/trilane/trilane/bindings-go/weave

go 1.26.0

require (
	github.com/DataDog/orchestrion v1.15.0
	github.com/trilane/trilane/bindings-go v0.0.0
)

replace github.com/trilane/trilane/bindings-go => ../
