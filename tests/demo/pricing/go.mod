module demo/pricing

go 1.24
