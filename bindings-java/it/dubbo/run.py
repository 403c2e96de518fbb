#!/usr/bin/env python3
"""Dubbo from end to end: real providers and consumers over a real ZooKeeper, with the library loaded from outside.

    python3 bindings-java/it/dubbo/run.py                        # every bed
    python3 bindings-java/it/dubbo/run.py --bed 33-tri --bed 27  # some of them
    python3 bindings-java/it/dubbo/run.py --library PATH         # instead of dist/libtrilane.so

One line per case, and at the end `N passed, N failed, N skipped`; the exit status is 1 if one failed.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from driver import beds, cases  # noqa: E402  (the path above comes first)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bed", action="append", choices=list(beds.BEDS), help="default: all")
    parser.add_argument("--library", type=lambda p: Path(p).resolve(), default=HERE.parents[2] / "dist/libtrilane.so")
    parser.add_argument("--keep", type=lambda p: Path(p).resolve(), help="leave logs in this folder")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def enter_namespace():
    """Runs this script again where no other program's ports are in the way."""
    why = ""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        why = "unshare or ip (util-linux, iproute2) is not there"
    else:
        tried = subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
        why = tried.stderr.strip() if tried.returncode else ""
    if why:
        print(f"no private network namespace: {why}; using this machine's own ports", flush=True)
        return
    # Dubbo looks for an interface that is not lo at every turn, so it gets one if that is allowed.
    script = (
        "ip link set lo up && { ip link add eth0 type veth peer name eth1 && ip addr add 192.0.2.10/24 dev eth0"
        ' && ip link set eth0 up && ip link set eth1 up; } 2>/dev/null; exec "$@"'
    )
    inner = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--inside"]
    sys.stdout.flush()
    os.execvp("unshare", ["unshare", "-rn", "sh", "-c", script, "sh", *inner])


def main():
    options = arguments()
    if not options.library.exists():
        print(f"{options.library} is not there: run `make build` first, or name it with --library")
        return 1
    wanted = options.bed or list(beds.BEDS)
    if not options.inside:
        beds.build(wanted)
        enter_namespace()
    # What was started is stopped on the way out, also when somebody stops this script.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = cases.Results()
    for name in wanted:
        started = time.monotonic()
        cases.run(name, options.library, options.keep, results)
        print(f"     {name}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"{results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
