"""What is expected of a Spring Cloud service; the same for every version of Spring Boot and Java."""

import http.client
import json
import os
import queue
import re
import subprocess
import tempfile
import threading

import bed
import statuspage

RULES = """\
apiVersion: trilane/v1
mode: {mode}
lanes:
  - {{tag: gray}}
services:
  - name: open
    baseline_missing: all
  - name: next
    mode: {next_mode}
{authorities}
entry:
  - service: caller
    rules:
      - {{when: {{header: {{x-tester: "yes"}}}}, lane: gray}}
      - {{when: {{header: {{x-name: "Zoë"}}}}, lane: gray}}
      - {{lane: gray, percent: 10, key: {{header: x-user-id}}, salt: "autumn"}}
"""
SIMPLE = "--spring.cloud.discovery.client.simple.instances."
HOPS = ["/rt/next", "/rt/chance", "/feign"]
THREADS = ["/async", "/future", "/simple", "/callable", "/deferred", "/start"]


class Rules(statuspage.RuleFile):
    """A rule file with this program's services."""

    def __init__(self):
        super().__init__(os.path.join(tempfile.mkdtemp(prefix="trilane-rules-"), "lanes.yaml"))
        self.write()

    def write(self, mode="on", next_mode="on", authorities=()):
        listed = ", ".join(f'"{a}"' for a in authorities)
        text = RULES.format(
            mode=mode, next_mode=next_mode, authorities=f"    authorities: [{listed}]" if listed else ""
        )
        self.put(text)


class World:
    """One caller in a JVM, and the servers that it calls."""

    def __init__(self, home, jar, library, rules, rest_client, extra=(), flags=(), environment=None, start=(), **more):
        self.base, self.gray, self.other = bed.Echo("base"), bed.Echo("gray"), bed.Echo("other")
        self.rules = rules
        self.hops = HOPS + (["/rc"] if rest_client else [])
        port = bed.free_port()
        arguments = [*(start or ["-jar", jar]), f"--server.port={port}", *self.instances(), *extra]
        option = f"trilane.rules={rules.path}" if rules else None
        self.jvm = bed.Jvm(
            home, arguments, "Started App in", port, option, library if rules else None, flags, environment, **more
        )
        self.ask = self.jvm.ask
        if rules:
            rules.pid = self.jvm.process.pid

    def instances(self):
        both = [(self.base, None), (self.gray, "gray")]
        services = {"next": both, "chance": both, "solo": both[1:], "open": both[1:]}
        for service, members in services.items():
            for at, (echo, tag) in enumerate(members):
                yield f"{SIMPLE}{service}[{at}].uri=http://{echo.authority}"
                yield f"{SIMPLE}{service}[{at}].metadata[version]=v{at + 1}"
                if tag:
                    yield f"{SIMPLE}{service}[{at}].metadata[alicloud.service.tag]={tag}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.jvm.__exit__()


def expect(answer, who, tag, what):
    got = (answer["who"], answer["tag"])
    if got != (who, tag):
        raise AssertionError(f"{what}: reached {got[0]} with tag {got[1]}, expected {who} with tag {tag}")


def tagged(world):
    for hop in world.hops:
        for _ in range(10):
            expect(world.ask(hop, x_mse_tag="gray"), "gray", "gray", hop)


def untagged(world):
    for hop in world.hops:
        for _ in range(10):
            expect(world.ask(hop), "base", None, hop)


def unknown(world):
    for hop in world.hops:
        for _ in range(5):
            expect(world.ask(hop, x_mse_tag="dev-7"), "base", "dev-7", hop)


def malformed(world):
    for value in ["gray gray", "g/../ray", "x" * 64, "gr\xe4y", ""]:
        expect(world.ask("/rt/next", x_mse_tag=value), "base", None, repr(value))


def own_header_of_the_caller(world):
    """Baggage that carries the tag is read; it is not made where the request has none."""
    member = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"
    answer = world.ask("/rt/next", baggage="user=7," + member)
    expect(answer, "gray", "gray", "baggage")
    if answer["baggage"] is not None:
        raise AssertionError(f"baggage was made for a call that had none: {answer['baggage']}")


def threads(world):
    for path in THREADS:
        for tag, who, wire in [("gray", "gray", "gray"), ("dev-7", "base", "dev-7")]:
            expect(world.ask(path, x_mse_tag=tag), who, wire, path)
        for _ in range(8):
            expect(world.ask(path), "base", None, path + " afterwards")


def traced(world):
    """A call with nothing but a request's id is balanced, and written, with the tag that came with that id."""
    expect(world.ask("/alone?id=known"), "base", None, "an id that no request brought")
    world.ask("/rt/next", x_mse_tag="gray", x_request_id="known")
    for _ in range(5):
        expect(world.ask("/alone?id=known"), "gray", "gray", "a known id")
        expect(world.ask("/alone?id=other"), "base", None, "another id")
        expect(world.ask("/alone", x_mse_tag="gray"), "base", None, "no id")


def clean_connection(world):
    """The request after an asynchronous one, on the same connection and so on Tomcat's same request object."""
    connection = world.jvm.connect()
    for path in ["/deferred", "/callable", "/start", "/rt/next"]:
        expect(world.ask(path, connection, x_mse_tag="gray"), "gray", "gray", path)
        for after in ["/rt/next", "/deferred", "/callable"]:
            expect(world.ask(after, connection), "base", None, f"{after} after {path}")


def http2(world):
    """Streams of one HTTP/2 connection come in by the same door."""
    program = os.path.join(bed.HERE, "http2", "Http2.java")
    url = f"http://127.0.0.1:{world.jvm.port}/rt/next"
    # Source is run by a whole JDK; the shop's may be a runtime without a compiler.
    whole = os.path.exists(os.path.join(world.jvm.home, "bin", "javac"))
    java = os.path.join(world.jvm.home, "bin", "java") if whole else "java"
    command = [java, "-Xmx64m", program, url, "gray", "-", "dev-7", "-", "gray"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = [("gray", "gray"), ("base", None), ("base", "dev-7"), ("base", None), ("gray", "gray")]
    if [line.split(" ", 1)[0] for line in said] != ["HTTP_2"] * 5:
        raise AssertionError(f"not HTTP/2: {said}")
    for line, (who, tag) in zip(said, expected, strict=True):
        expect(json.loads(line.split(" ", 1)[1]), who, tag, "a stream")


def failed_request(world):
    """A request that ends by an error leaves nothing behind on its thread."""
    connection = world.jvm.connect()
    for _ in range(20):
        status, _ = world.jvm.get("/plain?url=nonsense", connection, x_mse_tag="gray")
        if status < 400:
            raise AssertionError(f"/plain?url=nonsense answered {status}")
        if connection.sock is None:
            connection = world.jvm.connect()
        expect(world.ask("/rt/next", connection), "base", None, "after an error")


def entry_header(world):
    expect(world.ask("/rt/next", x_tester="yes"), "gray", "gray", "x-tester: yes")
    expect(world.ask("/rt/next", x_tester="no"), "base", None, "x-tester: no")
    # Header bytes are UTF-8 to the rules, whatever the server takes them for.
    expect(world.ask("/rt/next", x_name="Zoë".encode().decode("latin-1")), "gray", "gray", "x-name: Zoë")


def entry_share(world):
    connection = world.jvm.connect()
    first = [world.ask("/rt/next", connection, x_user_id=f"user-{n}")["who"] for n in range(1000)]
    again = [world.ask("/rt/next", connection, x_user_id=f"user-{n}")["who"] for n in range(0, 1000, 7)]
    if first[::7] != again:
        raise AssertionError("a user changed lanes")
    if not 70 <= first.count("gray") <= 130:
        raise AssertionError(f"{first.count('gray')} of 1000 users were coloured, 10 % was asked for")


class Mixed:
    """How many requests are mixed where nobody says otherwise."""

    total = 10_000


def no_crossed_answers(world, total=0, connections=20):
    """Each request gets the answer to its own number, from its own lane, with its own tag."""
    total = total or Mixed.total
    work, wrong = queue.Queue(), []
    paths = ["/rt/next", "/feign", "/async", "/callable", "/deferred", "/start", "/future"]
    kinds = [({}, "base", None), ({"x_mse_tag": "gray"}, "gray", "gray"), ({"x_mse_tag": "dev-7"}, "base", "dev-7")]
    for n in range(total):
        work.put((n, paths[n % len(paths)], *kinds[(n // len(paths)) % len(kinds)]))

    def client():
        connection = world.jvm.connect()
        while len(wrong) < 10:
            try:
                n, path, headers, who, tag = work.get_nowait()
            except queue.Empty:
                return
            try:
                answer = world.ask(f"{path}?n={n}", connection, **headers)
                expect(answer, who, tag, path)
                if not answer["path"].endswith(f"n={n}"):
                    wrong.append(f"{path} n={n} got {answer['path']}")
            except (AssertionError, OSError, http.client.HTTPException) as why:
                wrong.append(f"{path} n={n}: {why}")
                connection = world.jvm.connect()

    crowd = [threading.Thread(target=client) for _ in range(connections)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    if wrong:
        raise AssertionError("; ".join(wrong[:3]))


def only_tagged(world):
    """No copy without a tag: untagged calls get the framework's own error, or are served where the rules say so."""
    status, _ = world.jvm.get("/rt/solo")
    if status != 500 or "No instances available for solo" not in world.jvm.output():
        raise AssertionError(f"/rt/solo answered {status}; expected Spring's own error")
    expect(world.ask("/rt/solo", x_mse_tag="gray"), "gray", "gray", "solo, tagged")
    expect(world.ask("/rt/open"), "gray", None, "open, untagged")


def unknown_hosts(world):
    """As soon as the rules name authorities, only those and the addresses of live lists get the tag."""
    echo, named = world.other, bed.Echo("named")
    expect(world.ask(f"/plain?url=http://{echo.authority}/", x_mse_tag="gray"), "other", "gray", "loopback")
    world.rules.write(authorities=[named.authority])
    path = f"/plain?url=http://{echo.authority}/"
    expect(world.ask(path, x_mse_tag="gray"), "other", None, "an unnamed host")
    expect(world.ask(f"/plain?url=http://{named.authority}/", x_mse_tag="gray"), "named", "gray", "named authority")
    expect(world.ask("/rt/next", x_mse_tag="gray"), "gray", "gray", "address of a list")
    redirect = f"/plain?url=http://{named.authority}/moved?to=http://{echo.authority}/"
    expect(world.ask(redirect, x_mse_tag="gray"), "other", None, "redirected to an unnamed host")
    world.rules.write()
    expect(world.ask(path, x_mse_tag="gray"), "other", "gray", "loopback again")


def as_stock(world):
    """Both copies are reached in turn, tagged or not, and no tag is on the wire: unloaded, and after off."""
    for headers in [{}, {"x_mse_tag": "gray"}]:
        answers = [world.ask("/rt/next", **headers) for _ in range(12)]
        if {a["who"] for a in answers} != {"base", "gray"} or {a["tag"] for a in answers} != {None}:
            raise AssertionError(f"not as without the library: {[(a['who'], a['tag']) for a in answers]}")
        # The balancer goes round the whole list: a list that lacked or doubled a copy would show here.
        if any(one["who"] == other["who"] for one, other in zip(answers, answers[1:], strict=False)):
            raise AssertionError(f"the balancer does not go round both: {[a['who'] for a in answers]}")


def switched(world):
    """off and observe change nothing of what is sent or chosen; on brings the lanes back, in one process."""
    for mode in ["off", "observe"]:
        world.rules.write(mode=mode)
        told = statuspage.ask(world.jvm.process.pid)["mode"]
        if told != mode:
            raise AssertionError(f"the rules say mode {mode}, the program's status says {told}")
        as_stock(world)
    world.rules.write(next_mode="observe")
    for _ in range(4):
        expect(world.ask("/rt/solo", x_mse_tag="gray"), "gray", "gray", "the lanes of the other services")
    if len({world.ask("/rt/next")["who"] for _ in range(12)}) != 2:
        raise AssertionError("the one service that is only observed was filtered")
    world.rules.write()
    tagged(world)
    untagged(world)


ISTIO = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: next}
spec:
  hosts: [next]
  http:
    - match:
        - {headers: {x-user: {exact: ann}}}
        - {queryParams: {n: {exact: v2}}, method: {exact: GET}, uri: {prefix: /echo}}
      route: [{destination: {host: next, subset: v2}}]
    - match: [{queryParams: {n: {exact: half}}}]
      route:
        - {destination: {host: next, subset: v1}, weight: 50}
        - {destination: {host: next, subset: v2}, weight: 50}
    - route: [{destination: {host: next, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: next}
spec:
  host: next
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""


def call_values(world):
    """Istio's rules come into a running program: header, query, path and method of each call decide, and weights."""
    world.rules.put(ISTIO + "---\n" + ISTIO.replace("next", "chance"))
    for hop in world.hops:
        for n, who in [("v2", "gray"), ("v1", "base"), ("v2", "gray")] * 4:
            expect(world.ask(f"{hop}?n={n}"), who, None, f"{hop}?n={n}")
    for user, who in [("ann", "gray"), ("bob", "base")] * 4:
        expect(world.ask(f"/user?user={user}"), who, None, f"/user?user={user}")
    expect(world.ask("/async?n=v2"), "gray", None, "/async?n=v2")
    halves = [world.ask("/rt/next?n=half")["who"] for _ in range(60)]
    if not 10 <= halves.count("gray") <= 50:  # by chance once in 10 million runs
        raise AssertionError(f"of 60 calls by halves {halves.count('gray')} went to v2")
    world.rules.write()
    expect(world.ask("/rt/next?n=v2"), "base", None, "the lanes decide again")
    tagged(world)


def off_at_start(world):
    """Started off, the program is as without the library; switched on later it is as if it had always been on."""
    as_stock(world)
    world.rules.write()
    for case in [tagged, untagged, threads, clean_connection, entry_header]:
        case(world)


def listings(jvm):
    """How many published lists the bridge holds, after a full collection."""
    jcmd = f"{jvm.home}/bin/jcmd"
    said = subprocess.run(
        [jcmd, "-J-Dsun.tools.attach.attachTimeout=120000", str(jvm.process.pid), "GC.class_histogram"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"\s(\d+)\s+\d+\s+java\.trilane\.Listing(?:\s|$)", said, re.M)
    return int(found.group(1)) if found else 0


def handles_stay_flat(world, calls=300):
    """No cache and 1,000 instances: Spring makes a new list for every call, and it is known again."""
    counts = []
    for _ in range(3):
        for n in range(calls):
            if n % 2:
                expect(world.ask("/rt/many", x_mse_tag="gray"), "gray", "gray", "many")
            else:
                expect(world.ask("/rt/many"), "base", None, "many")
        counts.append(listings(world.jvm))
    if not all(1 <= count <= 4 for count in counts):  # of 900; those in use at that moment may be held
        raise AssertionError(f"published lists after each {calls} calls: {counts}")
