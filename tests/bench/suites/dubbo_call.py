"""CPU of a consumer per real Dubbo call, its mode switched by the rule file."""

from . import dubbo_router, machine
from .machine import JAVA_FLAGS, LIBRARY

prepare = dubbo_router.prepare
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


def one(run, table, providers, seconds, count, batch):
    port = machine.free_port()
    path = f"{dubbo_router.classes()}:{dubbo_router.JARS}/*"
    plain = ["java", *JAVA_FLAGS, "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", path]
    env = machine.environment()
    agent = [f"-Xbootclasspath/a:{machine.boot_classes()}", f"-agentpath:{LIBRARY}"]
    consumer = [plain[0], *agent, *plain[1:], "bench.CallClient", port, providers]
    with machine.Child([*plain, "bench.CallServer", port], env, machine.CACHE / "call-server.log") as server:
        server.wait_line("^ready$")
        switch = machine.Switch("dubbo-lanes.yaml", RULES)
        env = {**env, "TRILANE_RULES": str(switch.path)}
        with machine.Child(consumer, env, machine.CACHE / "call-client.log") as client:
            client.wait_line("^ready$")
            warm_up(run, client, switch, batch)
            seen = {"off": [], "on": []}
            for _ in machine.turns(run, f"dubbo-call, {providers:,} providers", seconds, 20, 2):
                machine.abba(seen, switch, client, lambda: call(client, count // 5),
                             lambda: 1e6 * call(client, count) / count)
    table.add(f"{providers:,} providers: mode off", "µs", seen["off"])
    table.add(f"{providers:,} providers: mode on", "µs", seen["on"])
    ratio = [on / off for on, off in zip(seen["on"], seen["off"])]
    table.add(f"{providers:,} providers: on beside off", "x", ratio, 1.0, 1.0)


def measure(run):
    table = run.table("dubbo-call", "CPU of a dubbo-java 3.3.6 consumer per call, mode off and on alternated")
    one(run, table, 10, 270, run.pick(10_000, 200), run.pick(10_000, 200))
    one(run, table, 1000, 60, run.pick(400, 40), run.pick(800, 40))
    table.note("Providers by address, so no router chain runs in either mode: what is seen is the carriers' and the "
               "hooks' cost and the pick on our plain list instead of Dubbo's.")
    table.note("A turn is four windows, on, off, off, on; a fifth of a window after each switch does not count.")
    table.note("Half of the calls are tagged; no provider is gray, so both modes pick among as many.")
    table.show()
