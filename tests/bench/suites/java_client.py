"""CPU of a Java process per unary call: our transport beside grpc-java's in one warm process, the same generated stub."""

import re

from . import machine
from .machine import CACHE, DIST, JAVA_FLAGS, ROOT

HERE = machine.HERE / "grpc"
LIBRARY = DIST / "net/libtrilane.so"
SERVER = DIST / "interop-server"
# What a window does, the row's name and the goal.
KINDS = {"async": ("async", 0.6), "direct": ("async, directExecutor", 0.6), "blocking": ("blocking", 0.75)}


def jars():
    pom, kept = HERE / "pom.xml", CACHE / "grpc.cp"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not kept.exists() or kept.stat().st_mtime < pom.stat().st_mtime:
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
        machine.command(["mvn", "-q", "-B", "-f", pom, goal, f"-Dmdep.outputFile={kept}"], title="fetch grpc-java (maven)")
    return kept.read_text(encoding="utf-8").strip().split(":")


def classes():
    sources = [HERE / "TransportClient.java", *sorted((ROOT / "bindings-java/client/src/main/java").rglob("*.java"))]
    return machine.javac("grpc-client", sources, classpath=jars())


def prepare(_run):
    for path, how in ((LIBRARY, "make net"), (SERVER, "make interop")):
        if not path.exists():
            raise machine.Unusable(f"{path.relative_to(ROOT)} is missing: run `{how}`")
    machine.need("mvn", "apt-get install maven")
    classes()


def window(client, who, kind, count):
    """CPU of the client's process per call, in microseconds."""
    mark, begin = client.mark(), client.cpu()
    client.tell(f"{who} {kind} {count}")
    client.wait_line("^done$", since=mark)
    return 1e6 * (client.cpu() - begin) / count


def measure(run):
    count, warm = run.pick(20_000, 500), run.pick(120_000, 1000)
    table = run.table("java-client", "CPU of a Java process per unary call of 100 bytes, 20 concurrent, one connection")
    port = machine.free_port()
    path = ":".join([str(classes()), *jars()])
    flags = [*JAVA_FLAGS, "-Xmx512m", f"-Dtrilane.library={LIBRARY}"]
    env = machine.environment()
    with machine.Child([SERVER, f"--port={port}", "--address=127.0.0.1"], env, CACHE / "grpc-server.log") as server:
        server.wait_line("^listening on ")
        with machine.Child(["java", *flags, "-cp", path, "bench.TransportClient", port], env, CACHE / "grpc.log") as client:
            client.wait_line("^ready$")
            for kind in KINDS:
                for who in ("theirs", "ours"):
                    window(client, who, kind, warm)
            seen = {(who, kind): [] for kind in KINDS for who in ("ours", "theirs")}
            for pair in range(run.pick(31, 2)):
                for kind in KINDS:
                    for who in ("ours", "theirs") if pair % 2 else ("theirs", "ours"):
                        seen[who, kind].append(window(client, who, kind, count))
    grpc = next((m.group(1) for m in (re.search(r"grpc-netty-shaded-([\d.]+)\.jar", j) for j in jars()) if m), "?")
    for kind, (name, goal) in KINDS.items():
        table.add(f"{name}: grpc-java {grpc}", "µs", seen["theirs", kind])
        table.add(f"{name}: ours", "µs", seen["ours", kind])
        ratio = [a / b for a, b in zip(seen["ours", kind], seen["theirs", kind])]
        table.add(f"{name}: ours beside grpc-java's", "x", ratio, goal, 1.0)
    table.note(f"One process, windows of {count:,} calls in turn after {warm:,} warm ones of each; JIT and collector are"
               " counted. Async: the next call is made from onCompleted, on the executor that a channel has unless told"
               " otherwise, or on the transport's own thread (directExecutor). Blocking: 20 threads.")
    table.show()
