"""Starts, watches and stops the demo's processes."""

import collections
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from . import build

JAVA_FLAGS = ["-Xms64m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
START_BUDGET = 180.0
# ZooKeeper forgets a killed copy after this time. Dubbo's default is a minute.
SESSION_MILLIS = 6000
FIRST_PORT, LAST_PORT = 21000, 32000  # below the range that outgoing connections take theirs from
PARENT_DEATH_SIGNAL = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    LIBC.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def free_ports(names):
    """One port per name. Ports are tried from a fixed start: in the private namespace all are free."""
    found, port = {}, FIRST_PORT
    for name in names:
        while True:
            port += 1
            if port > LAST_PORT:
                raise build.Unusable(f"no free port between {FIRST_PORT} and {LAST_PORT}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    continue
            found[name] = port
            break
    return found


class Process:
    """One running program; its output goes to a file and can be waited for, line by line."""

    def __init__(self, name, command, env, log):
        self.name, self.log = name, log
        self.lines = []
        self.news = threading.Condition()
        self.ended = False
        self.popen = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )
        threading.Thread(target=self._read, name=f"read-{name}", daemon=True).start()

    def _read(self):
        with self.log.open("ab") as out:
            for raw in self.popen.stdout:
                out.write(raw)
                out.flush()
                with self.news:
                    self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                    self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def mark(self):
        """A place in the output; waiting from it ignores what was said before."""
        with self.news:
            return len(self.lines)

    def wait_line(self, pattern, since=0, budget=START_BUDGET):
        """The first line since `since` that matches; None when the time is over."""
        wanted, deadline = re.compile(pattern), time.monotonic() + budget
        with self.news:
            while True:
                while since < len(self.lines):
                    since += 1
                    if wanted.search(self.lines[since - 1]):
                        return self.lines[since - 1]
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    return None
                self.news.wait(left)

    def said(self, pattern):
        """All lines so far that match."""
        with self.news:
            return [line for line in self.lines if re.search(pattern, line)]

    def tail(self, count=15):
        with self.news:
            return "\n".join(f"  {self.name}| {line}" for line in self.lines[-count:])

    def stop(self, how=signal.SIGTERM, budget=20):
        if self.popen.poll() is None:
            self.popen.send_signal(how)
            try:
                self.popen.wait(budget)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


def wait_port(process, port, budget=START_BUDGET):
    deadline = time.monotonic() + budget
    while time.monotonic() < deadline and process.popen.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)  # a port says nothing when it opens
    return False


class Fleet:
    """All processes of one phase. `library` None = the services as they are."""

    def __init__(self, folder, ports, pricing, library=None, rules=None):
        self.folder, self.ports, self.pricing, self.library, self.rules = folder, ports, pricing, library, rules
        self.processes = collections.OrderedDict()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def _environment(self, copy, extra):
        # Nothing of the caller's environment but what finds the programs: a stray setting must not take part.
        env = {k: os.environ[k] for k in ("PATH", "JAVA_HOME", "LANG", "TMPDIR") if k in os.environ}
        env["COPY"] = copy
        env.update({k: str(v) for k, v in extra.items()})
        if self.library:
            env["TRILANE_RULES"] = str(self.rules)
            if copy == "gray":
                env["ALICLOUD_SERVICE_TAG"] = "gray"
        return env

    def _spawn(self, name, command, env):
        process = Process(name, [str(part) for part in command], env, self.folder / f"{name}.log")
        self.processes[name] = process
        return process

    def _java(self, name, copy, args, extra=(), instrumented=True):
        home = self.folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        env = self._environment(copy, dict(extra))
        env["HOME"] = str(home)
        if self.library and instrumented:
            env["JAVA_TOOL_OPTIONS"] = f"-agentpath:{self.library}"
        return self._spawn(name, ["java", *JAVA_FLAGS, f"-Duser.home={home}", f"-Djava.io.tmpdir={home}", *args], env)

    def _class_path(self, service):
        jar = build.JARS[service]
        return ["-cp", f"{jar}:{jar.parent / 'lib'}/*"]

    def registry(self):
        return f"zookeeper://127.0.0.1:{self.ports['zookeeper']}?session={SESSION_MILLIS}&timeout={SESSION_MILLIS}"

    def start_zookeeper(self):
        args = [*self._class_path("zookeeper"), "demo.ZooKeeperServer", self.ports["zookeeper"], self.folder / "zk"]
        return self._java("zookeeper", "base", args, instrumented=False), r"zookeeper is ready"

    def start_stock(self, copy):
        extra = {"PORT": self.ports[f"stock-{copy}"], "REGISTRY": self.registry()}
        # Curator writes megabytes of stack traces while a provider shuts down.
        quiet = [f"-Dorg.slf4j.simpleLogger.{k}" for k in ("defaultLogLevel=warn", "log.org.apache.curator=off")]
        args = [*quiet, *self._class_path("stock"), "demo.Stock"]
        return self._java(f"stock-{copy}", copy, args, extra), r"stock is ready"

    def start_order(self, copy):
        extra = {"PORT": self.ports[f"order-{copy}"], "REGISTRY": self.registry()}
        return self._java(f"order-{copy}", copy, ["-jar", build.JARS["order"]], extra), r"Started Order in"

    def start_shop(self):
        extra = {"PORT": self.ports["shop"], "PRICING": f"http://127.0.0.1:{self.ports['pricing']}"}
        return self._java("shop", "base", ["-jar", build.JARS["shop"]], extra), r"Started Shop in"

    def start_go(self, balancer):
        """pricing, and the balancer that spreads connections over the copies of order."""
        ports = self.ports
        addresses = [f"127.0.0.1:{ports[name]}" for name in ("balancer", "order-base", "order-gray")]
        self._spawn("balancer", [balancer, *addresses], {})
        env = self._environment("base", {"PORT": ports["pricing"], "ORDER": f"http://127.0.0.1:{ports['balancer']}"})
        self._spawn("pricing", [self.pricing], env)

    def ready(self, *started):
        for process, line in started:
            if process.wait_line(line) is None:
                raise build.Unusable(f"{process.name} did not get ready; {process.log} ends with\n{process.tail()}")

    def start(self, balancer):
        """Everything, callees first and never more than two JVMs at once."""
        begin = time.monotonic()
        self.ready(self.start_zookeeper())
        self.ready(self.start_stock("base"), self.start_stock("gray"))
        self.ready(self.start_order("base"), self.start_order("gray"))
        shop = self.start_shop()
        self.start_go(balancer)
        self.ready(shop)
        for name in ("balancer", "pricing"):
            if not wait_port(self.processes[name], self.ports[name]):
                raise build.Unusable(f"{name} did not open its port\n{self.processes[name].tail()}")
        print(f"demo: {len(self.processes)} processes ready in {time.monotonic() - begin:.0f} s", flush=True)

    def stop(self):
        """Callers first; the registry last."""
        begin = time.monotonic()
        for process in reversed(self.processes.values()):
            if process.name != "zookeeper":
                process.popen.terminate()
        for process in reversed(self.processes.values()):
            process.stop()
        self.processes.clear()
        print(f"demo: all stopped in {time.monotonic() - begin:.0f} s", flush=True)

    def dead(self):
        """Names of processes that ended by themselves."""
        return [p.name for p in self.processes.values() if p.popen.poll() is not None]
