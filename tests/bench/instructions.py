#!/usr/bin/env python3
"""Instructions of the transport's server per call on 10 x 20 connections, held against the number kept here.

Counted by callgrind, so that no load disturbs it; made with the release profile. Another compiler moves it: then the
number is replaced by the one that this prints, in a commit of its own.
"""

import sys

from suites import machine, triple

KEPT, TOLERANCE = 31_300, 0.05


def main():
    machine.command(["cargo", "build", "--quiet", "--release", "-p", "trilane-interop", "--bin", "transport-bench"])
    try:
        counted = triple.instructions()
    except machine.Unusable as why:
        if "valgrind" not in str(why):
            raise
        print(f"skipped: {why}")
        return 0
    print(f"server, instructions per call on 10 x 20: {counted:,.0f} ({KEPT:,} kept, goal {triple.MOST_INSTRUCTIONS:,})")
    if abs(counted - KEPT) <= TOLERANCE * KEPT:
        return 0
    print(f"more than {100 * TOLERANCE:.0f} % from what is kept: find out why, or keep the new number")
    return 1


if __name__ == "__main__":
    sys.exit(main())
