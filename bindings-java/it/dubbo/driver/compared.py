"""All that a registry holds, and all that a call carries, beside a process that never had the library."""

import base64
import json
import re
import time
from urllib.parse import unquote

from driver.asking import NOTICE_SECONDS
from driver.beds import ZooKeeper, free_port

ROOTS = ("/dubbo", "/services")
# What differs between two processes that are equal: when they started, and which they are.
OWN = re.compile(r'((?:timestamp|pid|registrationTimeUTC|instance-timestamp)(?:=|"\s*:\s*)"?)\d+')
# A registry that has changed for so long no more is taken to be whole.
STILL_SECONDS = 3


def ordered(text):
    """JSON in one order: Dubbo writes maps of the JDK's, whose order is another one in each process."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    if isinstance(data, dict) and "types" in data:  # 2.7 lists the values of such a map
        data = whole(data, data)
        data["types"].sort(key=lambda one: json.dumps(one, sort_keys=True))
    return json.dumps(data, sort_keys=True)


def whole(data, top):
    """What 2.7's JSON writes once and then names by its place, as `{"$ref": "$.types[1].properties.stack"}`."""
    data = at_place(data, top)
    if isinstance(data, list):
        return [whole(one, top) for one in data]
    return {key: whole(value, top) for key, value in data.items()} if isinstance(data, dict) else data


def at_place(data, top):
    while isinstance(data, dict) and list(data) == ["$ref"] and data["$ref"].startswith("$."):
        place, data = data["$ref"], top
        for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", place):
            data = at_place(data, top)[key or int(index)]
    return data


class Registry:
    """A ZooKeeper of its own, so that nobody else's entries are in it."""

    def __init__(self, topology):
        folder = topology.folder / "compared"
        folder.mkdir()
        self.topology = topology
        self.zookeeper = topology.programs["zookeeper-compared"] = ZooKeeper(folder)
        self.address = f"zookeeper://127.0.0.1:{self.zookeeper.port}"
        self.port = free_port()
        self.count = 0

    def held(self):
        """Every node and its data, but for what is a process's own."""
        nodes = {}
        for root in ROOTS:
            for node in filter(None, self.zookeeper.order("tree", root).split(" ")):
                path, data = node.split("=", 1)
                text = base64.b64decode(data).decode(errors="replace")
                nodes[OWN.sub(r"\1*", unquote(path))] = OWN.sub(r"\1*", ordered(text))
        return nodes

    def still(self):
        """What it holds when a provider is there and nothing has changed for a while."""
        since, seen, end = time.monotonic(), {}, time.monotonic() + NOTICE_SECONDS
        while time.monotonic() < end:
            now = self.held()
            if now != seen:
                since, seen = time.monotonic(), now
            elif time.monotonic() - since > STILL_SECONDS and any("/providers/" in path for path in now):
                return now
            time.sleep(0.1)
        raise RuntimeError(f"no provider, or no rest, in {NOTICE_SECONDS} s: {seen}")

    def start(self, **more):
        """The same provider and consumer as every other time."""
        self.count += 1
        name = f"compared-{self.count}"
        node = self.topology.node(
            name, registry=self.address, app="x", group="x", port=self.port, next="c", http=1, **more
        )
        node.ready()
        return node

    def clear(self):
        for root in ROOTS:
            self.zookeeper.order("clear", root)


def between(one, other):
    """Nodes that are not in both with the same data; short enough to be read."""
    return [f"{path}: {one.get(path)} / {other.get(path)}" for path in sorted(one.keys() | other.keys())
            if one.get(path) != other.get(path)][:4]  # fmt: skip


def entries(topology, check):
    """Whole registries: with the library off, observing, untagged, and gone again, beside one that never saw it."""
    registry = Registry(topology)
    off = topology.folder / "compared" / "off.yaml"
    off.write_text("apiVersion: trilane/v1\nmode: off\n")
    ours = {"library": topology.library}

    def entry(clear=True, **more):
        if clear:
            registry.clear()
        node = registry.start(**more)
        held = registry.still()
        node.stop()
        return held

    never, again = entry(), entry()
    check("two processes without the library leave the same registry", again == never, str(between(again, never)))
    for what, more in (
        ("off at start, tagged", {"tag": "gray", "environment": {"TRILANE_MODE": "off"}}),
        ("off by the rule file, tagged", {"tag": "gray", "rules": off}),
        ("observing, tagged", {"tag": "gray", "environment": {"TRILANE_MODE": "observe"}}),
        ("on, untagged", {}),
    ):
        held = entry(**ours, **more)
        check(f"{what}: the registry is as without the library", held == never, str(between(held, never)))
    registry.clear()
    node = registry.start(tag="gray", **ours)
    tagged = registry.still()
    ok = any("dubbo.tag=gray" in path for path in tagged) and tagged != never
    check("on, tagged: the registry says so", ok, str(between(tagged, never)))
    node.process.terminate()  # as it ends in life: it takes its own entries away
    node.process.wait(NOTICE_SECONDS)
    held = entry(clear=False)
    check("restarted without the library: no trace is left of it", held == never, str(between(held, never)))

