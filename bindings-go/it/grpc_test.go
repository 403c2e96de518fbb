package it

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestUntouchedGRPCProgramKeepsTheTag(t *testing.T) {
	_, woven := build(t)
	tree := copyTree(t, "testdata/grpcapp")
	before := hashTree(t, tree)
	out := filepath.Join(shared, "chain")
	command(t, filepath.Join(tree, "cmd/chain"), nil, filepath.Join(dist(t), "trilane"), "go", "build", "-o", out)
	if after := hashTree(t, tree); after != before {
		t.Errorf("the user's tree was changed by the woven build")
	}
	back := start(t, nil, filepath.Join(woven, "back"), "B")
	chain := start(t, nil, out, "http://"+back.address)
	for range 20 {
		want(t, "http://"+chain.address+"/", "gray", "A(gray)>G>B(gray)")
		want(t, "http://"+chain.address+"/", "", "A()>G>B()")
	}
	if !strings.Contains(chain.log.String(), "grpc client, grpc server, net/http client, net/http server active") {
		t.Errorf("the start line does not name the aspects:\n%s", chain.log)
	}
}
