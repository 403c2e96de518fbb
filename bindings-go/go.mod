module github.com/trilane/trilane/bindings-go

go 1.24
