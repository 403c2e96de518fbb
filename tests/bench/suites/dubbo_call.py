"""CPU of a consumer per real Dubbo call, its mode switched by the rule file."""

from . import dubbo_router, machine
from .machine import JAVA_FLAGS, LIBRARY

prepare = dubbo_router.prepare
OBSERVED_SECONDS = 60
RULES = "apiVersion: trilane/v1\nmode: {mode}\nlanes:\n  - {{tag: gray}}\n"


def call(client, count):
    """CPU seconds of the consumer for so many calls."""
    mark, begin = client.mark(), client.cpu()
    client.tell(str(count))
    client.wait_line("^done$", since=mark)
    return client.cpu() - begin


def warm_up(run, client, switch, batch):
    def step(number):
        switch.to(client, "on" if number // 2 % 2 else "off")
        return call(client, batch) / batch

    machine.settle(step, run.pick(12, 5), run.pick(30, 5))


def one(run, table, known, providers, seconds, count, batch):
    port = machine.free_port()
    compared = known == "registry" and providers == 10
    path = f"{dubbo_router.classes()}:{dubbo_router.JARS}/*"
    plain = ["java", *JAVA_FLAGS, "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
             "-Ddubbo.application.service-discovery.migration=FORCE_INTERFACE", "-cp", path]
    env = machine.environment()
    agent = [f"-Xbootclasspath/a:{machine.boot_classes()}", f"-agentpath:{LIBRARY}"]
    consumer = [plain[0], *agent, *plain[1:], "bench.CallClient", known]
    with machine.Child([*plain, "bench.CallServer", port, providers], env, machine.CACHE / "call-server.log") as server:
        registry = server.wait_line("^ready ").split()[1]
        consumer += [registry if known == "registry" else port, providers]
        switch = machine.Switch("dubbo-lanes.yaml", RULES)
        env = {**env, "TRILANE_RULES": str(switch.path)}
        with machine.Child(consumer, env, machine.CACHE / "call-client.log") as client:
            client.wait_line("^ready$")
            warm_up(run, client, switch, batch)
            seen = {"off": [], "on": []}
            for _ in machine.turns(run, f"dubbo-call, {providers:,} by {known}", seconds, 20, 2):
                machine.abba(seen, switch, client, lambda: call(client, count // 5),
                             lambda: 1e6 * call(client, count) / count)
            watched = {"on": [], "observe": []}
            for _ in machine.turns(run, f"{known}, observe", OBSERVED_SECONDS, 6, 2) if compared else ():
                machine.abba(watched, switch, client, lambda: call(client, count // 5),
                             lambda: 1e6 * call(client, count) / count)
    name = f"{providers:,} providers by {known}"
    table.add(f"{name}: mode off", "µs", seen["off"])
    table.add(f"{name}: mode on", "µs", seen["on"])
    ratio = [on / off for on, off in zip(seen["on"], seen["off"])]
    table.add(f"{name}: on beside off", "x", ratio, 1.0 if known == "registry" else None, 1.0)
    if compared:
        ratio = [observe / on for observe, on in zip(watched["observe"], watched["on"])]
        table.add(f"{name}: observe beside on", "x", ratio, 1.2, 1.0)


def measure(run):
    table = run.table("dubbo-call", "CPU of a dubbo-java 3.3.6 consumer per call, mode off and on alternated")
    one(run, table, "registry", 10, 200, run.pick(10_000, 200), run.pick(10_000, 200))
    one(run, table, "registry", 1000, 60, run.pick(400, 40), run.pick(800, 40))
    one(run, table, "address", 10, 100, run.pick(10_000, 200), run.pick(10_000, 200))
    table.note("By registry: a real ZooKeeper, so Dubbo's router chain runs in mode off; lanes decide in its place in "
               "mode on. By address: no router chain runs in either mode; what is seen is the carriers' and the hooks' "
               "cost and Dubbo's pick on our plain list, so it is no goal.")
    table.note("Observe decides and leaves the choice to Dubbo: its chain runs as in mode off, so with many providers "
               "observe costs what off costs, and a decision.")
    table.note("A turn is four windows, on, off, off, on; a fifth of a window after each switch does not count.")
    table.note("Half of the calls are tagged; no provider is gray, so both modes pick among as many.")
    table.show()
