"""CPU until the shop says that it is ready."""

import os
from concurrent.futures import ThreadPoolExecutor

from . import machine, shop

MOST_PERCENT = 5.0


def prepare(run):
    shop.prepare(run)
    machine.fetch_otel()


def until_ready(way, switch, place):
    """CPU seconds and RSS in MB when it says that it is ready; it runs on one processor."""
    port, pricing = machine.free_port(), machine.free_port()
    with machine.on_one_processor(place):
        if way == "trilane":
            child = shop.with_agent(port, pricing, switch)
        else:
            off = [f"-Dotel.{kind}.exporter=none" for kind in ("traces", "metrics", "logs")]
            child = shop.start(port, pricing, [f"-javaagent:{machine.OTEL}", *off] if way == "otel" else [])
    with child:
        child.wait_line(shop.READY)
        cpu, rss = child.cpu(), child.rss() / 1e6
        if way == "trilane":
            child.wait_line(r"^trilane: .*mode=on", budget=1)
        return cpu, rss


def both(ways, switch, places, pool):
    """At once where there are two processors: both meet the same clock, neighbours and disk."""
    jobs = [pool.submit(until_ready, way, switch, place) for way, place in zip(ways, places)]
    return [job.result() for job in jobs]


def measure(run):
    table = run.table("shop-start", "CPU of the demo's shop until `Started Shop`, bare and with -agentpath")
    switch = shop.rules()
    processors = sorted(os.sched_getaffinity(0))
    places = [processors[0], processors[-1]]
    pairs, peers = run.pick(24, 1), run.pick(3, 0)
    seen, otel = {"bare": [], "trilane": []}, []
    with ThreadPoolExecutor(len(set(places))) as pool:
        both(["bare"], switch, places, pool)  # fills the page cache
        for turn in range(pairs):
            # Who is on which processor changes with every pair, and who is started first with every second one.
            ways = ["bare", "trilane"] if turn // 2 % 2 else ["trilane", "bare"]
            for way, one in zip(ways, both(ways, switch, places if turn % 2 else places[::-1], pool)):
                seen[way].append(one)
        if machine.OTEL.exists():
            for turn in range(peers):
                bare, other = both(["bare", "otel"], switch, places if turn % 2 else places[::-1], pool)
                otel.append((other, bare))
    table.add("bare: CPU", "s", [cpu for cpu, _ in seen["bare"]])
    table.add("bare: RSS when ready", "MB", [rss for _, rss in seen["bare"]])
    pairs = list(zip(seen["trilane"], seen["bare"]))
    for pairs, name, goal in ((pairs, "trilane", MOST_PERCENT), (otel, "OpenTelemetry's agent", None)):
        if pairs:
            table.add(f"{name} adds: CPU", "+%", [100 * (a[0] / b[0] - 1) for a, b in pairs], goal, 100.0)
            table.add(f"{name} adds: RSS when ready", "+MB", [a[1] - b[1] for a, b in pairs])
    table.note("The two of a pair start at once, each on a processor of its own, which they swap from pair to pair.")
    table.show()
