"""CPU of a consumer per real Dubbo call, its mode switched by the rule file."""

from . import dubbo_router, machine
from .machine import JAVA_FLAGS, LIBRARY, RULES_WORD

prepare = dubbo_router.prepare
RULES = "apiVersion: trilane/v1\nmode: {}\nlanes:\n  - {{tag: gray}}\n"


def rules(mode):
    path = machine.CACHE / "dubbo-lanes.yaml"
    machine.put(path, RULES.format(mode))
    return path


def call(client, count):
    """CPU seconds of the consumer for so many calls."""
    mark, begin = client.mark(), client.cpu()
    client.tell(str(count))
    client.wait_line("^done$", since=mark)
    return client.cpu() - begin


def switch(client, mode):
    mark = client.mark()
    rules(mode)
    client.wait_line(RULES_WORD, since=mark, budget=30)


def one(run, table, providers, count, warm):
    port = machine.free_port()
    path = f"{dubbo_router.classes()}:{dubbo_router.JARS}/*"
    plain = ["java", *JAVA_FLAGS, "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", path]
    env = machine.environment()
    agent = [f"-Xbootclasspath/a:{machine.boot_classes()}", f"-agentpath:{LIBRARY}"]
    consumer = [plain[0], *agent, *plain[1:], "bench.CallClient", port, providers]
    with machine.Child([*plain, "bench.CallServer", port], env, machine.CACHE / "call-server.log") as server:
        server.wait_line("^ready$")
        env = {**env, "TRILANE_RULES": str(rules("on"))}
        with machine.Child(consumer, env, machine.CACHE / "call-client.log") as client:
            client.wait_line("^ready$")
            for mode in ("on", "off", "on"):
                switch(client, mode)
                call(client, warm // 3)
            mode, seen = "on", {"off": [], "on": []}
            for pair in range(run.pick(31, 3)):
                for wanted in ("on", "off") if pair % 2 == 0 else ("off", "on"):
                    if wanted != mode:
                        switch(client, wanted)
                        call(client, count // 5)
                        mode = wanted
                    seen[mode].append(1e6 * call(client, count) / count)
    table.add(f"{providers:,} providers: mode off", "µs", seen["off"])
    table.add(f"{providers:,} providers: mode on", "µs", seen["on"])
    ratio = [on / off for on, off in zip(seen["on"], seen["off"])]
    table.add(f"{providers:,} providers: on beside off", "x", ratio, 1.0, 1.0)


def measure(run):
    table = run.table("dubbo-call", "CPU of a dubbo-java 3.3.6 consumer per call, mode off and on alternated")
    one(run, table, 10, run.pick(4000, 200), run.pick(60_000, 600))
    one(run, table, 1000, run.pick(400, 40), run.pick(6000, 120))
    table.note("Providers by address, so no router chain runs in either mode: what is seen is the carriers' and the "
               "hooks' cost and the pick on our plain list instead of Dubbo's.")
    table.note("Half of the calls are tagged; no provider is gray, so both modes pick among as many.")
    table.show()
