"""The transport beside tonic, and from Go beside grpc-go: CPU time per call, alternated, the same loader for both."""

import contextlib
import os
import re
import resource
import socket
import struct
import subprocess
import time

from . import machine
from .machine import CACHE, ROOT

MOST_SERVER, MOST_CLIENT, MOST_GO, MOST_INSTRUCTIONS = 0.7, 0.6, 0.6, 36_000
TONIC = ROOT / "tests/bench/transport"
GO = ROOT / "bindings-go/triple"
CONNECTIONS = 5000


def target():
    return machine.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def tonic():
    own = os.environ.get("CARGO_TARGET_DIR", TONIC / "target")
    return machine.Path(own) / "release/tonic-bench"


def ours():
    return target() / "release/transport-bench"


def go_program():
    return CACHE / "triple.test"


def prepare(_run):
    machine.need("cargo", "https://rustup.rs")
    build = ["cargo", "build", "--quiet", "--release"]
    programs = ["-p", "trilane-interop", "--bin", "transport-bench", "--bin", "interop-server"]
    machine.command([*build, *programs], title="build transport-bench (cargo)")
    machine.command(build, cwd=TONIC, title="build tonic-bench (cargo)")
    machine.need("go", "https://go.dev/dl")
    # Beside the programs above: the archive there, with other features, is `make build`'s.
    beside = target() / "net"
    # Alone, as `make build` makes it: beside other crate types it is not optimised as a whole.
    alone = ["--features", "net", "--target-dir", beside, "--lib", "--crate-type", "staticlib"]
    machine.command(["cargo", "rustc", "--quiet", "--release", "-p", "trilane-ffi", *alone],
                    title="build the archive with the transport (cargo)")
    CACHE.mkdir(parents=True, exist_ok=True)
    package = CACHE / "trilane-static.pc"
    package.write_text("Name: trilane-static\nDescription: Trilane with its transport\nVersion: 0.1.0\n"
                       f"Cflags: -I{ROOT}/include\nLibs: {beside}/release/libtrilane.a -lm -ldl -lpthread\n")
    # Go's cache does not look at the archive: its time is in a flag.
    stamp = int((beside / "release/libtrilane.a").stat().st_mtime)
    env = {**os.environ, "PKG_CONFIG_PATH": str(CACHE), "CGO_CFLAGS": f"-g -O2 -DTRILANE_ARCHIVE={stamp}"}
    machine.command(["go", "test", "-c", "-tags", "trilanenet", "-o", go_program(), "."], cwd=GO, env=env,
                    title="build the Go client (go)")


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
        "10 x 2, 1 MB": ((10, 2, 200), {"size": 1 << 20}, 1.2),
        "10 x 2, streams of 1,000 messages of 1 KB": ((10, 2, 200), {"watch": 1000}, 1.2),
    }
    for name, (shape, more, goal) in shapes.items():
        found = windows(run, both, (31, 3), *shape, **more)
        table.add(f"server {name}", "us", [w["server_us"] for w in found[0]])
        table.add(f"server {name}, tonic", "us", [w["server_us"] for w in found[1]])
        table.add(f"server {name}, beside tonic", "x", ratios(found), goal)
        table.add(f"loader's own CPU for it, {name}", "us", [w["loader_cpu_us"] for w in found[0]])
        if name.endswith("100 B"):
            for who, kept in zip(("ours", "tonic"), found):
                table.add(f"overtaking p99, rounds, {name}, {who}", "", [w["rounds_p99"] for w in kept])
            table.add(f"overtaking p99, {name}, beside tonic", "x", ratios(found, "rounds_p99"), 1.0)


def client_rows(run, table, both):
    server, calls = both[0], run.pick(40_000, 10_000)
    mine, theirs = [], []
    for _ in range(run.pick(31, 3)):
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
    for _ in range(50):
        if (now := server.resident()) == last:
            break
        last = now
        time.sleep(0.2)
    return last


def answered(connection):
    """Reads up to the frame that ends stream 1: headers (1) with the flag END_STREAM."""
    got = b""
    while True:
        while len(got) < 9 or len(got) < 9 + int.from_bytes(got[:3], "big"):
            more = connection.recv(4096)
            if not more:
                raise machine.Unusable("a connection was closed before its call was answered")
            got += more
        length, kind, flags, stream = int.from_bytes(got[:3], "big"), got[3], got[4], int.from_bytes(got[5:9], "big")
        if stream == 1 and kind == 1 and flags & 1:
            return
        got = got[9 + length:]


def memory_rows(run, table, both):
    count = run.pick(CONNECTIONS, 200)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for server, who in zip(both, ("ours", "tonic")):
        before = settled(server)
        held = []
        for _ in range(count):
            held.append(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            held[-1].sendall(PREFACE)
        idle = settled(server)
        for one in held:
            one.sendall(CALL)
        for one in held:
            answered(one)
        called = settled(server)
        for one in held:
            one.close()
        table.add(f"memory per connection, {count:,} of them, idle, {who}", "KB", [(idle - before) / count])
        table.add(f"memory per connection, after one call, {who}", "KB", [(called - before) / count])


def instructions_of(calls):
    """Instructions of our server's process for so many calls on 10 x 20, its start and end with them."""
    port, log = machine.free_port(), CACHE / "callgrind.log"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={CACHE}/callgrind.out", f"--log-file={log}",
               str(ours()), "server", f"--port={port}"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()
        flags = [f"--port={port}", "--connections=10", "--streams=20", f"--calls={calls}"]
        failed = figures_of(machine.command([ours(), "load", *flags], env=machine.environment()))["failed"]
    finally:
        server.communicate(timeout=60)
    if failed:
        raise machine.Unusable(f"{failed:.0f} calls failed under valgrind")
    return int(re.search(r"Collected : (\d+)", log.read_text()).group(1))


def instructions():
    """Instructions of our server per call on 10 x 20, by callgrind: two lengths, subtracted."""
    machine.need("valgrind", "apt-get install valgrind")
    short, long = 4_000, 12_000
    return (instructions_of(long) - instructions_of(short)) / (long - short)


def go_rows(run, table):
    """CPU of a Go process per unary call with 20 goroutines, ours and grpc-go's in one process."""
    count, warm = run.pick(20_000, 2_000), run.pick(60_000, 2_000)
    env = machine.environment()
    with machine.Child([target() / "release/interop-server", "--port=0", "--address=127.0.0.1"], env,
                       CACHE / "triple-go-server.log") as server:
        where = server.wait_line("^listening on ").split()[-1]
        flags = ["-test.run", "^TestWindows$", "-test.timeout", "10m"]
        with machine.Child([go_program(), *flags], {**env, "TRILANE_BENCH_TARGET": where},
                           CACHE / "triple-go.log") as client:
            client.wait_line("^ready$")

            def window(who, calls):
                mark, begin = client.mark(), client.cpu()
                client.tell(f"{who} {calls}")
                client.wait_line("^done$", since=mark)
                return 1e6 * (client.cpu() - begin) / calls

            seen = {"theirs": [], "ours": []}
            for who in seen:
                window(who, warm)
            for pair in range(run.pick(31, 3)):
                for who in ("ours", "theirs") if pair % 2 else ("theirs", "ours"):
                    seen[who].append(window(who, count))
    table.add("from Go, 20 goroutines", "us", seen["ours"])
    table.add("from Go, grpc-go", "us", seen["theirs"])
    table.add("from Go, beside grpc-go", "x", [a / b for a, b in zip(seen["ours"], seen["theirs"])], MOST_GO)


def measure(run):
    table = run.table("triple", "the transport beside tonic and grpc-go: CPU time per call")
    with servers() as both:
        servers_rows(run, table, both)
        client_rows(run, table, both)
    with servers() as both:
        memory_rows(run, table, both)
    go_rows(run, table)
    try:
        table.add("server 10 x 20, instructions", "", [instructions()], MOST_INSTRUCTIONS, exact=True)
    except machine.Unusable as why:
        table.note(f"Instructions were not counted: {why}")
    table.note("Both servers on one thread, the same loader (ours), windows alternated. The loader's CPU is shown: "
               "where it is larger than the server's, it is the bottleneck of the rate, not of the CPU per call.")
    table.note("Overtaking: how many other calls end while one runs, in units of the calls in flight.")
    table.note("The client rows: callers and connection on one thread in both programs, the same server (ours). From "
               "Go: one process, one connection each, the same stub of protoc-gen-go-grpc, the same server.")
    table.show()
