"""A decision by many rules of another dialect, compiling them, a change of one instance, memory: in Rust."""

import json
import os

from . import machine
from .machine import ROOT

MOST_NS, MOST_COMPILE_MS, MOST_CHANGE_US, MOST_BYTES = 150.0, 100.0, 100.0, 200.0
BINARY = "bench-rules"


def prepare(_run):
    machine.need("cargo", "https://rustup.rs")
    machine.command(["cargo", "build", "--quiet", "--release", "-p", "trilane-tests", "--bin", BINARY],
                    title=f"build {BINARY} (cargo)")


def measure(run):
    table = run.table("rules", "decisions by rules over 10,000 instances, CPU time of the calling thread")
    binary = machine.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / BINARY
    options = ["--windows", run.pick(61, 11), "--calls", run.pick(200_000, 50_000)]
    cases = [json.loads(line) for line in machine.command([binary, *options], env=machine.environment()).splitlines()]
    for case in cases:
        rules = f"{case['rules']:,} rule{'s' if case['rules'] > 1 else ''}"
        table.add(f"{rules}: reading the request's values alone", "ns", case["bare_ns"])
        table.add(f"{rules}: that and decide and pick", "ns", case["decide_ns"], MOST_NS)
        table.add(f"{rules}: compile them and index the list, the old plan dropped", "ms", case["compile_ms"], MOST_COMPILE_MS)
        table.add(f"{rules}: one instance's health changes", "µs", case["change_us"], MOST_CHANGE_US)
        instances, kept = case["instances"], case["rule_bytes"] / 1e3
        table.add(f"{rules}: memory of an instance besides its strings", "bytes", [case["instance_bytes"] / instances],
                  MOST_BYTES, exact=True)
        table.add(f"{rules}: memory of the rules", "kB", [kept])
    table.add("allocations in all windows", "", [sum(case["allocations"] for case in cases)], 0, exact=True)
    table.note("A rule compares two headers and the path's prefix and leads to one of 100 subsets; every call has another "
               "user's values, so that nothing of the last call's rule is at hand.")
    table.note("Memory of the rules: of a plan over no instance. Memory of an instance: what 10,000 of them add, by 10,000.")
    table.show()
