#!/usr/bin/env python3
"""The demo: ordinary services, first as they are, then with Trilane loaded from outside.

    python3 tests/demo/demo.py                 # all; needs dist/libtrilane.so and dist/trilane
    python3 tests/demo/demo.py --phase plain   # the services without the library
"""

import argparse
import os
import sys
import time
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../tools")]

import netns  # noqa: E402
from driver import build, fleet, lanes, story  # noqa: E402  (the path above comes first)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", choices=("all", "plain", "lanes"), default="all")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=4, help="per user and table row")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--dist", type=lambda p: Path(p).resolve(), default=build.ROOT / "dist", help="what was built")
    return parser.parse_args()


def build_all(options):
    """Everything that may need the network, before the private namespace is entered."""
    build.check_tools()
    build.java()
    made = {"balancer": build.go_plain("balancer"), "plain": build.go_plain("pricing"), "library": None}
    if options.phase != "plain":
        made["library"] = build.library(options.dist)
        made["woven"] = build.go_woven("pricing", options.dist)
    return made


def main():
    options = arguments()
    begin = time.monotonic()
    try:
        made = build_all(options)
        netns.enter(veth=True, say=lambda text: print(f"demo: skipped: {text}", flush=True))
        ports = fleet.free_ports(story.PORT_NAMES)
        users = [lanes.user_name(number) for number in range(options.users)]
        good, line = story.tell(options, made, ports, users)
    except build.Unusable as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130
    print(f"demo: the run took {time.monotonic() - begin:.0f} s, logs are in {build.CACHE}")
    print(line)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
