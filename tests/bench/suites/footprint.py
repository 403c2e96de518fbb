"""What the library weighs: its file, its loading, a big list, a JVM."""

import json
import sys

from . import machine, route
from .machine import HERE, JAVA_FLAGS, LIBRARY

MOST_BYTES, MOST_LOAD_MS = 3e6, 1.0
INSTANCES = 10000
# In a fresh process: what dlopen costs and leaves open. The listing has a descriptor of its own in both counts.
LOAD = """
import ctypes, json, os, sys, time
library = sys.argv[1].encode()
loader = ctypes.CDLL(None)
loader.dlopen.restype = ctypes.c_void_p
def opened():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
def dlopen(name):
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    handle = loader.dlopen(ctypes.c_char_p(name), 2)
    return handle, time.perf_counter_ns() - wall, time.thread_time_ns() - cpu
dlopen(b"libgcc_s.so.1")
before = opened()
handle, wall, cpu = dlopen(library)
after = opened()
print(json.dumps({"handle": handle, "wall": wall / 1e6, "cpu": cpu / 1e6,
                  "threads": after[0] - before[0], "descriptors": after[1] - before[1]}))
"""


def prepare(run):
    machine.need_library()
    machine.javac("footprint", [HERE / "java" / "Footprint.java"])
    route.prepare(run)


def loading(run, table):
    seen = []
    for _ in range(run.pick(41, 7)):
        out = machine.command([sys.executable, "-I", "-c", LOAD, LIBRARY], env=machine.environment())
        seen.append(json.loads(out))
        if not seen[-1]["handle"]:
            raise machine.Unusable(f"dlopen refuses {LIBRARY}")
    table.add("dlopen in a fresh process: CPU", "ms", [one["cpu"] for one in seen], MOST_LOAD_MS)
    table.add("dlopen in a fresh process: wall", "ms", [one["wall"] for one in seen])
    table.add("threads started by loading", "", [max(one["threads"] for one in seen)], 0, exact=True)
    table.add("descriptors opened by loading", "", [max(one["descriptors"] for one in seen)], 0, exact=True)


def jvm(run, table):
    plain = ["java", *JAVA_FLAGS, "-cp", machine.CACHE / "footprint"]
    ways = {"bare": plain, "agent": [*plain, f"-agentpath:{LIBRARY}=log=off"]}
    seen = {way: [] for way in ways}
    for _ in range(run.pick(9, 2)):
        for way, args in ways.items():
            out = machine.command([*args, "Footprint"], env=machine.environment())
            seen[way].append({name: int(value) for name, value in (line.split() for line in out.splitlines())})
    for name, unit, scale in (("Metaspace", "kB", 1e3), ("Compressed-Class-Space", "kB", 1e3), ("classes", "", 1),
                              ("threads", "", 1), ("descriptors", "", 1)):
        values = {way: [one[name] / scale for one in seen[way]] for way in ways}
        table.add(f"bare JVM: {name.replace('-', ' ').lower()}", unit, values["bare"])
        added = [a - b for a, b in zip(values["agent"], values["bare"])]
        table.add(f"the agent adds: {name.replace('-', ' ').lower()}", f"+{unit}", added)


def measure(run):
    table = run.table("footprint", "what the library weighs")
    table.add("libtrilane.so, stripped", "MB", [LIBRARY.stat().st_size / 1e6], MOST_BYTES / 1e6, exact=True)
    loading(run, table)
    for instances in (10, 1000, INSTANCES):
        kept = route.lines("--memory", instances)[0]
        if not kept["list"]:
            raise machine.Unusable(f"the engine refused a list of {instances:,}")
        table.add(f"a list of {instances:,} instances keeps", "kB", [kept["bytes"] / 1e3])
        table.add(f"that is, an instance of {instances:,}", "bytes", [kept["bytes"] / instances])
    jvm(run, table)
    table.note("Memory of a list: live bytes of a counting allocator, after against before.")
    table.note("JVM: a program that does nothing, with the agent in mode on and no rule file.")
    table.show()
