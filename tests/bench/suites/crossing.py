"""What it costs to ask the engine from Java and from Go, beside the same question in Rust."""

import json
import os
import re

from . import dubbo_router, machine, route
from .machine import DIST, JAVA_FLAGS, LIBRARY, ROOT

MOST_JAVA_NS, MOST_GO_NS = 25.0, 60.0
INSTANCES = 1000
GO = ROOT / "bindings-go"
GO_TEST = machine.CACHE / "route.test"


def prepare(run):
    machine.need_library()
    # The bridge's classes are defined when a class that calls them is hooked: Dubbo's directory is one.
    dubbo_router.prepare(run)
    route.prepare(run)
    machine.need("go", "Go 1.26 or newer: https://go.dev/dl")
    config = DIST / "go" / "lib" / "pkgconfig"
    if not config.exists():
        raise machine.Unusable(f"{config.relative_to(ROOT)} is missing: run `make build`")
    env = {**os.environ, "CGO_ENABLED": "1", "PKG_CONFIG_PATH": str(config)}
    machine.command(["go", "test", "-c", "-o", GO_TEST, "./internal/native"], cwd=GO, env=env,
                    title="build the Go benchmark (go test -c)")


def java(run, lanes, mode="on"):
    args = ["java", *JAVA_FLAGS, f"-Xbootclasspath/a:{machine.boot_classes()}", f"-agentpath:{LIBRARY}=log=off,mode={mode}",
            "-cp", f"{dubbo_router.JARS}/*", "java.trilane.BenchCrossing", INSTANCES, lanes, run.pick(15, 5), run.pick(200_000, 50_000),
            run.pick(700, 300)]
    out = machine.command(args, env=machine.environment())
    return {case["name"]: case["ns"] for case in map(json.loads, out.splitlines())}


def go(run, name, lanes):
    args = [GO_TEST, "-test.run", "^$", "-test.bench", f"^Benchmark{name}$",
            "-test.count", run.pick(15, 5), "-test.benchtime", "200000x"]
    out = machine.command(args, env=machine.environment({"BENCH_LANES": str(lanes)}))
    found = [float(ns) for ns in re.findall(r"([0-9.]+) cpu-ns/op", out)]
    if not found:
        raise machine.Unusable(f"the Go benchmark printed no figure:\n{out}")
    return found


def middle(values):
    return sorted(values)[len(values) // 2]


def measure(run):
    table = run.table("crossing", f"asking from Java and Go, a list of {INSTANCES:,}, beside the same in Rust")
    for lanes in (1, 100):
        seen = {name: [] for name in ("rust", "java", "choose", "watch", "go", "floor")}
        for _ in range(run.pick(25, 2)):
            rust = route.lines("--case", f"{INSTANCES},{lanes}", "--windows", run.pick(15, 5))
            seen["rust"].append(middle(rust[0]["ns"]))
            of_java = java(run, lanes)
            seen["java"].append(middle(of_java["route"]))
            seen["choose"].append(middle(of_java["choose"]))
            seen["watch"].append(middle(java(run, lanes, "observe")["choose"]))
            seen["go"].append(middle(go(run, f"Route/instances={INSTANCES}", lanes)))
            seen["floor"].append(middle(go(run, "Crossing", lanes)))
        lanes = route.lanes_of(lanes)
        base = table.add(f"{lanes}: route in Rust", "ns", seen["rust"])
        table.add(f"{lanes}: Native.route from Java", "ns", seen["java"])
        table.add(f"{lanes}: Java's crossing adds", "+ns",
                  [a - b for a, b in zip(seen["java"], seen["rust"])], MOST_JAVA_NS, base)
        table.add(f"{lanes}: Listing.choose, a Java hook's whole choice", "ns", seen["choose"])
        ratio = [a / b for a, b in zip(seen["watch"], seen["choose"])]
        table.add(f"{lanes}: Listing.choose, observe beside on", "x", ratio)
        table.add(f"{lanes}: Engine.Route from Go", "ns", seen["go"])
        table.add(f"{lanes}: Go's crossing adds", "+ns",
                  [a - b for a, b in zip(seen["go"], seen["rust"])], MOST_GO_NS, base)
        table.add(f"{lanes}: Engine.Mode from Go, a crossing with nothing behind it", "ns", seen["floor"])
    table.note("A figure is the median of one process's windows; Rust, Java and Go take turns. CPU time of the thread.")
    table.show()
