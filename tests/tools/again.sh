#!/bin/sh
# again.sh COMMAND...: runs what fetches something, three times at most: a registry may be out of reach for a moment.
for pause in 5 20 0; do
    "$@" && exit 0
    [ $pause = 0 ] || { echo "that failed; once more in $pause s: $*" >&2; sleep $pause; }
done
echo "failed three times: $*" >&2
exit 1
