#!/usr/bin/env python3
"""The Java face of the transport: grpc-java's own cases between ours and others, and our own tests.

    python3 bindings-java/client/test.py TARGET [CLASS…] [--agent]

TARGET has libtrilane.so (feature java; with --agent also jvm, and only the lanes are looked at) and interop-server, both
made by cargo. Prints a line for each class and
at the end `java client: N passed, N failed, N skipped`.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache/java-client"
sys.path.insert(0, str(ROOT / "tests/interop"))
import run as interop  # noqa: E402

# Cases of grpc-java's that do not run, with the reason.
LEFT_OUT = {
    "censusContextsPropagated": "it needs grpc-java's census module in the channel's builder",
    "getServerAddressAndLocalAddressFromClient": "a call does not know its connection's addresses on the client",
    "unimplementedService": "run, but as unimplemented_service against a peer: here it expects that a server's tracer"
    " sees calls of services that are not there, which our native side answers",
}
PLAIN = (
    "emptyUnary,largeUnary,clientStreaming,serverStreaming,pingPong,emptyStream,timeoutOnSleepingServer,cancelAfterBegin,"
    "cancelAfterFirstResponse,statusCodeAndMessage,specialStatusMessage,customMetadata,unimplementedMethod,"
    "unimplementedService"
)
COMPRESSED = "clientCompressedUnaryCall,serverCompressedUnary,clientCompressedStream,serverCompressedStream"
GO_LACKS = "grpc-go's interop server does not have the compressed cases"


def classpath():
    """What the pom asks for, fetched once."""
    pom, kept = HERE / "pom.xml", CACHE / "test.cp"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not kept.exists() or kept.stat().st_mtime < pom.stat().st_mtime:
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
        subprocess.run([interop.AGAIN, "mvn", "-q", "-B", "-f", str(pom), goal, f"-Dmdep.outputFile={kept}"], check=True)
    return kept.read_text(encoding="utf-8").strip()


def compiled(jars):
    """Our classes and the tests', by javac: as the pom does it, in two seconds."""
    main, test = CACHE / "classes", CACHE / "test-classes"
    javac = ["javac", "--release", "8", "-Xlint:-options", "-encoding", "UTF-8", "-nowarn"]
    sources = sorted(str(p) for p in (HERE / "src/main/java").rglob("*.java"))
    api = ":".join(j for j in jars.split(":") if re.search(r"/(grpc-api|guava|jsr305)-", j))
    subprocess.run([*javac, "-d", str(main), "-cp", api, *sources], check=True)
    tests = sorted(str(p) for p in (HERE / "src/test/java").rglob("*.java"))
    subprocess.run([*javac, "-d", str(test), "-cp", f"{main}:{jars}", *tests], check=True)
    return f"{test}:{HERE / 'src/test/resources'}:{main}:{HERE / 'src/main/resources'}:{jars}"


NEEDS_AGENT = "theAgentCarriesTheLaneOverPools"
RULES = """\
apiVersion: trilane/v1
mode: on
lanes: [{{tag: gray}}, {{tag: strict, fallback: none}}]
services:
  - name: back
    authorities: ["back.shop:8080"]
    instances: [{{address: "127.0.0.1:{base}"}}, {{address: "127.0.0.1:{gray}", tag: gray}}]
"""


def lanes(path, target, agent):
    """The class Lanes under rules of its own; with the agent as well where the library has it."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    base, gray = (s.getsockname()[1] for s in held)
    rules = CACHE / "lanes.yaml"
    rules.write_text(RULES.format(base=base, gray=gray), encoding="utf-8")
    for s in held:
        s.close()
    flags = [f"-Dbase={base}", f"-Dgray={gray}"]
    if agent:
        flags += [f"-agentpath:{target / 'libtrilane.so'}=rules={rules},log=off", "-Dagent=on"]
    cases = "" if agent else ":!" + NEEDS_AGENT
    return java(path, target, flags, ["Lanes" + cases], {"TRILANE_RULES": str(rules), "TRILANE_LOG": "off"})


def java(path, target, flags, classes, more=None):
    command = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xcheck:jni", *flags]
    command += [f"-Dtrilane.library={target / 'libtrilane.so'}", "-cp", path, "io.github.trilane.grpc.Run", *classes]
    environment = {k: v for k, v in os.environ.items() if k != "JAVA_TOOL_OPTIONS"}
    environment.update(more or {})
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, env=environment)
    print(done.stdout, end="", flush=True)
    warned = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("WARNING in native method")]
    if done.returncode or warned:
        print(done.stderr[-4000:], "\n".join(warned), sep="\n")
    counts = [tuple(map(int, m)) for m in re.findall(r": (\d+) passed, (\d+) failed, (\d+) skipped", done.stdout)]
    failed = 0 if counts and done.returncode == 0 and not warned else 1
    return [sum(c[0] for c in counts), max(failed, sum(c[1] for c in counts)), sum(c[2] for c in counts)]


def example_is_run():
    """Whether the document's example is what the test runs, line by line."""
    document = (ROOT / "docs/triple.md").read_text(encoding="utf-8").split("```java\n")[1].split("```")[0]
    tested = (HERE / "src/test/java/io/github/trilane/grpc/Example.java").read_text(encoding="utf-8")
    lines = {line.strip() for line in tested.splitlines()}
    missing = [line for line in document.splitlines() if line.strip() not in lines]
    for line in missing:
        print(f"FAIL docs/triple.md: Example.java does not run: {line}")
    return not missing


class Options:
    java = False

    def __init__(self, target):
        self.bin = target


def main():
    target = Path(sys.argv[1]).resolve()
    agent = "--agent" in sys.argv
    wanted = [a for a in sys.argv[2:] if not a.startswith("--")]
    options = Options(target)
    if "--inside" not in sys.argv:
        classpath()
        interop.build(options)
        inner = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--inside"]
        tried = subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], capture_output=True)
        if tried.returncode == 0:
            os.execvp("unshare", ["unshare", "-rn", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *inner])
        print("java client: no network namespace of our own (unshare is refused): this machine's loopback is used")
    path = compiled(classpath())
    if agent:
        totals = lanes(path, target, True)
        print(f"java client with the agent: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
        return 1 if totals[1] else 0
    without = ":!" + ",".join(LEFT_OUT)
    pairs = [f"Pairs${name}{without}" for name in ("OursToOurs", "OursToGrpcJava", "GrpcJavaToOurs")]
    totals = java(path, target, [], wanted or [*pairs, "Behaviour", "Serving", "Example"])
    totals[0 if example_is_run() else 1] += 1
    if not wanted:
        totals = [a + b for a, b in zip(totals, lanes(path, target, False))]
    for kind, cases in [] if wanted else [("trilane", f"{PLAIN},{COMPRESSED}"), ("grpc-go", PLAIN)]:
        with interop.serve(kind, options) as peer:
            print(f"ours -> {kind}:")
            more = java(path, target, [f"-Dpeer=localhost:{peer.port}"], [f"Pairs$OursToPeer:{cases}"])
            totals = [a + b for a, b in zip(totals, more)]
    for case, why in LEFT_OUT.items():
        print(f"skipped: {case}: {why}")
    print(f"skipped: {NEEDS_AGENT}: run with --agent, against a library that has it (make test-all)")
    print(f"skipped: grpc-go {COMPRESSED}: {GO_LACKS}")
    print(f"java client: {totals[0]} passed, {totals[1]} failed, {totals[2] + len(LEFT_OUT) + 5} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
