"""CPU of a consumer per real Dubbo call, its hooks switched on and off in turns (docs/figures.md says how)."""

import time

from . import dubbo_router, machine
from .machine import JAVA_FLAGS, LIBRARY

prepare = dubbo_router.prepare
ALONE_SECONDS, OBSERVE_SECONDS = 40, 150
# The engine has to be told of observe, by the rule file: a switch takes half a second, so windows are longer.
OBSERVE_TIMES = 4
RULES = "apiVersion: trilane/v1\nmode: {mode}\nlanes:\n  - {{tag: gray}}\n"


def call(client, count, kind="mixed"):
    """CPU seconds of the consumer for so many calls: "tagged", "untagged", or half of each."""
    mark, begin = client.mark(), client.cpu()
    client.tell(f"{count} {kind}")
    client.wait_line("^done$", since=mark)
    return client.cpu() - begin


class Push:
    """The consumer's hooks, switched inside it as the agent does; waiting for a rule file takes as long as a window."""

    def __init__(self):
        self.mode = "on"

    def to(self, client, mode):
        """Seconds until it was in force; 0 when it was already."""
        if mode == self.mode:
            return 0.0
        mark, begin = client.mark(), time.monotonic()
        client.tell(f"mode {mode}")
        client.wait_line("^switched$", since=mark)
        self.mode = mode
        return time.monotonic() - begin


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
            push = Push()
            warm_up(run, client, push, batch)
            off, on = beside(run, f"dubbo-call, {name}", ("off", "on"), seconds, least, (push, client, count, "mixed"))
            table.add(f"{name}: mode off", "µs", off)
            table.add(f"{name}: mode on", "µs", on)
            table.add(f"{name}: on beside off", "x", ratios(on, off), goal, 1.0)
            for kind in ("untagged", "tagged") if compared else ():
                off, on = beside(run, kind, ("off", "on"), ALONE_SECONDS, 6, (push, client, count, kind))
                table.add(f"{name}, {kind} calls alone: on beside off", "x", ratios(on, off), None, 1.0)
            if compared:
                push.to(client, "on")
                on, observe = beside(run, "observe", ("on", "observe"), OBSERVE_SECONDS, 20,
                                     (switch, client, OBSERVE_TIMES * count, "mixed"))
                table.add(f"{name}: observe beside on", "x", ratios(observe, on), 1.2, 1.0)


def measure(run):
    table = run.table("dubbo-call", "CPU of a dubbo-java 3.3.6 consumer per call, mode off and on alternated")
    one(run, table, "registry", 10, 720, 20, run.pick(1000, 200), run.pick(10_000, 200))
    one(run, table, "registry", 1000, 40, 20, run.pick(400, 40), run.pick(800, 40))
    one(run, table, "address", 10, 30, 20, run.pick(1000, 200), run.pick(10_000, 200))
    table.note("By registry: a real ZooKeeper, so Dubbo's router chain runs in mode off; lanes decide in its place in "
               "mode on. By address: no router chain runs in either mode; what is seen is the carriers' and the hooks' "
               "cost and Dubbo's pick on our plain list, so it is no goal.")
    table.note("Observe decides and leaves the choice to Dubbo: its chain runs as in mode off, so with many providers "
               "observe costs what off costs, and a decision.")
    table.note("A turn is four windows of 1,000 calls, 400 with 1,000 providers: on, off, off, on; a fifth of a window "
               "after each switch does not count. On and off are switched inside the consumer, by what the agent calls "
               "when the mode changes; observe by the rule file.")
    table.note("Half of the calls are tagged where it does not say otherwise; no provider is gray, so both modes pick "
               "among as many.")
    table.show()
