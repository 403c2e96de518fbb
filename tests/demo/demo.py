#!/usr/bin/env python3
"""The demo: ordinary services, first as they are, then with Trilane loaded from outside.

    python3 tests/demo/demo.py                 # all; needs dist/libtrilane.so and dist/trilane
    python3 tests/demo/demo.py --phase plain   # the services without the library
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from driver import build, fleet, lanes, story  # noqa: E402  (the path above comes first)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", choices=("all", "plain", "lanes"), default="all")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=4, help="per user and table row")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--dist", type=lambda p: Path(p).resolve(), default=build.ROOT / "dist", help="what was built")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
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


def enter_namespace():
    """Runs this script again where no other program's ports are in the way."""
    probe = ["unshare", "-rn", "ip", "link", "set", "lo", "up"]
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        why = "unshare or ip (util-linux, iproute2) is not there"
    else:
        tried = subprocess.run(probe, capture_output=True, text=True)
        why = tried.stderr.strip() if tried.returncode else ""
    if why:
        print(f"demo: skipped: private network namespace: {why}; using this machine's own ports", flush=True)
        return
    # dubbo-java complains at every turn where there is no interface but lo, so it gets one if that is allowed.
    script = (
        "ip link set lo up && { ip link add eth0 type veth peer name eth1 && ip addr add 192.0.2.10/24 dev eth0"
        ' && ip link set eth0 up && ip link set eth1 up; } 2>/dev/null; exec "$@"'
    )
    inner = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--inside"]
    sys.stdout.flush()
    os.execvp("unshare", ["unshare", "-rn", "sh", "-c", script, "sh", *inner])


def main():
    options = arguments()
    begin = time.monotonic()
    try:
        made = build_all(options)
        if not options.inside:
            enter_namespace()
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
