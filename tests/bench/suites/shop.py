"""The demo's shop as both shop suites use it: its jar, its rules, a stub for pricing, users."""

import socket
import sys

from . import machine
from .machine import HERE, JAVA_FLAGS, LIBRARY, ROOT

READY = r"Started Shop in"
JAR = ROOT / "tests" / "demo" / "java" / "shop" / "target" / "shop.jar"
FLAGS = [*JAVA_FLAGS, "-Xmx256m"]
RULES = """\
apiVersion: trilane/v1
mode: {mode}
lanes:
  - {{tag: gray}}
entry:
  - service: shop
    rules:
      - {{lane: gray, percent: 10, key: {{header: x-user-id}}, salt: "bench"}}
"""
# What that stub is asked. Its answer is short and sent at once: one read has all of it.
BESIDE = b"GET /price?item=tea HTTP/1.1\r\nHost: beside\r\nAccept: text/plain\r\n\r\n"


def prepare(_run):
    machine.need_library()
    if not JAR.exists():
        machine.need("mvn", "apt-get install maven")
        machine.command(["mvn", "-q", "-B", "package"], cwd=JAR.parent.parent.parent, title="build the shop (maven)")


def rules():
    return machine.Switch("shop-lanes.yaml", RULES)


def start(port, pricing, options=(), env=None, log="shop.log"):
    extra = {"PORT": str(port), "PRICING": f"http://127.0.0.1:{pricing}", **(env or {})}
    args = ["java", *FLAGS, *options, "-jar", JAR]
    return machine.Child(args, machine.environment(extra), machine.CACHE / log)


def with_agent(port, pricing, switch):
    return start(port, pricing, [f"-agentpath:{LIBRARY}"], {"TRILANE_RULES": str(switch.path)},
                 "shop-trilane.log")


def stub(log="stub.log"):
    """Answers for pricing, in a process of its own."""
    child = machine.Child([sys.executable, HERE / "stub.py"], machine.environment(), machine.CACHE / log)
    return child, int(child.wait_line(r"^port \d+$", budget=30).split()[1])


class Users:
    """Requests on a few connections, one on each at a time; every other one by Feign, half of them tagged."""

    def __init__(self, port, connections=4):
        self.port = port
        self.sockets = [self._connect(port) for _ in range(connections)]
        self.sent = 0
        self.beside = None

    def ask_too(self, port):
        """After each answer of the shop's, ask a stub there too: then this process's own CPU is a fair sample of how
        fast the machine is (docs/figures.md)."""
        self.beside = self._connect(port)

    @staticmethod
    def _connect(port):
        one = socket.create_connection(("127.0.0.1", port), 30)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return one

    def _request(self):
        path = "/buy" if self.sent & 1 else "/buy-feign"
        tag = "x-mse-tag: gray\r\n" if self.sent & 2 else ""
        self.sent += 1
        user = f"x-user-id: user-{self.sent % 997:04d}\r\n"
        return f"GET {path}?item=tea HTTP/1.1\r\nHost: shop\r\n{user}{tag}\r\n".encode()

    def _answer(self, place):
        one, got = self.sockets[place], b""
        while b"\r\n\r\n" not in got:
            got += self._more(one)
        head, _, body = got.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if not head.startswith(b"HTTP/1.1 200"):
            raise machine.Unusable(f"shop answered {head[:80]!r} {body[:200]!r}")
        missing = int(fields[b"content-length"]) - len(body)
        while missing > 0:
            missing -= len(self._more(one))
        if fields.get(b"connection") == b"close":  # Tomcat's way after 100 requests
            one.close()
            self.sockets[place] = self._connect(self.port)

    @staticmethod
    def _more(one):
        more = one.recv(65536)
        if not more:
            raise machine.Unusable("shop closed a connection")
        return more

    def ask(self, count):
        for _ in range(count // len(self.sockets)):
            for one in self.sockets:
                one.sendall(self._request())
            for place in range(len(self.sockets)):
                self._answer(place)
                if self.beside:
                    self.beside.sendall(BESIDE)
                    self._more(self.beside)
        return count // len(self.sockets) * len(self.sockets)

    def close(self):
        for one in [*self.sockets, *([self.beside] if self.beside else [])]:
            one.close()
