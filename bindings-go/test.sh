#!/bin/sh
# test.sh [MODULE...]: the Go suites, against what `make build` left in dist; without an argument those of every day,
# `dubbo` is the one beside them. What they need is fetched first; they run in a network of their own where that is
# allowed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
TRILANE_DIST=${TRILANE_DIST:-$here/../dist}
TRILANE_DIST=$(cd "$TRILANE_DIST" && pwd)
PKG_CONFIG_PATH=$TRILANE_DIST/go/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export TRILANE_DIST PKG_CONFIG_PATH
again=$here/../tests/tools/again.sh
cd "$here"

suites() {
    failed=0
    for module in ${*:-. grpc it}; do
        (cd "$module" && go test -count=1 -timeout 30m ./...) || failed=1
    done
    return $failed
}

if [ "${1:-}" = --inside ]; then
    shift
    suites "$@"
    exit
fi

for module in ${*:-. grpc weave it}; do
    (cd "$module" && "$again" go mod download && go vet ./...)
done
if [ $# -eq 0 ]; then
    CGO_ENABLED=0 go vet ./...
    # What the woven builds need of the network is there once the same ones have been made here.
    mark=$here/../.cache/go-woven
    now=$(find "$TRILANE_DIST/go" "$TRILANE_DIST/trilane" it/testdata -type f -exec sha256sum {} + | sort | sha256sum)
    if [ "$now" != "$(cat "$mark" 2>/dev/null)" ]; then
        echo "go: first woven builds (minutes when Go's build cache is empty)"
        warm=$(mktemp -d)
        trap 'rm -rf "$warm"' EXIT
        cp -r it/testdata/app it/testdata/grpcapp "$warm/"
        (cd "$warm/app" && "$again" "$TRILANE_DIST/trilane" go build -o "$warm/" ./cmd/...)
        (cd "$warm/app" && CGO_ENABLED=0 "$again" "$TRILANE_DIST/trilane" go build -o "$warm/" ./cmd/...)
        (cd "$warm/grpcapp" && "$again" "$TRILANE_DIST/trilane" go build -o "$warm/" ./cmd/...)
        mkdir -p "${mark%/*}" && echo "$now" >"$mark"
    fi
fi
if command -v ip >/dev/null && unshare -rn ip link set lo up 2>/dev/null; then
    GOPROXY=off unshare -rn sh -c 'ip link set lo up && exec "$0" --inside "$@"' "$here/test.sh" "$@"
else
    echo "go: no network namespace of our own (unshare is refused): the servers listen on this machine's loopback"
    suites "$@"
fi
