#!/bin/sh
# localize.sh IN.a OUT.a: one object that shows trilane_* and nothing else, so that a Go program can hold another Rust
# archive, or another copy of a C library, beside it.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 IN.a OUT.a" >&2; exit 2; }
in=$1 out=$2
for tool in ld nm objcopy ar; do
    command -v "$tool" >/dev/null || { echo "$0: $tool is missing: install binutils" >&2; exit 2; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
nm -g --defined-only "$in" 2>/dev/null | awk '$3 ~ /^trilane_/ { print $3 }' | sort -u >"$dir/names"
[ -s "$dir/names" ] || { echo "$0: $in defines no trilane_* symbol; a release archive is made alone:" >&2
    echo "    cargo rustc -p trilane-ffi --release --crate-type staticlib" >&2; exit 1; }
# Only what the exports reach is taken out of the archive: the rest of the standard library stays behind.
sed 's/^/--undefined=/' "$dir/names" >"$dir/roots"
ld -r --gc-sections @"$dir/roots" -o "$dir/one.o" "$in"
# The bitcode that some members bring (compiler_builtins) is several pieces in one section now: no reader takes it.
objcopy --wildcard --keep-global-symbol='trilane_*' --strip-debug --remove-section=.llvmbc --remove-section=.llvmcmd \
    "$dir/one.o" "$dir/trilane.o"
rm -f "$dir/libtrilane.a"
ar crsD "$dir/libtrilane.a" "$dir/trilane.o"
foreign=$(nm -g --defined-only "$dir/libtrilane.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /^trilane_/ { print $3 }')
if [ -n "$foreign" ]; then
    echo "$0: these symbols would be seen by the program that links the archive:" >&2
    echo "$foreign" | head >&2
    exit 1
fi
kept=$(nm -g --defined-only "$dir/libtrilane.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
[ "$kept" = "$(cat "$dir/names")" ] || { echo "$0: exports were lost on the way" >&2; exit 1; }
mv "$dir/libtrilane.a" "$out"
