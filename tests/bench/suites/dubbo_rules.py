"""A decision by Dubbo's rules beside dubbo-java's and dubbo-go's own routers: the same rules, the same lists."""

import json
import os
import subprocess
import sys

from . import machine
from .machine import JAVA_FLAGS, ROOT

sys.path.insert(0, str(ROOT / "tests" / "rules" / "dubbo"))
import oracles  # noqa: E402

SIZES = (10, 1_000, 10_000)
REGIONS = ("hangzhou", "beijing", "shanghai", "shenzhen")
MOST_NS = 150.0
BINARY = "bench-dubbo-rules"
HEAD = "key: demo.Greeting\nforce: false\nenabled: true\n"
MESH = """apiVersion: service.dubbo.apache.org/v1alpha1
kind: DestinationRule
metadata: {name: demo}
spec:
  host: demo.Greeting
  subsets: [{name: a, labels: {region: hangzhou}}, {name: b, labels: {region: beijing}}]
---
apiVersion: service.dubbo.apache.org/v1alpha1
kind: VirtualService
metadata: {name: demo}
spec:
  hosts: [demo.Greeting]
  dubbo:
  - routedetail:
    - match: [{method: {name_match: {exact: save}}}]
      route: [{destination: {host: demo, subset: b}}]
    - match: [{method: {name_match: {prefix: hel}}, attachments: {dubboContext: {user: {exact: u1}}}}]
      route: [{destination: {host: demo, subset: a}, weight: 20}, {destination: {host: demo, subset: b}, weight: 80}]
"""


def cases(size):
    """(name, dialect, rules, request) of what is asked over a list of this size."""
    gray = [address(n) for n in range(0, size, max(1, size // 10))][:10]
    tag = f"configVersion: v3.0\n{HEAD}tags:\n- name: gray\n  addresses: {json.dumps(gray)}\n"
    old = f"configVersion: v3.0\n{HEAD}conditions:\n- method=hel* => region=hangzhou\n".replace("force: false", "force: true")
    new = (f"configVersion: v3.1\n{HEAD}conditions:\n- from: {{match: \"method=hello\"}}\n  to:\n"
           "  - {match: region=hangzhou, weight: 20}\n  - {match: region=beijing, weight: 80}\n")
    near = f"configVersion: v3.1\n{HEAD}affinityAware: {{key: region, ratio: 10}}\n".replace("force: false\n", "")
    yield "tag rule of 10 addresses, tag gray", "dubbo-tag", tag, {"tag": "gray"}
    yield "tag rule of 10 addresses, no tag", "dubbo-tag", tag, {}
    yield "condition v3.0", "dubbo-condition", old, {}
    yield "condition v3.1, two weights", "dubbo-condition", new, {}
    yield "mesh rule, two weights", "dubbo-mesh", MESH, {}
    yield "affinity rule", "dubbo-affinity", near, {}


def address(n):
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:20880"


def questions():
    for size in SIZES:
        instances = [{"id": str(n), "host": address(n).split(":")[0], "port": 20880,
                      "labels": {"region": REGIONS[n % len(REGIONS)]}} for n in range(size)]
        for name, dialect, rules, more in cases(size):
            request = {"method": "hello", "args": [], "attachments": {"user": "u1"}, **more}
            yield {"id": f"{size:,}, {name}", "dialect": dialect, "service": "demo.Greeting", "rules": rules,
                   "instances": instances, "caller": {"service": "shop", "labels": {"region": "hangzhou"}}, "request": request}


def binary():
    return machine.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / BINARY


def prepare(_run):
    machine.need("cargo", "https://rustup.rs")
    machine.command(["cargo", "build", "--quiet", "--release", "-p", "trilane-tests", "--bin", BINARY],
                    title=f"build {BINARY} (cargo)")
    oracles.prepare(["java", "go"])


def ask(command, some):
    text = "".join(json.dumps(question) + "\n" for question in some)
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True,
                          env=machine.environment())
    if done.returncode != 0:
        raise machine.Unusable(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}


def measure(run):
    table = run.table("dubbo-rules", "a decision by Dubbo's rules beside the routers of dubbo-java 3.3.6 and dubbo-go "
                      "3.3.2, CPU time of the calling thread")
    windows, warm = str(run.pick(15, 6)), str(run.pick(1_000, 50))
    asked = list(questions())
    ours = ask([binary(), windows, warm], asked)
    quiet = ["-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", f"{oracles.CLASSES}:{oracles.JARS}/*"]
    java = ask(["java", *JAVA_FLAGS, *quiet, "oracle.Timer", windows, warm], asked)
    go = ask([oracles.GO, "time", windows, warm], [q for q in asked if q["dialect"] != "dubbo-mesh"])
    for question in asked:
        name = question["id"]
        table.add(f"{name}: ours, decide and pick", "ns", ours[name]["ns"], MOST_NS)
        for peer, of in (("dubbo-java's router", java), ("dubbo-go's router", go)):
            if name in of:
                table.add(f"{name}: {peer}", "µs", [ns / 1000 for ns in of[name]["ns"]])
                ratio = [a / b for a, b in zip(ours[name]["ns"], of[name]["ns"])]
                table.add(f"{name}: ours beside {peer}", "x", ratio, 1.0, 1.0)
    most = max(answer["allocations"] for answer in go.values())
    made = max(answer["made"] for answer in ours.values()) / 1e6
    table.note(f"Theirs end before the pick. dubbo-go's routers made up to {most:,.0f} allocations a call.")
    table.note(f"Reading the rules and indexing the list, once for both: at most {made:.1f} ms of CPU here.")
    table.show()
