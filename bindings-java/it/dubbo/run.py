#!/usr/bin/env python3
"""Dubbo from end to end: real providers and consumers over a real ZooKeeper, with the library loaded from outside.

    python3 bindings-java/it/dubbo/run.py                        # every bed
    python3 bindings-java/it/dubbo/run.py --bed 33-tri --bed 27  # some of them
    python3 bindings-java/it/dubbo/run.py --library PATH         # instead of dist/libtrilane.so
    python3 bindings-java/it/dubbo/run.py --bad-days --bed 27    # odd arrangements instead of the standard cases
    python3 bindings-java/it/dubbo/run.py --redeploy 50          # two web applications in one Tomcat, 50 times

One line per case, and at the end `N passed, N failed, N skipped`; the exit status is 1 if one failed.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "tests/tools")]

import netns  # noqa: E402
from driver import beds, cases, days, redeploy  # noqa: E402  (the path above comes first)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bed", action="append", choices=list(beds.BEDS), help="default: all")
    parser.add_argument("--library", type=lambda p: Path(p).resolve(), default=HERE.parents[2] / "dist/libtrilane.so")
    parser.add_argument("--keep", type=lambda p: Path(p).resolve(), help="leave logs in this folder")
    parser.add_argument("--bad-days", action="store_true", help="odd arrangements instead of the standard cases")
    parser.add_argument("--redeploy", type=int, metavar="TIMES", help="two web applications in one Tomcat instead")
    return parser.parse_args()


def main():
    options = arguments()
    if not options.library.exists():
        print(f"{options.library} is not there: run `make build` first, or name it with --library")
        return 1
    wanted = options.bed or list(beds.BEDS)
    if not netns.inside():
        beds.build(["33-dubbo", "27"] if options.redeploy else wanted)
        if options.bad_days:
            days.neighbours.fetch()
        netns.enter(veth=True)
    # What was started is stopped on the way out, also when somebody stops this script.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = cases.Results()
    if options.redeploy:
        cases.in_folder("redeploy", options.keep, results, lambda folder, check: redeploy.run(
            options.library, folder, options.redeploy, check))  # fmt: skip
        wanted = []
    for name in wanted:
        started = time.monotonic()
        cases.run(name, options.library, options.keep, results, days.DAYS if options.bad_days else ())
        print(f"     {name}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"{results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
