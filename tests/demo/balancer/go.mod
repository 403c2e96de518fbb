module demo/balancer

go 1.24
