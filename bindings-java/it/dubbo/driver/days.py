"""Odd arrangements and bad days, on a topology that runs: what Dubbo decides itself, and where the lanes must hold."""

import subprocess
from urllib.parse import quote

from driver.asking import answers, until
from driver.beds import ZooKeeper, free_port
from driver.compared import entries

import neighbours  # noqa: E402, I001 (driver.beds says where it is)

SECOND_ADDRESS = "192.0.2.11"


def mocked(topology, check):
    """An address that only stands for mock answers is never met by an ordinary call."""
    front, path = topology.programs["front"], "/dubbo/it.Chain/providers/"
    url = "mock://127.0.0.1:1/it.Chain?interface=it.Chain&group=a&application=a&category=providers&mock=return+null"
    node = path + quote(url, safe="")
    topology.zookeeper.put(node, "192.0.2.10")
    late = until(front, "a-gray > c-gray", x_mse_tag="gray")
    got = [answers(front, 20, x_mse_tag=tag) for tag in ("gray", "", "blue")]
    topology.zookeeper.delete(node)
    wanted = [["a-gray > c-gray"], ["a-base > c-base"], ["a-base > c-base"]]
    check("beside a mock:// address the lanes are whole", late is not None and got == wanted, str(got))


def grouped(topology, check):
    """Several groups by one reference: Dubbo decides that hop, and the lane holds by the tag that it reads itself."""
    front = topology.programs["front"]
    for tag, copy in (("gray", "gray"), ("", "base")):
        got = answers(front, 10, "/groups", x_mse_tag=tag)
        ok = set(got) <= {f"a-{copy} > c-{copy}", f"c-{copy}"} and got
        check(f"a reference of several groups stays in the lane for tag '{tag}'", bool(ok), str(got))


def same_port(topology, check):
    """Two copies that differ by their address alone."""
    done = subprocess.run(["ip", "addr", "replace", f"{SECOND_ADDRESS}/24", "dev", "eth0"], capture_output=True, text=True)
    if done.returncode:
        return f"no second address: {done.stderr.strip()}"
    port, copies = free_port(), {"base": "192.0.2.10", "gray": SECOND_ADDRESS}
    for copy, address in copies.items():
        more = {"DUBBO_IP_TO_BIND": address, "DUBBO_IP_TO_REGISTRY": address}
        tag = "" if copy == "base" else copy
        topology.node(f"same-{copy}", library=topology.library, tag=tag, app="same", group="same", port=port, **more)
    for copy in copies:
        topology.programs[f"same-{copy}"].ready()
    front = topology.programs["front"]
    late = until(front, "same-gray", "/same", x_mse_tag="gray")
    got = [answers(front, 20, "/same", x_mse_tag=tag) for tag in ("gray", "", "blue")]
    wanted = [["same-gray"], ["same-base"], ["same-base"]]
    check("copies on different addresses with one port are told apart", late is not None and got == wanted, str(got))
    return None


def registries(topology, check):
    """A consumer of two registries: the directory of each decides."""
    folder = topology.folder / "second"
    folder.mkdir()
    second = topology.programs["zookeeper-2"] = ZooKeeper(folder)
    both = f"{topology.registry},zookeeper://127.0.0.1:{second.port}"
    consumer = topology.node("two", library=topology.library, next="a", http=1, registry=both)
    consumer.ready()
    late = until(consumer, "a-gray > c-gray", x_mse_tag="gray")
    got = [answers(consumer, 20, x_mse_tag=tag) for tag in ("gray", "", "blue")]
    wanted = [["a-gray > c-gray"], ["a-base > c-base"], ["a-base > c-base"]]
    check("a consumer of two registries keeps the lanes", late is not None and got == wanted, str(got))


def checked(topology, check):
    """-Xcheck:jni in a consumer: no warning whose frames are ours."""
    flags = ["-Xcheck:jni"]
    consumer = topology.node("checked", library=topology.library, next="a", http=1, flags=flags)
    consumer.ready()
    late = until(consumer, "a-gray > c-gray", x_mse_tag="gray")
    got = [answers(consumer, 10, path, x_mse_tag=tag) for path in ("/chain", "/later") for tag in ("gray", "")]
    wanted = [["a-gray > c-gray"], ["a-base > c-base"]] * 2
    check("with -Xcheck:jni the lanes are whole", late is not None and got == wanted, str(got))
    lines = [*consumer.log.read_text(errors="replace").splitlines(), *consumer.other]
    bad = []
    for at, line in enumerate(lines):
        if "WARNING in native method" in line or "FATAL ERROR in native method" in line:
            frames = [one for one in lines[at + 1 : at + 6] if one.strip().startswith("at ")]
            if not frames or any("java.trilane" in frame for frame in frames):
                bad.append(line)
    check("and no warning is about ours", not bad, str(bad[:3]))


def agents(topology, check):
    """Other people's agents in front of ours and behind it."""
    skipped = []
    for name in ("opentelemetry", "skywalking", "jacoco", "ttl"):
        folder = topology.folder / name
        folder.mkdir(exist_ok=True)
        try:
            theirs = neighbours.options(name, folder)
        except neighbours.Missing as why:
            skipped.append(f"{name}: {why}")
            continue
        for word in ("first", "last"):
            ours = [f"-agentpath:{topology.library}"]
            both = theirs + ours if word == "first" else ours + theirs
            consumer = topology.node(f"{name}-{word}", next="a", http=1, flags=["-Xmx320m", *both])
            consumer.ready()
            late = until(consumer, "a-gray > c-gray", x_mse_tag="gray")
            got = [answers(consumer, 20, x_mse_tag=tag) for tag in ("gray", "", "blue")]
            wanted = [["a-gray > c-gray"], ["a-base > c-base"], ["a-base > c-base"]]
            check(f"{name} {word}: the lanes are whole", late is not None and got == wanted, str(got))
            consumer.stop()
    return "; ".join(skipped) or None


def all_tagged(topology, check):
    """Only a gray copy is left, and the rules say that everybody may be served by it."""
    rules = topology.folder / "open.yaml"
    rules.write_text("apiVersion: trilane/v1\nservices: [{name: c, baseline_missing: all}]\n")
    consumer = topology.node("open", library=topology.library, rules=rules, next="c", http=1)
    consumer.ready()
    until(consumer, "c-base")
    topology.programs["c-base"].kill()
    late = until(consumer, "c-gray")
    got = [answers(consumer, 20, x_mse_tag=tag) for tag in ("", "gray", "blue")]
    # A tagged call's chain that ends at an empty baseline fails all the same.
    ok = late is not None and got[:2] == [["c-gray"], ["c-gray"]] and "c-gray" not in got[2]
    check("`baseline_missing: all` serves untagged calls by the last, gray copy, and only those", ok, str(got)[:300])


DAYS = [mocked, grouped, same_port, registries, checked, agents, all_tagged, entries]
