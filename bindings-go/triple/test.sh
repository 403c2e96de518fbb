#!/bin/sh
# test.sh TARGET: the Go face of the transport, against TARGET/libtrilane.a (feature net) and TARGET/interop-server,
# both made by cargo.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$1" && pwd)
config=$(mktemp -d)
trap 'rm -rf "$config"' EXIT
cat >"$config/trilane-static.pc" <<EOF
Name: trilane-static
Description: Trilane with its transport
Version: 0.1.0
Cflags: -I$here/../../include
Libs: $target/libtrilane.a -lm -ldl -lpthread
EOF
export PKG_CONFIG_PATH="$config" TRILANE_INTEROP_SERVER="$target/interop-server"
# Go's build cache does not look at headers, and not at what pkg-config says: their sum is in a flag.
CGO_CFLAGS="-g -O2 -DTRILANE_HEADERS=$(cat "$here"/../../include/*.h "$config"/*.pc | cksum | tr -d ' ')"
export CGO_CFLAGS
cd "$here"
../../tests/tools/again.sh go mod download
go vet -tags trilanenet ./...
go test -c -tags trilanenet -o "$config/triple.test" .
if command -v ip >/dev/null && unshare -rn ip link set lo up 2>/dev/null; then
    unshare -rn sh -c 'ip link set lo up && exec "$0" -test.v -test.timeout 30m' "$config/triple.test"
else
    echo "go: no network namespace of our own (unshare is refused): the server listens on this machine's loopback"
    "$config/triple.test" -test.v -test.timeout 30m
fi
