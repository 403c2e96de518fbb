"""CPU of a consumer per real Dubbo call, its mode switched by the rule file."""

from . import dubbo_router, machine
from .machine import JAVA_FLAGS, LIBRARY

prepare = dubbo_router.prepare
BESIDE_SECONDS = 60
RULES = "apiVersion: trilane/v1\nmode: {mode}\nlanes:\n  - {{tag: gray}}\n"


def call(client, count, kind="mixed"):
    """CPU seconds of the consumer for so many calls: "tagged", "untagged", or half of each."""
    mark, begin = client.mark(), client.cpu()
    client.tell(f"{count} {kind}")
    client.wait_line("^done$", since=mark)
    return client.cpu() - begin


def warm_up(run, client, switch, batch):
    def step(number):
        switch.to(client, "on" if number // 2 % 2 else "off")
        return call(client, batch) / batch

    machine.settle(step, run.pick(12, 5), run.pick(30, 5))


def beside(run, what, modes, seconds, least, calls):
    """Alternates two modes: the µs of a call in each, turn by turn. `calls`: switch, client, how many, the kind."""
    switch, client, count, kind = calls
    seen = {mode: [] for mode in modes}
    for _ in machine.turns(run, what, seconds, least, 2):
        machine.abba(seen, switch, client, lambda: call(client, count // 5, kind),
                     lambda: 1e6 * call(client, count, kind) / count)
    return [seen[mode] for mode in modes]


def ratios(above, below):
    return [a / b for a, b in zip(above, below)]


def one(run, table, known, providers, seconds, least, count, batch):
    port = machine.free_port()
    compared = known == "registry" and providers == 10
    goal = 1.0 if known == "registry" else None
    path = f"{dubbo_router.classes()}:{dubbo_router.JARS}/*"
    plain = ["java", *JAVA_FLAGS, "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
             "-Ddubbo.application.service-discovery.migration=FORCE_INTERFACE", "-cp", path]
    env = machine.environment()
    agent = [f"-Xbootclasspath/a:{machine.boot_classes()}", f"-agentpath:{LIBRARY}"]
    consumer = [plain[0], *agent, *plain[1:], "bench.CallClient", known]
    name = f"{providers:,} providers by {known}"
    with machine.Child([*plain, "bench.CallServer", port, providers], env, machine.CACHE / "call-server.log") as server:
        registry = server.wait_line("^ready ").split()[1]
        consumer += [registry if known == "registry" else port, providers]
        switch = machine.Switch("dubbo-lanes.yaml", RULES)
        env = {**env, "TRILANE_RULES": str(switch.path)}
        with machine.Child(consumer, env, machine.CACHE / "call-client.log") as client:
            client.wait_line("^ready$")
            warm_up(run, client, switch, batch)
            off, on = beside(run, f"dubbo-call, {name}", ("off", "on"), seconds, least,
                             (switch, client, count, "mixed"))
            table.add(f"{name}: mode off", "µs", off)
            table.add(f"{name}: mode on", "µs", on)
            table.add(f"{name}: on beside off", "x", ratios(on, off), goal, 1.0)
            for kind in ("untagged", "tagged") if compared else ():
                off, on = beside(run, kind, ("off", "on"), BESIDE_SECONDS, 6, (switch, client, count, kind))
                table.add(f"{name}, {kind} calls alone: on beside off", "x", ratios(on, off), None, 1.0)
            if compared:
                on, observe = beside(run, "observe", ("on", "observe"), BESIDE_SECONDS, 6,
                                     (switch, client, count, "mixed"))
                table.add(f"{name}: observe beside on", "x", ratios(observe, on), 1.2, 1.0)


def measure(run):
    table = run.table("dubbo-call", "CPU of a dubbo-java 3.3.6 consumer per call, mode off and on alternated")
    one(run, table, "registry", 10, 200, 20, run.pick(10_000, 200), run.pick(10_000, 200))
    one(run, table, "registry", 1000, 60, 20, run.pick(400, 40), run.pick(800, 40))
    one(run, table, "address", 10, 60, 6, run.pick(10_000, 200), run.pick(10_000, 200))
    table.note("By registry: a real ZooKeeper, so Dubbo's router chain runs in mode off; lanes decide in its place in "
               "mode on. By address: no router chain runs in either mode; what is seen is the carriers' and the hooks' "
               "cost and Dubbo's pick on our plain list, so it is no goal.")
    table.note("Observe decides and leaves the choice to Dubbo: its chain runs as in mode off, so with many providers "
               "observe costs what off costs, and a decision.")
    table.note("A turn is four windows, on, off, off, on; a fifth of a window after each switch does not count.")
    table.note("Half of the calls are tagged where it does not say otherwise; no provider is gray, so both modes pick "
               "among as many.")
    table.show()
