"""Decide and pick in Rust, by list size and number of lanes."""

import json
import os

from . import machine
from .machine import ROOT

MOST_NS = 100.0
BINARY = "bench-route"


def binary():
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return machine.Path(target) / "release" / BINARY


def prepare(_run):
    machine.need("cargo", "https://rustup.rs")
    machine.command(["cargo", "build", "--quiet", "--release", "-p", "trilane-tests", "--bin", BINARY],
                    title="build bench-route (cargo)")


def lanes_of(count):
    return f"{count} lane{'s' if count > 1 else ''}"


def lines(*options):
    return [json.loads(line) for line in machine.command([binary(), *options], env=machine.environment()).splitlines()]


def measure(run):
    table = run.table("route", "decide and pick, CPU time of the calling thread")
    sizes = lines("--windows", run.pick(61, 11), "--calls", run.pick(200_000, 50_000))
    for size in sizes:
        table.add(f"{size['instances']:,} instances, {lanes_of(size['lanes'])}", "ns", size["ns"], MOST_NS)
    windows = {(size["instances"], size["lanes"]): size["ns"] for size in sizes}
    for size in sizes:
        ratio = [a / b for a, b in zip(size["observe_ns"], size["ns"])]
        table.add(f"{size['instances']:,} instances, {lanes_of(size['lanes'])}: observe beside on", "x", ratio)
    # Ten instances are too few for 100 lanes: most of those calls fall back, and that is another thing.
    for small, big, lanes in ((10, 10_000, 1), (1_000, 10_000, 100)):
        flat = [b / s for s, b in zip(windows[small, lanes], windows[big, lanes])]
        table.add(f"{big:,} beside {small:,} instances, {lanes_of(lanes)}", "x", flat, goal_text="flat")
    table.add("allocations in all windows", "", [sum(size["allocations"] for size in sizes)], 0, exact=True)
    table.note("No text and no length is looked at; what grows with the list is how far its memory is spread.")
    table.show()
