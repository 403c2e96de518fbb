module github.com/trilane/trilane/bindings-go/it

go 1.26.0
