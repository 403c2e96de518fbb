"""The demo's phases, in the order in which they are told."""

import re
import signal
import subprocess
import time

from . import build, fleet, judge, lanes, load, table

PORT_NAMES = ("zookeeper", "shop", "pricing", "balancer", "order-base", "order-gray", "stock-base", "stock-gray")
# What dubbo-java logs when it has taken up a new list of copies.
NOTICE = r"Received invokers changed event from registry. Registry type: instance\..* Invokers Size : %d\."
START_LINE = r"^trilane: info TRL-001 "
BACKGROUND = 8  # connections while something is killed or changed: the two cores must start a JVM beside them


class Story:
    """What all phases share, and what they found untrue."""

    def __init__(self, options, made, ports, users):
        self.options, self.made, self.ports, self.users = options, made, ports, users
        self.rules = build.CACHE / "lanes.yaml"
        self.total = judge.Verdict()
        self.untrue = []
        self.records = []
        self.flips = 0
        self.gray_counts = []

    def check(self, holds, text):
        if not holds:
            self.untrue.append(text)
            table.say(f"UNTRUE: {text}")

    def load(self, per_user=None):
        connections = self.options.connections if per_user else min(BACKGROUND, self.options.connections)
        return load.Load(self.ports["shop"], self.users, connections, per_user)

    def take(self, title, records, expected_at):
        """Judges, prints the row and adds it up."""
        verdict = judge.judge(records, expected_at)
        table.row(title, verdict)
        self.total.add(verdict)
        self.records += records
        for wrong in verdict.wrong:
            self.check(False, f"{title}: {wrong}")
        return verdict

    def steady(self, title, expected):
        """Every user buys a few times; one and the same expectation holds for all of it."""
        running = self.load(self.options.requests)
        table.watch(title, running, lambda records: judge.judge(records, lambda _: expected))
        return self.take(title, running.join(), lambda _: expected)

    def plain(self):
        """The services as they are: the gray copies are just more copies."""
        gray = lanes.gray_users(self.users, 10)
        services = fleet.Fleet(build.CACHE / "plain", self.ports, self.made["plain"])
        try:
            services.start(self.made["balancer"])
            table.head()
            title = "without the library"
            running = self.load(self.options.requests)
            table.watch(title, running, lambda records: judge.mixture(records, gray))
            verdict = judge.mixture(running.join(), gray)
            table.row(title, verdict)
            for wrong in verdict.wrong:
                self.check(False, f"{title}: {wrong}")
            self.check(verdict.failed == 0, f"{title}: {verdict.failed} requests failed")
            self.check(verdict.leaks > 0, f"{title}: no mixture was seen, so the demo would prove nothing")
            self.check(not services.dead(), f"{title}: ended by itself: {services.dead()}")
        finally:
            services.stop()

    def lanes(self):
        """The same services with the library, one after the other the things that may happen to a lane."""
        lanes.write_rules(self.rules, 10, self.ports)
        services = fleet.Fleet(
            build.CACHE / "lanes", self.ports, self.made["woven"], self.made["library"], self.rules
        )
        try:
            services.start(self.made["balancer"])
            self.show_start_lines(services)
            table.head()
            gray = lanes.gray_users(self.users, 10)
            verdict = self.steady("with it, 10 %", judge.Expected(gray))
            self.gray_counts.append(len(verdict.gray_users))
            self.check(verdict.gray_users == gray, f"10 %: {len(verdict.gray_users)} users gray, not {len(gray)}")
            self.lose_stock(services, gray)
            self.explain(services.processes["shop"], "a request came in to shop")
            self.explain(services.processes["order-gray"], "a call to ")
            for percent in (50, 100):
                gray = self.widen(percent, gray)
            self.flips = judge.flips(self.records)
            self.check(self.flips == 0, f"{self.flips} answers flipped back to the baseline")
            self.check(not services.dead(), f"ended by themselves: {services.dead()}")
            self.show_complaints(services)
            for name, process in services.processes.items():
                # The file, for it has also what a copy said before it was killed.
                told = judge.told(process.log.read_text(errors="replace").splitlines(), self.users)
                self.check(not told, f"{name}: a value of a request was told: {told[:1]}")
        finally:
            services.stop()

    def show_start_lines(self, services):
        """What the library says of itself in each process that it was loaded into."""
        for name, process in services.processes.items():
            if name not in ("zookeeper", "balancer"):
                said = process.said(START_LINE)
                self.check(len(said) == 1, f"{name}: {len(said)} start lines of the library, not 1")
                for line in said[:1]:
                    print(f"demo: {name}: {line.split(' service=')[0]}", flush=True)

    def show_complaints(self, services):
        """Warnings of the library, once per text; they make nothing untrue by themselves."""
        for name, process in services.processes.items():
            for line in sorted(set(process.said(r"^trilane: (warn|error)")))[:5]:
                print(f"demo: {name}: {line}", flush=True)

    def explain(self, process, what):
        """One of its own requests, explained by the living process, without a user's name in it."""
        command = [self.options.dist / "trilane", "explain", "--pid", str(process.popen.pid), "--tag", "gray"]
        told = subprocess.run([*command, "--last", "64"], capture_output=True, text=True, timeout=30)
        blocks = re.split(r"\n(?=\S)", told.stdout.strip())
        fitting = [block for block in blocks if what in block]
        # A fallback has more to tell than a call that found its lane.
        shown = ([block for block in fitting if "noinstances" in block] or fitting)[-1:]
        self.check(shown, f"{process.name}: no decision explained: {told.stdout[-500:]}{told.stderr}")
        for line in "\n".join(shown).splitlines():
            print(f"demo: {process.name}: {line}", flush=True)
        values = judge.told([f"trilane: {line}" for line in told.stdout.splitlines()], self.users)
        self.check(not values, f"{process.name}: the explanation tells a value: {values[:1]}")

    def noticed(self, services, marks, instances):
        """Waits until both copies of order know how many copies of stock there are."""
        for name, mark in marks.items():
            line = services.processes[name].wait_line(NOTICE % instances, mark, budget=60)
            self.check(line is not None, f"{name} did not notice {instances} copies of stock within 60 s")
        return time.monotonic()

    def marks(self, services):
        return {name: services.processes[name].mark() for name in ("order-base", "order-gray")}

    def lose_stock(self, services, gray):
        """The gray copy of stock is killed and comes back, while users go on buying."""
        running = self.load()
        running.wait_count(len(self.users), 60)
        marks, killed = self.marks(services), time.monotonic()
        services.processes["stock-gray"].stop(signal.SIGKILL)
        table.say("stock(gray) killed")
        gone = self.noticed(services, marks, 1)
        table.say(f"the registry noticed after {gone - killed:.1f} s")
        running.wait_count(self.options.requests * len(self.users), 120)
        marks, restarted = self.marks(services), time.monotonic()
        services.ready(services.start_stock("gray"))
        back = self.noticed(services, marks, 2)
        table.say(f"stock(gray) restarted, and known after {back - restarted:.1f} s")
        records = running.stop()

        def expected_at(record):
            if record.end < killed:
                return judge.Expected(gray)
            if record.begin < gone:
                return judge.Expected(gray, stock=judge.UNSURE, case="noavailabled", may_fail=True)
            if record.end < restarted:
                return judge.Expected(gray, stock=judge.NO)
            return judge.Expected(gray, stock=judge.UNSURE)

        before = [r for r in records if r.begin < gone]
        self.take("stock(gray) killed, not noticed", before, expected_at)
        after = self.take("stock(gray) killed, noticed; back", [r for r in records if r.begin >= gone], expected_at)
        self.check(after.fallbacks["stock noinstances"] > 0, "nobody fell back to stock(base)")
        self.steady("stock(gray) restarted", judge.Expected(gray))

    def widen(self, percent, before):
        """The rule file is replaced while users buy: some move into the lane, nobody moves out."""
        gray = lanes.gray_users(self.users, percent)
        running = self.load()
        running.wait_count(200, 30)
        written = time.monotonic()
        lanes.write_rules(self.rules, percent, self.ports)

        def mover(record):
            newly = record.end > written and record.user not in before
            return newly and record.copies and record.copies[judge.ORDER] == "gray"

        moved = running.wait_for(mover, 60)
        self.check(moved is not None, f"{percent} %: the new rule file was not taken up within 60 s")
        if moved:
            table.say(f"rule file says {percent} %, in force after {moved.end - written:.1f} s")
            running.wait_count(len(self.users), 60)
        records = running.stop()
        changing, changed = judge.Expected(before, maybe=gray), judge.Expected(gray)
        # Rules are replaced whole: from the first user who moved on, the new share holds for all.
        since = moved.end if moved else float("inf")
        title = f"rule file changes to {percent} %"
        self.take(title, records, lambda record: changed if record.begin > since else changing)
        verdict = self.steady(f"with it, {percent} %", judge.Expected(gray))
        self.gray_counts.append(len(verdict.gray_users))
        self.check(verdict.gray_users == gray, f"{percent} %: {len(verdict.gray_users)} users gray, not {len(gray)}")
        return gray

    def last_line(self):
        """The demo's result in one line."""
        total = self.total
        self.check(total.leaks == 0, f"{total.leaks} leaks")
        return (
            f"demo: users={len(self.users)} gray={'/'.join(map(str, self.gray_counts))} "
            f"kept={total.kept_percent():.1f}% leaks={total.leaks} fallbacks={sum(total.fallbacks.values())} "
            f"flips={self.flips} {'FAILED' if self.untrue else 'ok'}"
        )


def tell(options, made, ports, users):
    """Runs the phases asked for; returns whether all was true, and the last line."""
    story = Story(options, made, ports, users)
    if options.phase != "lanes":
        story.plain()
    if options.phase == "plain":
        good = "as expected a mixture" if not story.untrue else "FAILED"
        return not story.untrue, f"demo: plain phase only, users={len(users)}: {good}"
    story.lanes()
    line = story.last_line()
    return not story.untrue, line
