"""The transport beside tonic, and from Go beside grpc-go: CPU time per call, alternated, the same loader for both."""

import contextlib
import os
import re
import socket
import struct
import subprocess
import time

from . import machine
from .machine import ROOT

MOST_SERVER, MOST_CLIENT, MOST_GO = 0.7, 0.6, 0.6
TONIC = ROOT / "tests/bench/transport"
CONNECTIONS = 2000


def target():
    return machine.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def tonic():
    own = os.environ.get("CARGO_TARGET_DIR", TONIC / "target")
    return machine.Path(own) / "release/tonic-bench"


def ours():
    return target() / "release/transport-bench"


def prepare(_run):
    machine.need("cargo", "https://rustup.rs")
    machine.command(["cargo", "build", "--quiet", "--release", "-p", "trilane-interop", "--bin", "transport-bench"],
                    title="build transport-bench (cargo)")
    machine.command(["cargo", "build", "--quiet", "--release"], cwd=TONIC, title="build tonic-bench (cargo)")


class Server:
    """A server process that ends with its standard input."""

    def __init__(self, *args):
        self.port = machine.free_port()
        command = [str(a).replace("PORT", str(self.port)) for a in args]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if "listening" not in self.process.stdout.readline():
            raise machine.Unusable(f"{command[0]} does not listen")

    def cpu(self):
        """Nanoseconds of CPU of all its threads."""
        tasks = machine.Path(f"/proc/{self.process.pid}/task")
        return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks.iterdir())

    def resident(self):
        text = machine.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def servers():
    both = [Server(ours(), "server", "--port", "PORT"), Server(tonic(), "server", "PORT")]
    try:
        yield both
    finally:
        for server in both:
            server.end()


def figures_of(line):
    return {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", line)}


def load(server, connections, streams, calls, **more):
    """One window of our loader: its figures, and the server's CPU in microseconds per call."""
    flags = [f"--{name}={value}" for name, value in more.items()]
    flags += [f"--port={server.port}", f"--connections={connections}", f"--streams={streams}", f"--calls={calls}"]
    before = server.cpu()
    said = figures_of(machine.command([ours(), "load", *flags], env=machine.environment()))
    if said["failed"]:
        raise machine.Unusable(f"{said['failed']:.0f} calls failed")
    # The loader's warm calls are in the server's CPU too.
    warm = streams * connections * -(-min(500, calls // connections) // streams)
    said["server_us"] = (server.cpu() - before) / 1000 / (said["calls"] + warm)
    return said


def windows(run, both, rounds, *shape, **more):
    """The figures of each window, for us and for tonic, alternated."""
    found = ([], [])
    for _ in range(run.pick(*rounds)):
        for server, kept in zip(both, found):
            kept.append(load(server, *shape, **more))
    return found


def ratios(found, field="server_us"):
    return [mine[field] / theirs[field] for mine, theirs in zip(*found)]


def servers_rows(run, table, both):
    shapes = {
        "50 x 20, 100 B": ((50, 20, 40_000), {}, MOST_SERVER),
        "10 x 100, 100 B": ((10, 100, 40_000), {}, MOST_SERVER),
        "10 x 10, 1 MB": ((10, 2, 200), {"size": 1 << 20}, 1.2),
        "10 x 2, streams of 1,000 messages of 1 KB": ((10, 2, 200), {"watch": 1000}, 1.2),
    }
    for name, (shape, more, goal) in shapes.items():
        found = windows(run, both, (9, 3), *shape, **more)
        table.add(f"server {name}", "us", [w["server_us"] for w in found[0]])
        table.add(f"server {name}, tonic", "us", [w["server_us"] for w in found[1]])
        table.add(f"server {name}, beside tonic", "x", ratios(found), goal)
        table.add(f"loader's own CPU for it, {name}", "us", [w["loader_cpu_us"] for w in found[0]])
        if name.startswith("50"):
            for who, kept in zip(("ours", "tonic"), found):
                table.add(f"overtaking p99, rounds, {name}, {who}", "", [w["rounds_p99"] for w in kept])


def client_rows(run, table, both):
    server, calls = both[0], run.pick(40_000, 10_000)
    mine, theirs = [], []
    for _ in range(run.pick(9, 3)):
        mine.append(load(server, 1, 20, calls)["loader_cpu_us"])
        said = machine.command([tonic(), "load", str(server.port), "1", "20", str(calls), "98"],
                               env=machine.environment())
        theirs.append(figures_of(said)["loader_cpu_us"])
    table.add("client 1 x 20, 100 B", "us", mine)
    table.add("client 1 x 20, 100 B, tonic", "us", theirs)
    table.add("client 1 x 20, beside tonic", "x", [m / t for m, t in zip(mine, theirs)], MOST_CLIENT)


def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
CALL = frame(1, 4, 1, b"\x83\x86" + literal(b":path", b"/echo.Echo/Call") + literal(b":authority", b"a")
             + literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers"))
CALL += frame(0, 1, 1, b"\0\0\0\0\x66\x0a\x64" + b"7" * 100)


def settled(server):
    """Its resident kB once they no longer grow."""
    last = -1
    while (now := server.resident()) != last:
        last = now
        time.sleep(0.2)
    return now


def memory_rows(table, both):
    for server, who in zip(both, ("ours", "tonic")):
        before = settled(server)
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
        for one in held:
            one.sendall(PREFACE)
        idle = settled(server)
        for one in held:
            one.sendall(CALL)
        for one in held:
            got = b""
            while b"grpc-status" not in got and len(got) < 400:
                more = one.recv(4096)
                got += more
                if not more:
                    raise machine.Unusable("a connection was closed")
        called = settled(server)
        for one in held:
            one.close()
        table.add(f"memory per connection, idle, {who}", "KB", [(idle - before) / CONNECTIONS])
        table.add(f"memory per connection, after one call, {who}", "KB", [(called - before) / CONNECTIONS])


def measure(run):
    table = run.table("triple", "the transport beside tonic: CPU time per call")
    with servers() as both:
        servers_rows(run, table, both)
        client_rows(run, table, both)
    with servers() as both:
        memory_rows(table, both)
    table.note("Both servers on one thread, the same loader (ours), windows alternated. The loader's CPU is shown: "
               "where it is larger than the server's, it is the bottleneck of the rate, not of the CPU per call.")
    table.note("Overtaking: how many other calls end while one runs, in units of the calls in flight.")
    table.show()
