#!/usr/bin/env python3
"""gRPC's interoperability cases between our server and client and real peers, and h2spec against our server.

    python3 tests/interop/run.py                  # grpc-go, and h2spec
    python3 tests/interop/run.py --java           # grpc-java as well
    python3 tests/interop/run.py --bin DIR        # instead of dist/

Prints one line per pair of peers and at the end `interop: N passed, N failed, N skipped`; exits with 1 if one failed.
"""

import argparse
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/tools"))
import netns  # noqa: E402
from netns import free_port  # noqa: E402

CACHE = ROOT / ".cache/interop"
AGAIN = str(ROOT / "tests/tools/again.sh")

PLAIN = [
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
    "special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service",
]  # fmt: skip
COMPRESSED = [
    "client_compressed_unary", "server_compressed_unary", "client_compressed_streaming", "server_compressed_streaming",
]  # fmt: skip
# What a peer does not have, and why: as client and server, and as server only.
LACKS = {"grpc-go": {case: "grpc-go's interop programs do not have the compressed cases" for case in COMPRESSED}}
SERVER_LACKS = {
    "grpc-java": {
        "client_compressed_unary": "grpc-java's server answers OK to a request that only claims to be compressed",
        "client_compressed_streaming": "grpc-java's server answers OK to a request that only claims to be compressed",
        "server_compressed_streaming": "grpc-java's server answers this stream uncompressed",
    }
}


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def case(self, pair, case, why):
        if why is None:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {pair} {case}: {why}", flush=True)

    def skip(self, pair, case, why):
        self.skipped += 1
        print(f"skipped: {pair} {case}: {why}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: Path(p).resolve(), default=ROOT / "dist")
    parser.add_argument("--java", action="store_true", help="grpc-java as well")
    return parser.parse_args()


def build(options):
    """Fetches and builds the peers, before the namespace cuts us off."""
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = {
        "go-client": "google.golang.org/grpc/interop/client",
        "go-server": "google.golang.org/grpc/interop/server",
        "h2spec": "github.com/summerwind/h2spec/cmd/h2spec",
    }
    stamp = (HERE / "go/go.sum").read_bytes()
    kept = CACHE / "go.sum"
    if not kept.exists() or kept.read_bytes() != stamp:
        for name, package in wanted.items():
            subprocess.run([AGAIN, "go", "build", "-C", str(HERE / "go"), "-o", str(CACHE / name), package], check=True)
        kept.write_bytes(stamp)
    pom = HERE / "java/pom.xml"
    path = CACHE / "java.cp"
    if options.java and (not path.exists() or path.stat().st_mtime < pom.stat().st_mtime):
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
        subprocess.run([AGAIN, "mvn", "-q", "-B", "-f", str(pom), goal, f"-Dmdep.outputFile={path}"], check=True)


class Server:
    """A peer that serves, until the block ends."""

    def __init__(self, name, command, port, environment=None):
        self.name, self.port = name, port
        self.log = open(CACHE / f"{name}.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)

    def __enter__(self):
        end = time.monotonic() + 180
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("localhost", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        self.log.seek(0)
        raise SystemExit(f"{self.name} does not serve:\n{self.log.read()[-2000:]}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def java(main):
    path = (CACHE / "java.cp").read_text(encoding="utf-8").strip()
    return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", path, f"io.grpc.testing.integration.{main}"]


def every_address():
    """Of both families, where this machine has both."""
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return "0.0.0.0"
    return "::"


def serve(kind, options):
    port = free_port()
    command = {
        "trilane": [str(options.bin / "interop-server"), f"--port={port}", f"--address={every_address()}"],
        "grpc-go": [str(CACHE / "go-server"), f"--port={port}"],
        "grpc-java": [*java("TestServiceServer"), f"--port={port}", "--use_tls=false"] if options.java else [],
    }[kind]
    return Server(kind, command, port)


def run_client(kind, port, case, options):
    """Why the case failed, or None."""
    flags = ["--server_host=localhost", f"--server_port={port}", f"--test_case={case}"]
    command = {
        "trilane": [str(options.bin / "interop-client"), *flags],
        "grpc-go": [str(CACHE / "go-client"), *flags],
        "grpc-java": [*java("TestServiceClient"), *flags, "--use_tls=false"] if options.java else [],
    }[kind]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "no end within 300 s"
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip()[-600:]


def pair(client, server, options, counts):
    started, before = time.monotonic(), counts.passed
    name = f"{client} -> {server}"
    with serve(server, options) as peer:
        for case in PLAIN + COMPRESSED:
            lacks = [LACKS.get(client), LACKS.get(server), SERVER_LACKS.get(server)]
            why = next((kept[case] for kept in lacks if kept and case in kept), None)
            if why:
                counts.skip(name, case, why)
            else:
                counts.case(name, case, run_client(client, peer.port, case, options))
    print(f"{name}: {counts.passed - before} passed, {time.monotonic() - started:.1f} s", flush=True)


def h2spec(options, counts):
    started = time.monotonic()
    with serve("trilane", options) as peer:
        # Its own limit for an answer is two seconds: a busy machine may need more.
        command = [str(CACHE / "h2spec"), "-h", "127.0.0.1", "-p", str(peer.port), "-o", "20", "generic", "http2", "hpack"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    total = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
    if total is None:
        return counts.case("h2spec", "all", f"no summary: {(done.stdout + done.stderr)[-600:]}")
    _, passed, skipped, failed = map(int, total.groups())
    counts.passed += passed
    counts.skipped += skipped
    counts.failed += failed
    if failed:
        print(done.stdout[done.stdout.find("Failures:"):], flush=True)
    print(f"h2spec: {total.group(0)}, {time.monotonic() - started:.1f} s", flush=True)


def main():
    options = arguments()
    for program in ["interop-server", "interop-client"]:
        if not (options.bin / program).exists():
            print(f"{options.bin / program} is not there: run `make interop` first, or name the folder with --bin")
            return 1
    if not netns.inside():
        build(options)
        netns.enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    counts = Counts()
    pair("trilane", "trilane", options, counts)
    for peer in ["grpc-go"] + (["grpc-java"] if options.java else []):
        pair(peer, "trilane", options, counts)
        pair("trilane", peer, options, counts)
    h2spec(options, counts)
    print(f"interop: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
