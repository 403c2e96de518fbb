#!/usr/bin/env bash
# dist.sh [ARCH...]: one tarball per machine in dist/: libtrilane.so (glibc 2.17 and later, no libgcc_s), libtrilane.a,
# trilane.h, the static program, LICENSE, NOTICE, sbom.json, SHA256SUMS. Same sources and compiler, same bytes.
# x86_64 is what the tests run; aarch64 is built and untested.
# dist.sh --twice [ARCH...]: makes them of the last commit in two directories, at once, and compares every file.
# dist.sh --needs: links the library as a release is linked, but not optimised, and says what it asks of a machine.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
what=tarballs
case "${1:-}" in --twice | --needs) what=${1#--}; shift ;; esac
[ $# -gt 0 ] || set -- x86_64

if ! command -v cargo-zigbuild >/dev/null; then
    zig=$root/.cache/zig
    if ! [ -x "$zig/bin/cargo-zigbuild" ]; then
        python3 -m venv "$zig" && "$zig/bin/pip" install --quiet ziglang==0.17.1 cargo-zigbuild==0.24.0 || {
            why="no cargo-zigbuild: pip could not fetch it; install it with ziglang, or reach PyPI"
            [ $what = needs ] && echo "skipped: what the library asks of a machine: $why" && exit
            echo "$why" >&2
            exit 1
        }
    fi
    export PATH=$zig/bin:$PATH
fi

# Nothing of the building machine stays in the files.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
remap="--remap-path-prefix=$root=. --remap-path-prefix=$target=target --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
export RUSTFLAGS=$remap

# What the page of costs promises of the library without the transport, in bytes.
largest=3000000

# The .so asks for glibc 2.17 at most, and for no libgcc_s, which small images do not have; what has no version is weak.
check_library() {
    local newest loose
    newest=$(readelf -V --wide "$1" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)
    [ "$(printf '%s\nGLIBC_2.17\n' "$newest" | sort -V | tail -1)" = GLIBC_2.17 ] || { echo "$1 needs $newest" >&2; return 1; }
    if readelf -d "$1" | grep -q 'NEEDED.*libgcc_s'; then echo "$1 needs libgcc_s" >&2; return 1; fi
    loose=$(readelf --dyn-syms --wide "$1" | awk '$5 == "GLOBAL" && $7 == "UND" && $8 !~ /@/ { print $8 }' | xargs)
    [ -z "$loose" ] || { echo "$1: nothing says who has $loose" >&2; return 1; }
    echo "$1: at most $newest, no libgcc_s"
}

# Two clones whose paths differ in length too, each with a target directory of its own.
twice() {
    local one other makers=() maker tarball
    both=$(mktemp -d)
    trap 'rm -rf "$both"' EXIT
    one=$both/one other=$both/and/the/other
    for maker in "$one" "$other"; do
        git clone --quiet "$root" "$maker"
        (cd "$maker" && env -u CARGO_TARGET_DIR -u RUSTFLAGS deploy/dist.sh "$@") &
        makers+=($!)
    done
    for maker in "${makers[@]}"; do wait "$maker"; done
    for maker in "$one" "$other"; do
        for tarball in "$maker"/dist/*.tar.gz; do tar -C "$maker/dist" -xzf "$tarball"; done
    done
    diff -rq "$one/dist" "$other/dist" && (cd "$one/dist" && sha256sum -- *.tar.gz) && echo "twice the same bytes"
}

case $what in
twice) twice "$@"; exit ;;
needs)
    gnu=$(uname -m)-unknown-linux-gnu
    CARGO_PROFILE_DEV_DEBUG=0 cargo zigbuild --quiet -p trilane-ffi --features jvm --lib --target "$gnu.2.17"
    check_library "$target/$gnu/debug/libtrilane.so"
    exit ;;
esac

for arch in "$@"; do
    gnu=$arch-unknown-linux-gnu musl=$arch-unknown-linux-musl name=trilane-$version-$arch-linux
    rustup target list --installed 2>/dev/null | grep -qx "$gnu" || rustup target add "$gnu"
    rustup target list --installed 2>/dev/null | grep -qx "$musl" || rustup target add "$musl"
    # Alone: beside a crate type that is not linked (rlib) cargo leaves the whole program's optimisation out.
    cargo-zigbuild rustc --quiet --release -p trilane-ffi --features jvm --lib --crate-type cdylib --target "$gnu.2.17"
    mkdir -p "dist/$name"
    objcopy=objcopy; [ "$arch" = "$(uname -m)" ] || objcopy="python3 -m ziglang objcopy"
    $objcopy --strip-unneeded "$target/$gnu/release/libtrilane.so" "dist/$name/libtrilane.so" 2>/dev/null ||
        cp "$target/$gnu/release/libtrilane.so" "dist/$name/libtrilane.so"
    # The archive is made alone (with other crate types it holds bitcode only); nothing is linked, so no libc is chosen.
    cargo rustc --quiet --release -p trilane-ffi --target "$gnu" --crate-type staticlib
    if [ "$arch" = "$(uname -m)" ]; then
        bindings-go/localize.sh "$target/$gnu/release/libtrilane.a" "dist/$name/libtrilane.a"
    else
        cp "$target/$gnu/release/libtrilane.a" "dist/$name/libtrilane.a"
    fi
    cargo zigbuild --quiet --release -p trilane-cli --target "$musl"
    cp "$target/$musl/release/trilane" "dist/$name/trilane"
    cp include/trilane.h LICENSE NOTICE "dist/$name/"
    cargo metadata --format-version 1 --locked --filter-platform "$gnu" | python3 deploy/sbom.py "$version" >"dist/$name/sbom.json"
    check_library "dist/$name/libtrilane.so"
    size=$(stat -c %s "dist/$name/libtrilane.so")
    [ "$size" -le $largest ] || { echo "dist/$name/libtrilane.so: $size bytes, more than $largest" >&2; exit 1; }
    (cd "dist/$name" && rm -f SHA256SUMS && sha256sum -- * >../SHA256SUMS.new && mv ../SHA256SUMS.new SHA256SUMS)
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode='u+rw,go+r-w' \
        -C dist -cf - "$name" | gzip -n9 >"dist/$name.tar.gz"
    rm -r "dist/$name"
    state=untested; [ "$arch" = x86_64 ] && state=tested
    echo "dist/$name.tar.gz: built, $state, $(sha256sum <"dist/$name.tar.gz" | cut -c1-16)"
done
