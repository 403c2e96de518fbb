#!/bin/sh
# run.sh LIBTRILANE.so [DIRECTORY]: runs Vectors.java by a JDK of 22 or newer (java.lang.foreign, programs of several
# source files). The last line of a good run is `vectors: java=N`; without such a JDK it is `skipped: reason`.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 LIBTRILANE.so [DIRECTORY]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$1" ] || { echo "$0: $1 is missing: run make build" >&2; exit 2; }

# A JDK says its version in the file `release`; a JRE has no compiler and does not count.
fits() {
    [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ] || return 1
    major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2>/dev/null)
    [ "${major:-0}" -ge 22 ]
}

found=
path_java=$(command -v java 2>/dev/null || true)
[ -z "$path_java" ] || path_java=$(dirname "$(dirname "$(readlink -f "$path_java")")")
for home in "${JAVA_HOME_25:-}" "${JAVA_HOME:-}" "$path_java" /usr/lib/jvm/*; do
    if [ -n "$home" ] && fits "$home"; then
        found=$home
        break
    fi
done
if [ -z "$found" ]; then
    echo "skipped: the Java runner needs a JDK of 22 or newer; set JAVA_HOME_25 to one"
    exit 0
fi
exec "$found/bin/java" -Xshare:auto -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED \
    "$here/Vectors.java" "$1" "${2:-$here/..}"
