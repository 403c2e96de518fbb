#!/usr/bin/env python3
"""The figures behind `make bench`: Markdown tables on stdout, one JSON line per figure in dist/bench.jsonl.

CPU time per call comes first, in one run against the peer beside it, alternated; a figure is a median with its 95 %
interval by order statistics. A goal "holds" when the interval's unfavourable end is within it, is "missed" when the
favourable end is not, and is "not resolved" otherwise. Nothing here is an assertion: the exit status says only
whether every suite could be run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from importlib import import_module

from suites import figures, machine

SUITES = ["hello", "route", "rules", "crossing", "dubbo-router", "dubbo-rules", "dubbo-call", "triple", "java-client",
          "shop-start", "shop-request", "footprint", "operate"]
INSIDE = "--inside"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", metavar="SUITE,...", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--quick", action="store_true", help="few and short windows: to see that it works")
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.suites = chosen.only.split(",") if chosen.only else SUITES
    unknown = [s for s in chosen.suites if s not in SUITES]
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    return chosen


def suite(name):
    return import_module("suites." + name.replace("-", "_"))


def about():
    """What a figure depends on besides the code."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=machine.ROOT, capture_output=True, text=True)
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr if shutil.which("java") else ""
    with open("/proc/cpuinfo") as cpu:
        models = [line.split(":", 1)[1].strip() for line in cpu if line.startswith("model name")]
    return {
        "commit": commit.stdout.strip() or "unknown",
        "cpu": f"{os.cpu_count()} x {models[0] if models else 'unknown'}",
        "jdk": java.splitlines()[0] if java else "none",
        "load": round(os.getloadavg()[0], 1),
    }


def each(suites, step, title):
    """Runs a step of every suite; one that cannot run is said and does not stop the others."""
    failed = []
    for name in suites:
        begin = time.monotonic()
        machine.say(f"{title} {name}")
        try:
            getattr(suite(name), step[0])(step[1])
        except machine.Unusable as why:
            print(f"\n### {name}\n\nskipped: {why}", flush=True)
            failed.append(name)
        took = time.monotonic() - begin
        if took > 1:
            machine.say(f"{title} {name}: {took:.0f} s")
    return failed


def enter_own_network():
    """Servers get a network of their own; downloads are done by then."""
    inner = f'ip link set lo up && exec "$0" "$@" {INSIDE}'
    args = ["unshare", "-rn", "sh", "-c"]
    if shutil.which("ip") and subprocess.run([*args, "ip link set lo up"], capture_output=True).returncode == 0:
        sys.stdout.flush()
        os.execvp("unshare", [*args, inner, sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    machine.say("no network namespace of our own (unshare is refused): the servers listen on this machine's loopback")


def main():
    chosen = arguments()
    facts = about()
    run = machine.Run(chosen.quick, figures.Lines(machine.DIST / "bench.jsonl", {**facts, "quick": chosen.quick}))
    machine.CACHE.mkdir(parents=True, exist_ok=True)
    unready = os.environ.get("BENCH_UNREADY", "").split(",")
    if not chosen.inside:
        unready = each(chosen.suites, ("prepare", run), "prepare")
        os.environ["BENCH_UNREADY"] = ",".join(unready)
        enter_own_network()
    print(f"## Figures{' (quick: not to be quoted)' if chosen.quick else ''}\n")
    print(f"Commit {facts['commit']}, {facts['cpu']}, {facts['jdk']}, load {facts['load']} at the start.", flush=True)
    ready = [s for s in chosen.suites if s not in unready]
    failed = each(ready, ("measure", run), "measure")
    return 1 if failed or len(ready) < len(chosen.suites) else 0


if __name__ == "__main__":
    sys.exit(main())
