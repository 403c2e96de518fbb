"""Triple's streams, and answers that are made later: every message of a call is in the call's lane."""

import subprocess

from driver.asking import answers, until
from driver.beds import HERE, free_port

SOURCES = HERE / "streams"


def build(folder):
    """The programs, against the bed's own jars; needs no network."""
    made, lib = SOURCES / "target" / folder, HERE / folder / "target"
    made.mkdir(parents=True, exist_ok=True)
    command = ["javac", "--release", "11", "-nowarn", "-cp", f"{lib}/{folder}.jar:{lib}/lib/*", "-d", made]
    subprocess.run([*command, *SOURCES.glob("*.java")], check=True)
    return made


def streams(topology, check):
    """Two providers with two threads each, called with tags and without; both ask c for every message."""
    bed, more = topology.bed, {"main": "it.Streams", "library": topology.library}
    more["classes"] = build(bed.folder)
    for copy in ("base", "gray"):
        tag = "" if copy == "base" else copy
        topology.node(f"s-{copy}", app="s", tag=tag, port=free_port(), **more)
    for copy in ("base", "gray"):
        topology.programs[f"s-{copy}"].ready()
    front = topology.node("s-front", http=1, **more)
    front.ready()
    until(front, "s-gray > c-gray + c-gray", "/mono", x_mse_tag="gray")
    one = {"gray": "s-gray > c-gray", "": "s-base > c-base", "blue": "s-base > c-base"}
    for path, wanted, what in (
        ("/many", lambda hop: ", ".join([hop] * 3), "a stream of answers"),
        ("/both", lambda hop: ", ".join([hop] * 3), "a stream of requests"),
        ("/mono", lambda hop: f"{hop} + {hop.split(' > ')[1]}", "an answer that Reactor makes"),
    ):
        got = {tag: answers(front, 10, path, x_mse_tag=tag) for tag in one}
        ok = all(got[tag] == [wanted(hop)] for tag, hop in one.items())
        check(f"{what}: each message is in its call's lane", ok, str(got))
    mixed = []
    for tag in ("gray", "", "blue") * 8:
        front.get("/failing", x_mse_tag="gray")
        mixed.append(front.get("/both", x_mse_tag=tag)[1] == ", ".join([one[tag]] * 3))
    check("after streams that failed the provider's threads are clean", all(mixed), str(mixed))
