"""CPU until the shop says that it is ready."""

from . import machine, shop

MOST_PERCENT = 5.0
SECONDS, LEAST = 690, 20


def prepare(run):
    shop.prepare(run)
    machine.fetch_otel()


def until_ready(way, switch):
    """CPU seconds and RSS in MB when it says that it is ready; then it is ended."""
    port, pricing = machine.free_port(), machine.free_port()
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


def pair(way, turn, switch):
    """That way and the bare shop, one after the other; which one is first changes with every turn."""
    ways = [way, "bare"] if turn % 2 else ["bare", way]
    seen = {name: until_ready(name, switch) for name in ways}
    return seen[way], seen["bare"]


def measure(run):
    table = run.table("shop-start", "CPU of the demo's shop until `Started Shop`, bare and with -agentpath")
    switch = shop.rules()
    until_ready("bare", switch)  # fills the page cache
    ours = [pair("trilane", turn, switch) for turn in machine.turns(run, "shop-start", SECONDS, LEAST, 1)]
    otel = [pair("otel", turn, switch) for turn in range(run.pick(3, 0))] if machine.OTEL.exists() else []
    table.add("bare: CPU", "s", [bare[0] for _, bare in ours])
    table.add("bare: RSS when ready", "MB", [bare[1] for _, bare in ours])
    for pairs, name, goal in ((ours, "trilane", MOST_PERCENT), (otel, "OpenTelemetry's agent", None)):
        if pairs:
            table.add(f"{name} adds: CPU", "+%", [100 * (a[0] / b[0] - 1) for a, b in pairs], goal, 100.0)
            table.add(f"{name} adds: RSS when ready", "+MB", [a[1] - b[1] for a, b in pairs])
    table.note("One start at a time, alternated.")
    table.show()
