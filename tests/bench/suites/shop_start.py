"""CPU until the shop says that it is ready."""

from . import machine, shop

MOST_PERCENT = 5.0


def prepare(run):
    shop.prepare(run)
    machine.fetch_otel()


def until_ready(way, switch):
    port, pricing = machine.free_port(), machine.free_port()
    if way == "trilane":
        child = shop.with_agent(port, pricing, switch)
    else:
        off = [f"-Dotel.{kind}.exporter=none" for kind in ("traces", "metrics", "logs")]
        child = shop.start(port, pricing, [f"-javaagent:{machine.OTEL}", *off] if way == "otel" else [])
    with child:
        child.wait_line(shop.READY)
        if way == "trilane":
            child.wait_line(r"^trilane: .*mode=on", budget=1)
        return child.cpu(), child.rss() / 1e6


def measure(run):
    table = run.table("shop-start", "CPU of the demo's shop until `Started Shop`, bare and with -agentpath")
    switch = shop.rules()
    pairs, peers = run.pick(9, 1), run.pick(3, 0)
    until_ready("bare", switch)  # fills the page cache
    seen = {"bare": [], "trilane": [], "otel": []}
    for turn in range(pairs):
        ways = ["bare", "trilane"] if turn % 2 else ["trilane", "bare"]
        if turn < peers and machine.OTEL.exists():
            ways.append("otel")
        for way in ways:
            seen[way].append(until_ready(way, switch))
    table.add("bare: CPU", "s", [cpu for cpu, _ in seen["bare"]])
    table.add("bare: RSS when ready", "MB", [rss for _, rss in seen["bare"]])
    for way, name, goal in (("trilane", "trilane", MOST_PERCENT), ("otel", "OpenTelemetry's agent", None)):
        both = list(zip(seen[way], seen["bare"]))
        if both:
            table.add(f"{name} adds: CPU", "+%", [100 * (a[0] / b[0] - 1) for a, b in both], goal, 100.0)
            table.add(f"{name} adds: RSS when ready", "+MB", [a[1] - b[1] for a, b in both])
    table.show()
