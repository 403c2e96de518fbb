#!/usr/bin/env python3
"""Other people's clients and proxies with our interop server and client.

    python3 tests/interop/peers.py                       # all of them
    python3 tests/interop/peers.py --only curl,grpcio    # some: curl, grpcio, grpc-js, grpcurl, nginx, haproxy, envoy
    python3 tests/interop/peers.py --bin DIR             # instead of dist/

Prints one line for each peer and at the end `peers: N passed, N failed, N skipped`; exits with 1 if a case failed. What
cannot be fetched is skipped with the reason.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import proxies
from run import AGAIN, CACHE, COMPRESSED, HERE, PLAIN, ROOT, Counts, Server, free_port

sys.path.insert(0, str(ROOT / "tests/tools"))
import netns  # noqa: E402

CLIENTS = HERE / "clients"
PROTO = CLIENTS / "testing.proto"
SERVICE = "grpc.testing.TestService"
PYTHON = [f"{name}==1.85.1" for name in ("grpcio", "grpcio-tools", "grpcio-health-checking", "grpcio-reflection")]
NODE = ["@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1"]
DESCRIPTORS = CACHE / "stubs/testing.pb"
FETCHED = "TRILANE_PEERS_FETCHED"


def run(command, minutes=15, **more):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60 * minutes, **more)


def fetch_python():
    """grpcio and what its protoc makes of testing.proto, with the descriptors that our server shows."""
    programs = proxies.python(CACHE, "grpcio", *PYTHON)
    DESCRIPTORS.parent.mkdir(parents=True, exist_ok=True)
    out = DESCRIPTORS.parent
    flags = [f"-I{CLIENTS}", f"--python_out={out}", f"--grpc_python_out={out}", f"--descriptor_set_out={DESCRIPTORS}"]
    run([programs / "python3", "-m", "grpc_tools.protoc", *flags, PROTO], check=True)
    return programs / "python3"


def fetch_node():
    if not shutil.which("node"):
        raise FileNotFoundError("node is not installed")
    folder = CACHE / "node"
    if not (folder / "node_modules/@grpc/proto-loader").exists():
        folder.mkdir(parents=True, exist_ok=True)
        flags = ["--silent", "--no-audit", "--no-fund", "--prefix", folder]
        run([AGAIN, "npm", "install", *flags, *NODE], check=True, cwd=folder)
    return folder / "node_modules"


def fetch_grpcurl():
    if not DESCRIPTORS.exists():
        fetch_python()
    program = CACHE / "grpcurl"
    if not program.exists():
        run([AGAIN, "go", "build", "-C", HERE / "go", "-o", program, "github.com/fullstorydev/grpcurl/cmd/grpcurl"], check=True)
    return program


def fetch_curl():
    if "HTTP2" not in run(["curl", "--version"]).stdout:
        raise FileNotFoundError("this curl knows no HTTP/2")
    return "curl"


def fetch_dubbo_go():
    program, sources = CACHE / "dubbo-go", HERE / "dubbo-go"
    newest = max(p.stat().st_mtime for p in sources.iterdir())
    if not program.exists() or program.stat().st_mtime < newest:
        run([AGAIN, "go", "build", "-C", sources, "-o", program, "."], check=True, minutes=60)
    return program


FETCH = {"curl": fetch_curl, "grpcio": fetch_python, "grpc-js": fetch_node}
FETCH |= {kind: lambda kind=kind: proxies.fetch(kind, CACHE) for kind in ("nginx", "haproxy", "envoy")}
# With minutes of building at the first use.
FETCH |= {"grpcurl": fetch_grpcurl, "dubbo-go": fetch_dubbo_go}


def server(options):
    """Our interop server, with the descriptors for reflection if they were made."""
    port = free_port()
    more = [f"--descriptors={DESCRIPTORS}"] if DESCRIPTORS.exists() else []
    return Server("trilane", [str(options.bin / "interop-server"), f"--port={port}", "--address=127.0.0.1", *more], port)


def lines(done, pair, counts):
    """The cases of a program that prints `CASE: PASS` or `CASE: FAIL: why`."""
    found = re.findall(r"^(\w+): (PASS|FAIL.*)$", done.stdout, re.M)
    for case, result in found:
        counts.case(pair, case, None if result == "PASS" else result)
    if not found or done.returncode not in (0, 1):
        counts.case(pair, "all", f"exit {done.returncode}: {(done.stdout + done.stderr)[-600:]}")


def grpcio(python, options, counts):
    with server(options) as peer:
        done = run([python, CLIENTS / "grpcio_client.py", DESCRIPTORS.parent, peer.port])
    lines(done, "grpcio 1.85.1 -> trilane", counts)


def grpc_js(modules, options, counts):
    with server(options) as peer:
        environment = {**os.environ, "NODE_PATH": str(modules)}
        done = run(["node", CLIENTS / "grpc_js.js", PROTO, peer.port], env=environment)
    lines(done, "grpc-js 1.14.7 -> trilane", counts)


def curl(program, options, counts):
    """Requests framed by hand: (name, method's path or /, more flags, body, what must be in the answer's head and body)."""
    grpc = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    post = ["-X", "POST"]  # without a body: this curl takes an answer before its body's end for a broken stream
    plain = b"this is trilane's interop server; it speaks gRPC\n"
    empty = f"/{SERVICE}/EmptyCall"
    cases = [
        ("unary", empty, grpc, b"\0" * 5, ["HTTP/2 200", "grpc-status: 0"], b"\0" * 5),
        ("not_grpc", "/", [], None, ["HTTP/2 200", "content-type: text/plain"], plain),
        ("json", empty, ["-H", "content-type: application/json"], b"{}", ["HTTP/2 200"], plain),
        ("unimplemented", f"/{SERVICE}/Nothing", [*grpc, *post], None, ["HTTP/2 200", "grpc-status: 12", "Nothing"], b""),
        ("no_path", "/nothing", [*grpc, *post], None, ["grpc-status: 12", "/nothing"], b""),
        ("flag_7", empty, grpc, b"\7\0\0\0\0", ["grpc-status: 13", "flag byte 7"], b""),
        ("cut", empty, grpc, b"\0\0\0\0\x09abc", ["grpc-status: 13", "8 of 14"], b""),
        ("no_message", empty, grpc, b"", ["grpc-status: 12", "no message"], b""),
        ("too_large", empty, grpc, b"\0\x40\0\0\0", ["grpc-status: 8", "1073741824"], b""),
        ("snappy", empty, [*grpc, *post, "-H", "grpc-encoding: snappy"], None, ["grpc-status: 12", "snappy", "gzip"], b""),
        ("odd_timeout", empty, [*grpc, "-H", "grpc-timeout: soon"], b"\0" * 5, ["grpc-status: 0"], b"\0" * 5),
    ]  # fmt: skip
    with server(options) as peer:
        for name, path, flags, body, head, want in cases:
            data = [] if body is None else ["--data-binary", "@-"]
            command = [program, "-sS", "-m", "120", "--http2-prior-knowledge", "-D", "/dev/stderr", *flags, *data]
            done = subprocess.run([*command, f"http://127.0.0.1:{peer.port}{path}"], input=body, capture_output=True)
            said = done.stderr.decode()
            missing = [part for part in head if part not in said.replace("%20", " ")]
            right = done.returncode == 0 and not missing and done.stdout == want
            counts.case("curl -> trilane", name, None if right else f"{missing} missing in {said!r}, {done.stdout!r}")


def grpcurl(program, options, counts):
    """It learns the messages by reflection alone: v1, then v1alpha."""
    request = '{"response_size": 3, "payload": {"body": "AAAA"}}'
    with server(options) as peer:
        at = f"127.0.0.1:{peer.port}"
        asked = [
            ("list", [at, "list"], SERVICE),
            ("describe", [at, "describe", SERVICE], "rpc EmptyCall"),
            ("call", ["-d", request, at, f"{SERVICE}/UnaryCall"], '"body": "AAAA"'),
            ("health", [at, "grpc.health.v1.Health/Check"], "SERVING"),
            ("unknown", [at, "describe", "no.Such"], "Symbol not found"),
        ]
        for name, flags, want in asked:
            done = run([program, "-plaintext", *flags])
            said = done.stdout + done.stderr
            counts.case("grpcurl 1.9.4 -> trilane", name, None if want in said else f"{want!r} is missing in {said!r}")


def dubbo_go(program, options, counts):
    """IDL mode, both directions: gRPC's cases, and group, version and business errors of Dubbo."""
    with server(options) as peer:
        done = run([program, "call", f"127.0.0.1:{peer.port}"])
    lines(done, "dubbo-go 3.3.2 -> trilane", counts)
    pair, broken = "trilane -> dubbo-go 3.3.2", BROKEN["dubbo-go"]
    plain = [case for case in PLAIN + COMPRESSED if case not in broken]
    for words, cases in ([], [*plain, "version_in_vain", "business_error"]), (["red", "2.0"], ["group_and_version"]):
        port = free_port()
        with Server("dubbo-go", [program, "serve", str(port), *words], port):
            client = [options.bin / "interop-client", "--server_host=127.0.0.1", f"--server_port={port}"]
            lines(run([*client, f"--test_case={','.join(cases)}"]), pair, counts)
    for case, why in broken.items():
        counts.skip(pair, case, why)


# What a peer itself breaks, and why.
BROKEN = {
    # It compresses every answer to a client that lists gzip; our client reads them all.
    "dubbo-go": {case: "dubbo-go's handlers neither see nor choose compression" for case in COMPRESSED},
}


def proxy(kind, program, options, counts):
    """All cases through the proxy; and what our client says when nobody is behind it."""
    environment = proxies.environment(CACHE)
    pair = f"trilane -> {kind} -> trilane"
    client = [options.bin / "interop-client", "--server_host=127.0.0.1"]
    print(f"{kind}: {proxies.version(kind, program, environment)}", flush=True)

    def start(to):
        port = free_port()
        return Server(kind, proxies.command(kind, program, CACHE / "run" / kind, port, to), port, environment)

    with server(options) as peer, start(peer.port) as front:
        done = run([*client, f"--server_port={front.port}", "--test_case=all"])
    broken = BROKEN.get(kind, {})
    for case, result in re.findall(r"^(\w+): (PASS|FAIL.*)$", done.stdout, re.M):
        if case in broken and result != "PASS":
            counts.skip(pair, case, broken[case])
        else:
            counts.case(pair, case, None if result == "PASS" else result)
    with start(free_port()) as front:
        said = run([*client, f"--server_port={front.port}", "--test_case=empty_unary"]).stdout
    for part in NOBODY[kind]:
        counts.case(pair, "nobody behind", None if part in said else f"{part!r} is missing in {said!r}")


# What is in our client's words when the proxy reaches nobody.
NOBODY = {
    "nginx": ["Unavailable", "502", "text/html"],
    "haproxy": ["Unavailable", "503", "text/html"],
    "envoy": ["Unavailable", "upstream connect error"],
}
RUN = {"curl": curl, "grpcio": grpcio, "grpc-js": grpc_js, "grpcurl": grpcurl, "dubbo-go": dubbo_go}


def fetch(names):
    """What there is, by name, and why the others are missing: before the namespace cuts us off."""
    ready, missing = {}, {}
    for name in names:
        try:
            ready[name] = str(FETCH[name]())
        except (OSError, subprocess.SubprocessError) as e:
            said = (getattr(e, "stderr", "") or str(e)).strip().splitlines() or [str(e)]
            missing[name] = said[-1]
    return ready, missing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: Path(p).resolve(), default=ROOT / "dist")
    parser.add_argument("--only", default=",".join(FETCH))
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    if FETCHED not in os.environ:
        os.environ[FETCHED] = json.dumps(fetch(options.only.split(",")))
        netns.enter()
    counts = Counts()
    ready, missing = json.loads(os.environ[FETCHED])
    for name, why in missing.items():
        counts.skip(name, "all", f"cannot be had: {why}")
    for name, got in ready.items():
        started, before = time.monotonic(), counts.passed
        RUN[name](got, options, counts) if name in RUN else proxy(name, got, options, counts)
        print(f"{name}: {counts.passed - before} passed, {time.monotonic() - started:.1f} s", flush=True)
    print(f"peers: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
