"""What the agent adds to a program that does nothing."""

from . import machine
from .machine import HERE, JAVA_FLAGS, LIBRARY

MOST_CPU_MS, MOST_RSS_MB = 3.0, 2.0


def prepare(_run):
    machine.need_library()
    machine.javac("hello", [HERE / "java" / "Hello.java"])
    machine.fetch_otel()


def measure(run):
    table = run.table("hello", "a Hello program, bare and with -agentpath, alternated")
    plain = ["java", *JAVA_FLAGS, "-cp", machine.CACHE / "hello"]
    agent = f"-agentpath:{LIBRARY}"
    ways = {"bare": plain, "trilane": [*plain, agent], "off": [*plain, f"{agent}=mode=off"]}
    if machine.OTEL.exists():
        ways["otel"] = [*plain, f"-javaagent:{machine.OTEL}", "-Dotel.traces.exporter=none",
                        "-Dotel.metrics.exporter=none", "-Dotel.logs.exporter=none"]
    pairs, peers = run.pick(31, 7), run.pick(5, 1)
    seen = {way: [] for way in ways}
    env = machine.environment()
    for turn in range(-1, pairs):
        order = [w for w in ways if w != "otel" or 0 <= turn < peers]
        for way in order if turn % 2 else reversed(order):
            cpu, rss, code = machine.finished([*ways[way], "Hello"], env)
            if code != 0:
                raise machine.Unusable(f"Hello ended with {code}: {' '.join(map(str, ways[way]))}")
            if turn >= 0:  # the first turn fills the page cache
                seen[way].append((1000 * cpu, rss / 1e6))
    bare_cpu = table.add("bare: CPU", "ms", [cpu for cpu, _ in seen["bare"]])
    bare_rss = table.add("bare: max RSS", "MB", [rss for _, rss in seen["bare"]])
    names = {"trilane": "trilane", "off": "trilane, off at the start", "otel": "OpenTelemetry's agent"}
    for way, name in names.items():
        goals = (MOST_CPU_MS, MOST_RSS_MB) if way == "trilane" else (None, None)
        added = [(a[0] - b[0], a[1] - b[1]) for a, b in zip(seen.get(way, []), seen["bare"])]
        if added:
            table.add(f"{name} adds: CPU", "+ms", [cpu for cpu, _ in added], goals[0], bare_cpu)
            table.add(f"{name} adds: max RSS", "+MB", [rss for _, rss in added], goals[1], bare_rss)
    table.note("The ± of what is not resolved is in relation to the bare program.")
    table.show()
