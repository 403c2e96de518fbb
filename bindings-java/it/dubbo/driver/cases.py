"""What must hold, case by case, on one bed."""

import shutil
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote

from driver.asking import NOTICE_SECONDS, answers, becomes, until
from driver.beds import BEDS, Node, ZooKeeper, free_port
from driver.streams import streams
from statuspage import RuleFile  # beds has put tests/tools on the path


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def say(self, word, bed, what, detail=""):
        print(f"{word:4} {bed}: {what}{': ' + detail if detail else ''}", flush=True)

    def check(self, bed, what, ok, detail=""):
        if ok:
            self.passed += 1
            self.say("ok", bed, what)
        else:
            self.failed += 1
            self.say("FAIL", bed, what, detail)

    def skip(self, bed, why):
        self.skipped += 1
        self.say("skip", bed, f"skipped: {why}")


class Topology:
    """front -> a{base,gray} -> c{base,gray} over one registry, and two more fronts beside it."""

    def __init__(self, name, library, folder):
        self.bed = BEDS[name]
        self.library = library
        self.folder = folder
        self.rules = RuleFile(folder / "lanes.yaml")
        self.ports = {}
        self.programs = {}
        self.zookeeper = ZooKeeper(folder)
        self.registry = f"zookeeper://127.0.0.1:{self.zookeeper.port}"

    def node(self, name, **more):
        program = Node(self.bed, self.folder, name, **{"registry": self.registry, **more})
        self.programs[name] = program
        return program

    def provider(self, service, copy):
        """A copy of service `a` or `c`."""
        name = f"{service}-{copy}"
        port = self.ports.setdefault(name, free_port())
        more = {"next": "c"} if service == "a" else {}
        tag = "" if copy == "base" else copy
        return self.node(name, library=self.library, tag=tag, app=service, group=service, port=port, **more)

    def rule_file(self, text):
        self.rules.put("apiVersion: trilane/v1\n" + text)

    def start(self):
        for copy in ("base", "gray"):
            self.provider("c", copy)
        for name in ("c-base", "c-gray"):
            self.programs[name].ready()
        for copy in ("base", "gray"):
            self.provider("a", copy)
        for name in ("a-base", "a-gray"):
            self.programs[name].ready()
        if not becomes(self.all_registered):  # a consumer's first request is to find every copy
            raise RuntimeError(f"registered are only {self.providers()}")
        self.rule_file("mode: on\n")
        inside = {"group": "local", "port": free_port(), "local": 1}
        named = {"TRILANE_TRACE_HEADERS": "x-request-id"}
        self.node("front", library=self.library, rules=self.rules.path, next="a", http=1, environment=named, **inside)
        self.node("stock", next="a", http=1)
        # The first one is gray on purpose: Dubbo makes the consumer's own URL from it.
        # Without a registry nothing but the rule file and the addresses themselves can say who is gray.
        gray = f"{self.bed.protocol}://127.0.0.1:{self.ports['c-gray']}?dubbo.tag=gray"
        base = f"{self.bed.protocol}://127.0.0.1:{self.ports['c-base']}"
        # 2.7 takes several addresses for several registries and fails on them unless a cluster is named.
        more = {"cluster": "failover"} if self.bed.folder == "dubbo27" else {}
        self.node("direct", library=self.library, next="c", http=1, url=f"{gray};{base}", **more)
        for name in ("front", "stock", "direct"):
            self.programs[name].ready()
        self.rules.pid = self.programs["front"].process.pid

    def providers(self):
        """The addresses that the registry holds."""
        return [unquote(url) for url in self.zookeeper.children("/dubbo/it.Chain/providers")]

    def all_registered(self):
        held = self.providers()
        return all(any(f":{port}/" in url for url in held) for port in self.ports.values())

    def stop(self):
        for program in [*self.programs.values(), self.zookeeper]:
            program.stop()

    def said(self, name, text):
        return text in self.programs[name].log.read_text(errors="replace")


def run(name, library, keep, results, asked=()):
    """One bed with the cases `asked`, else with the standard ones."""
    bed = BEDS[name]
    if bed.java() is None:
        results.skip(name, f"no JDK {bed.jdk} here (JAVA_HOME_{bed.jdk} names one)")
        return

    def body(folder, check):
        topology = Topology(name, library, folder)
        try:
            topology.start()
            for case in asked or (TRIPLE if topology.bed.protocol == "tri" else STANDARD):
                why = case(topology, check)
                if why:
                    results.skip(name, f"{case.__name__}: {why}")
        finally:
            topology.stop()

    in_folder(name, keep, results, body)


def in_folder(name, keep, results, body):
    """Runs a body that may say why it was skipped, in a folder of its own whose logs can be kept."""
    folder = Path(tempfile.mkdtemp(prefix=f"trilane-dubbo-{name}-"))
    try:
        why = body(folder, lambda what, ok, detail="": results.check(name, what, ok, detail))
        if why:
            results.skip(name, why)
    except Exception as error:  # what cannot be run is a failure, and the others are still tried
        results.check(name, "runs", False, str(error))
    finally:
        if keep:
            shutil.copytree(folder, keep / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("home-*"))
        shutil.rmtree(folder, ignore_errors=True)


def lanes(topology, check):
    front, stock = topology.programs["front"], topology.programs["stock"]
    for tag, wanted, copies in (("gray", "a-gray > c-gray", "gray"), ("", "a-base > c-base", "base")):
        got = front.get(x_mse_tag=tag)[1]
        check(f"the first request with tag '{tag}' is in its lane", got == wanted, got)
        got = answers(front, 20, x_mse_tag=tag)
        check(f"20 requests with tag '{tag}' meet {copies} copies only", got == [wanted], str(got))
    got = answers(front, 10, x_mse_tag="blue")
    check("a lane that is not there falls back to the baseline", got == ["a-base > c-base"], str(got))
    got = answers(front, 10, "/later", x_mse_tag="gray")
    check("an asynchronous service keeps the lane on another thread", got == ["a-gray > c-gray"], str(got))
    got = answers(front, 10, "/local", x_mse_tag="gray")
    wanted = ["front > a-gray > c-gray | a-gray > c-gray"]
    check("a call inside the process keeps the lane, and its caller keeps it after that", got == wanted, str(got))
    got = [answers(front, 5, "/generic", x_mse_tag=tag) for tag in ("gray", "")]
    check("a generic call keeps the lane", got == [["a-gray > c-gray"], ["a-base > c-base"]], str(got))
    mixed = [front.get(x_mse_tag=tag)[1] for tag in ("gray", "", "blue") * 10]
    expected = ["a-gray > c-gray", "a-base > c-base", "a-base > c-base"] * 10
    check("threads that carried a tag are clean for the next request", mixed == expected, str(sorted(set(mixed))))
    got = answers(stock, 20, x_mse_tag="gray")
    check("a consumer without the library never meets a gray copy", got == ["a-base > c-base"], str(got))


def registered(topology, check):
    """What the registry holds is what consumers without the library go by."""
    zookeeper, ports = topology.zookeeper, topology.ports
    urls = topology.providers()
    for name, wanted in (("a-gray", True), ("a-base", False)):
        mine = [url for url in urls if f":{ports[name]}/" in url]
        held = ["dubbo.tag=gray" in url and "alicloud.service.tag=gray" in url for url in mine]
        any_tag = any("tag=" in url for url in mine)
        ok = bool(mine) and (all(held) if wanted else not any_tag)
        check(f"{name}: {'both keys' if wanted else 'no tag'} in the registered address", ok, str(mine))
    instances = zookeeper.children("/services/a")
    if not instances:
        return  # 2.7 registers no instances of applications
    for name, wanted in (("a-gray", True), ("a-base", False)):
        mine = [zookeeper.order("get", f"/services/a/{at}") for at in instances if at.endswith(f":{ports[name]}")]
        held = ['"alicloud.service.tag":"gray"' in data.replace(" ", "") for data in mine]
        check(f"{name}: {'the' if wanted else 'no'} tag in the registered instance", held == [wanted], str(mine))


def decided(topology, check):
    """Decisions that Dubbo's own tag router cannot make."""
    front = topology.programs["front"]
    topology.rule_file("lanes: [{tag: gray}, {tag: dev-x, fallback: gray}]\n")
    late = until(front, "a-gray > c-base", x_mse_tag="dev-x")
    got = answers(front, 10, x_mse_tag="dev-x")
    ok = late is not None and got == ["a-gray > c-base"]
    check("a lane falls back to the lane that the rules name", ok, str(got))
    for service in ("a", "it.Chain", "a/it.Chain"):
        topology.rule_file(f"services: [{{name: {service}, fallback: {{noinstances: none}}}}]\n")
        end = time.monotonic() + NOTICE_SECONDS
        while time.monotonic() < end and front.get(x_mse_tag="blue")[0] == 200:
            time.sleep(0.1)
        status, body = front.get(x_mse_tag="blue")
        good = front.get(x_mse_tag="gray")[1]
        ok = status == 500 and "No provider" in body and good == "a-gray > c-gray"
        check(f"`fallback: none` by the name {service}: a lane without a copy fails clearly", ok, body[:200])
    entry = '[{service: front, rules: [{when: {header: {x-tester: "yes"}}, lane: gray}]}]'
    topology.rule_file(f"lanes: [{{tag: gray}}]\nentry: {entry}\n")
    late = until(front, "a-gray > c-gray", x_tester="yes")
    got = answers(front, 5)
    check("an entry rule colours by the application's name", late is not None and got == ["a-base > c-base"], str(got))


def steered(topology, check):
    front = topology.programs["front"]
    got = answers(front, 5, "/chain?tag=gray")
    check("a tag that the program puts on the call steers it", got == ["a-gray > c-gray"], str(got))
    got = answers(front, 5, "/chain?tag=blue", x_mse_tag="gray")
    check("it wins over the request's own", got == ["a-base > c-base"], str(got))
    got = [answers(front, 5, "/own", x_mse_tag=tag) for tag in ("", "blue", "gray")]
    wanted = [["a-gray > c-base"], ["a-base > c-base"], ["a-gray > c-gray"]]
    check("a tag that a reference is configured with counts where the request has none", got == wanted, str(got))
    status, body = front.get("/chain?tag=blue&force")
    check("a forced tag without a copy fails by Dubbo's own error", status == 500 and "RpcException" in body, body)


def direct(topology, check):
    program = topology.programs["direct"]
    for tag, wanted in (("gray", "c-gray"), ("", "c-base"), ("blue", "c-base")):
        got = answers(program, 10, x_mse_tag=tag)
        check(f"direct addresses are routed for tag '{tag}'", got == [wanted], str(got))


def traced(topology, check):
    """Calls from a thread that has nothing of its request: an id's tag is theirs, and without one they are told."""
    front = topology.programs["front"]
    known, other = "/alone?put=x-request-id:known", "/alone?put=x-request-id:other"
    got = answers(front, 5, known)
    check("an id that no request brought says nothing", got == ["a-base > c-base"], str(got))
    front.get(x_mse_tag="gray", x_request_id="known")
    got = [answers(front, 10, path) for path in (known, other, "/alone")]
    wanted = [["a-gray > c-gray"], ["a-base > c-base"], ["a-base > c-base"]]
    check("a call with nothing but a request's id has that request's tag", got == wanted, str(got))
    # At most one a second is looked at, whichever came first.
    end = time.monotonic() + NOTICE_SECONDS
    while time.monotonic() < end and not topology.said("front", "TRL-323"):
        front.get("/alone", x_mse_tag="gray")
    log = topology.programs["front"].log.read_text(errors="replace")
    told = [line for line in log.splitlines() if "TRL-323" in line]
    check("a call that lost its tag is told with its place", told and "it.Node" in told[0], str(told))


def modes(topology, check):
    front = topology.programs["front"]
    for text in ("mode: off\n", "mode: observe\n", "hooks: {dubbo: off}\n"):
        topology.rule_file(text)
        late = until(front, "a-base > c-base", x_mse_tag="gray")
        got = answers(front, 10, x_mse_tag="gray")
        check(f"`{text.strip()}`: as without the library", late is not None and got == ["a-base > c-base"], str(got))
    topology.rule_file("mode: on\n")
    late = until(front, "a-gray > c-gray", x_mse_tag="gray")
    check("`mode: on` brings the lanes back", late is not None)


def rules(topology, check):
    """Rules of Dubbo's own, by its config centre in the same ZooKeeper."""
    front, zookeeper = topology.programs["front"], topology.zookeeper
    path = "/dubbo/config/dubbo/front.condition-router"
    zookeeper.put(path, CONDITION % topology.ports["a-gray"])
    late = until(front, "a-base > c-gray", x_mse_tag="gray")
    got = answers(front, 10, x_mse_tag="gray")
    check("a condition rule takes copies away, the lanes choose from what is left",
          late is not None and got == ["a-base > c-gray"], str(got))  # fmt: skip
    zookeeper.put(path, CONDITION % 1)
    late = until(front, "a-gray > c-gray", x_mse_tag="gray")
    got = [answers(front, 10, x_mse_tag=tag) for tag in ("gray", "")]
    check("under a condition rule that takes nothing away the lanes are whole",
          late is not None and got == [["a-gray > c-gray"], ["a-base > c-base"]], str(got))  # fmt: skip
    zookeeper.delete(path)
    path = "/dubbo/config/dubbo/a.tag-router"
    zookeeper.put(path, TAG_RULE % topology.ports["a-base"])
    late = until(front, "a-base > c-gray", x_mse_tag="gray")
    got = answers(front, 10, x_mse_tag="gray")
    said = becomes(lambda: topology.said("front", "TRL-310"))
    check("while a dynamic tag rule is in force Dubbo decides, and the log says so",
          late is not None and got == ["a-base > c-gray"] and said, f"{got} said={said}")  # fmt: skip
    zookeeper.delete(path)
    late = until(front, "a-gray > c-gray", x_mse_tag="gray")
    check("without the rules the lanes are as before", late is not None, str(answers(front, 1, x_mse_tag="gray")))


CONDITION = """\
scope: application
force: true
runtime: true
enabled: true
key: front
conditions:
  - " => port != %d"
"""

TAG_RULE = """\
force: false
runtime: true
enabled: true
key: a
tags:
  - name: gray
    addresses: ["0.0.0.0:%d"]
"""


def edges(topology, check):
    """A provider that faces the outside, called by one without the library and by one with it."""
    group = {"app": "edge", "group": "edge", "next": "c"}
    environment = {"ALICLOUD_SERVICE_HEADER": "x-a", "TRILANE_EDGE": "true"}
    topology.node("edge", library=topology.library, port=free_port(), environment=environment, **group)
    trusting = {**environment, "TRILANE_EDGE_TRUST": "0.0.0.0/0,::/0"}
    group = {"app": "trusting", "group": "trusting", "next": "c"}
    topology.node("trusting", library=topology.library, port=free_port(), environment=trusting, **group)
    for name in ("edge", "trusting"):
        topology.programs[name].ready()
        topology.node(f"to-{name}", next=name, http=1)
    put = "/seen?put=x-a:1;x-mse-tag:gray;dubbo.tag:gray;baggage:user=7"
    for name, wanted in (
        ("edge", "edge baggage=user=7 x-a=1 > c-base"),
        ("trusting", "trusting x-mse-tag=gray baggage=user=7 x-a=1 > c-gray"),
    ):
        program = topology.programs[f"to-{name}"]
        program.ready()
        until(program, f"{name} > c-base", "/seen")  # it has found the provider
        got = answers(program, 5, put)
        ok = len(got) == 1 and got[0].startswith(wanted) and got[0].endswith("x-a=1")
        check(f"{name}: what the provider sees, and passes on", ok, str(got))
        got = answers(program, 5, "/seen")
        check(f"{name}: the next call is clean", got == [f"{name} > c-base"], str(got))


def killed(topology, check):
    front = topology.programs["front"]
    topology.programs["a-gray"].kill()
    failed = until(front, "a-base > c-gray", x_mse_tag="gray")
    check("the gray copy is killed: its calls fall back, the rest of the lane holds", failed is not None)
    got = answers(front, 30, x_mse_tag="gray")
    check("once that is noticed none fails", got == ["a-base > c-gray"], f"{got}; failed before: {failed}")
    topology.programs["a-gray"].stop()
    topology.provider("a", "gray").ready()
    late = until(front, "a-gray > c-gray", x_mse_tag="gray")
    got = [answers(front, 10, x_mse_tag=tag) for tag in ("gray", "")]
    check("it is started again: the lane is whole",
          late is not None and got == [["a-gray > c-gray"], ["a-base > c-base"]], str(got))  # fmt: skip
    topology.programs["c-base"].kill()
    until(front, "a-gray > c-gray", x_mse_tag="gray")
    end = time.monotonic() + NOTICE_SECONDS
    while time.monotonic() < end and front.get()[0] == 200:
        time.sleep(0.1)
    seen = answers(front, 10)
    ok = all("a-base > c-gray" not in answer and "a-gray" not in answer for answer in seen)
    check("an untagged call fails rather than entering the last, gray copy", ok, str(seen)[:300])


CONDITIONS = """\
configVersion: v3.0
scope: service
key: it.Chain
force: false
conditions:
  - "method=later => port={gray}"
  - "attachments[x-b]=1 => port={gray}"
  - "method=chain & arguments[0]=seen => port={gray}"
  - "method=chain => port={base}"
"""


def values(topology, check):
    """A condition rule of Dubbo's, read by this library: method, argument and attachment of the call decide."""
    front, ports = topology.programs["front"], topology.ports
    topology.rules.put(CONDITIONS.format(gray=ports["a-gray"], base=ports["a-base"]))
    late = until(front, "a-gray > c-base", "/later")
    for path, wanted in (
        ("/later", "a-gray > c-base"),
        ("/seen", "a-gray > c-base"),
        ("/chain", "a-base > c-base"),
        ("/chain?put=x-b:1", "a-gray > c-base"),
        ("/chain?put=x-b:2", "a-base > c-base"),
    ):
        got = answers(front, 10, path)
        check(f"a condition on the call's values chooses for {path}", late is not None and got == [wanted], str(got))
    topology.rule_file("mode: on\n")
    late = until(front, "a-base > c-base", "/later")
    check("without it the lanes decide again", late is not None)


STANDARD = (lanes, registered, steered, traced, direct, decided, values, modes, rules, edges, killed)
TRIPLE = (*STANDARD[:-1], streams, killed)
