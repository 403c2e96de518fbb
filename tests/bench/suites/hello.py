"""What the agent adds to a program that does nothing."""

from . import machine
from .machine import HERE, JAVA_FLAGS, LIBRARY

MOST_CPU_MS, MOST_RSS_MB = 3.0, 2.0
# For each of two JDKs.
SECONDS, LEAST = 120, 200


def prepare(_run):
    machine.need_library()
    machine.javac("hello", [HERE / "java" / "Hello.java"])
    machine.fetch_otel()


def alternated(run, ways, few):
    """CPU in ms and RSS in MB of each way, in turns; those in `few` take part in so many turns only."""
    env = machine.environment()
    seen = {way: [] for way in ways}
    for turn in machine.turns(run, "hello", SECONDS, LEAST, 8):
        order = [w for w in ways if w not in few or 0 < turn <= few[w]]
        for way in order if turn % 2 else reversed(order):
            cpu, rss, code = machine.finished([*ways[way], "Hello"], env)
            if code != 0:
                raise machine.Unusable(f"Hello ended with {code}: {' '.join(map(str, ways[way]))}")
            if turn > 0:  # the first turn fills the page cache
                seen[way].append((1000 * cpu, rss / 1e6))
    return seen


def rows(table, seen, names, jdk=""):
    bare_cpu = table.add(f"{jdk}bare: CPU", "ms", [cpu for cpu, _ in seen["bare"]])
    bare_rss = table.add(f"{jdk}bare: max RSS", "MB", [rss for _, rss in seen["bare"]])
    for way, name in names.items():
        goals = (MOST_CPU_MS, MOST_RSS_MB) if way == "trilane" else (None, None)
        added = [(a[0] - b[0], a[1] - b[1]) for a, b in zip(seen.get(way, []), seen["bare"])]
        if added:
            table.add(f"{jdk}{name} adds: CPU", "+ms", [cpu for cpu, _ in added], goals[0], bare_cpu)
            table.add(f"{jdk}{name} adds: max RSS", "+MB", [rss for _, rss in added], goals[1], bare_rss)


def measure(run):
    table = run.table("hello", "a Hello program, bare and with -agentpath, alternated")
    agent = f"-agentpath:{LIBRARY}"

    def ways(java):
        plain = [java, *JAVA_FLAGS, "-cp", machine.CACHE / "hello"]
        return {"bare": plain, "trilane": [*plain, agent], "off": [*plain, f"{agent}=mode=off"]}

    own, few = ways("java"), {"off": run.pick(61, 7)}
    if machine.OTEL.exists():
        few["otel"] = run.pick(5, 1)
        own["otel"] = [*own["bare"], f"-javaagent:{machine.OTEL}", "-Dotel.traces.exporter=none",
                       "-Dotel.metrics.exporter=none", "-Dotel.logs.exporter=none"]
    names = {"trilane": "trilane", "off": "trilane, off at the start", "otel": "OpenTelemetry's agent"}
    rows(table, alternated(run, own, few), names)
    for version, java in machine.other_jdks()[:1]:
        rows(table, alternated(run, ways(java), few), names, f"JDK {version}, ")
    table.note("The ± of what is not resolved is in relation to the bare program.")
    table.show()
