#!/bin/sh
# package.sh DIST: lays out DIST/go, what `trilane go build` adds to a program: the Go modules, libtrilane.a, trilane.h.
# DIST/libtrilane.a and DIST/trilane.h are there already.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIST" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
dist=$(cd "$1" && pwd)
for need in libtrilane.a trilane.h; do
    [ -f "$dist/$need" ] || { echo "$0: $dist/$need is missing: run make build" >&2; exit 2; }
done
new=$dist/go.new
rm -rf "$new"
mkdir -p "$new/lib/pkgconfig" "$new/include"
# Modules without tests and test programs.
(cd "$here" && find . -name testdata -prune -o -name it -prune -o -type f \
    \( -name '*.go' -o -name go.mod -o -name go.sum -o -name orchestrion.yml \) \
    ! -name '*_test.go' ! -path '*/native/testing.go' -print) |
while read -r file; do
    mkdir -p "$new/$(dirname "$file")"
    cp "$here/$file" "$new/$file"
done
source=$(sha256sum <"$dist/libtrilane.a")
if [ -f "$dist/go/lib/source.sum" ] && [ "$(cat "$dist/go/lib/source.sum")" = "$source" ]; then
    cp "$dist/go/lib/libtrilane.a" "$dist/go/lib/source.sum" "$new/lib/"
else
    "$here/localize.sh" "$dist/libtrilane.a" "$new/lib/libtrilane.a"
    echo "$source" >"$new/lib/source.sum"
fi
cp "$dist/trilane.h" "$new/include/"
# The archive stands beside the module here: no pkg-config is needed. Go does not look into an archive when it decides
# whether to build again, so its checksum is part of the source.
cat >"$new/internal/native/link.go" <<EOF
//go:build cgo

package native

// archive: $(sha256sum <"$new/lib/libtrilane.a" | cut -d' ' -f1)

// #cgo CFLAGS: -I\${SRCDIR}/../../include
// #cgo LDFLAGS: \${SRCDIR}/../../lib/libtrilane.a -lm -ldl -lpthread
import "C"
EOF
cat >"$new/lib/pkgconfig/trilane-static.pc" <<'EOF'
prefix=${pcfiledir}/../..
libdir=${prefix}/lib
includedir=${prefix}/include

Name: trilane-static
Description: Trilane, linked into the program
Version: 0.1.0
Cflags: -I${includedir}
Libs: ${libdir}/libtrilane.a -lm -ldl -lpthread
EOF
# Put in place only what changed, so that Go's build cache and a running build keep theirs.
if [ -d "$dist/go" ] && diff -rq "$dist/go" "$new" >/dev/null; then
    rm -rf "$new"
else
    rm -rf "$dist/go.old"
    [ ! -d "$dist/go" ] || mv "$dist/go" "$dist/go.old"
    mv "$new" "$dist/go"
    rm -rf "$dist/go.old"
fi
