#!/usr/bin/env python3
"""connectconformance's cases of the gRPC protocol for our Go face, as client and as server.

    python3 tests/interop/conformance/run.py TARGET     # TARGET has libtrilane.a with the feature net

What is expected to fail is in known-failing-client.txt and known-failing-server.txt, with the reason. Prints what the
runner says and exits with 1 if a case failed that is not listed there, or one passed that is.
"""

import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parent), str(ROOT / "tests/tools")]
import netns  # noqa: E402
import proxies  # noqa: E402
from peers import PYTHON  # noqa: E402

CACHE = ROOT / ".cache/interop"
# As deep as this folder, so that the module's relative replacements hold.
BUILD = CACHE / "conformance"
MODULE = "github.com/trilane/trilane/tests/interop/conformance"
PROTOS = ["config", "service", "client_compat", "server_compat"]
# The Go face has no certificate of the client's and no limit of its own for messages: Rust has both (core/net/tests).
FEATURES = {
    "versions": ["HTTP_VERSION_2"], "protocols": ["PROTOCOL_GRPC"], "codecs": ["CODEC_PROTO"],
    "compressions": ["COMPRESSION_IDENTITY", "COMPRESSION_GZIP"], "supportsMessageReceiveLimit": False,
}  # fmt: skip
CLIENT_CERTIFICATES = {"client": False, "server": True}


def build(target):
    """The runner, and our program with what protoc makes of the runner's messages."""
    shutil.copytree(HERE, BUILD, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    def go(*words, **more):
        return subprocess.run(["go", *words], cwd=BUILD, check=True, text=True, **more)

    tools = ["google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"]
    go("build", "-o", f"{BUILD}/bin/", *tools, "connectrpc.com/conformance/cmd/connectconformance")
    listed = go("list", "-m", "-f", "{{.Dir}}", "connectrpc.com/conformance", stdout=subprocess.PIPE)
    python = proxies.python(CACHE, "grpcio", *PYTHON) / "python3"
    names = [f"connectrpc/conformance/v1/{name}.proto" for name in PROTOS]
    flags = [f"-I{listed.stdout.strip()}/proto"]
    for plugin in ("go", "go-grpc"):
        flags += [f"--plugin=protoc-gen-{plugin}={BUILD}/bin/protoc-gen-{plugin}", f"--{plugin}_out={BUILD}"]
        flags += [f"--{plugin}_opt={option}" for option in [f"module={MODULE}", *(f"M{n}={MODULE}/pb" for n in names)]]
    subprocess.run([str(python), "-m", "grpc_tools.protoc", *flags, *names], check=True)
    pkgconfig = BUILD / "pkgconfig"
    pkgconfig.mkdir(exist_ok=True)
    text = f"Name: trilane-static\nDescription: Trilane with its transport\nVersion: 0.1.0\nCflags: -I{ROOT}/include\n"
    text += f"Libs: {target}/libtrilane.a -lm -ldl -lpthread\n"
    (pkgconfig / "trilane-static.pc").write_text(text, encoding="utf-8")
    # Go's build cache does not look at what pkg-config says: where the library is is in a flag.
    flag = f"-g -O2 -DTRILANE_HEADERS={zlib.crc32(str(target).encode())}"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(pkgconfig), "CGO_CFLAGS": flag}
    go("build", "-tags", "trilanenet", "-o", f"{BUILD}/bin/conformance", ".", env=environment)


def main():
    target = Path(sys.argv[1]).resolve()
    if not netns.inside():
        build(target)
        netns.enter()
    failed = 0
    for mode in ("client", "server"):
        config = BUILD / f"{mode}.yaml"
        features = {**FEATURES, "supportsTlsClientCerts": CLIENT_CERTIFICATES[mode]}
        config.write_text(json.dumps({"features": features}), encoding="utf-8")
        command = [f"{BUILD}/bin/connectconformance", "--conf", str(config), "--mode", mode]
        command += ["--known-failing", f"@{HERE}/known-failing-{mode}.txt", "--", f"{BUILD}/bin/conformance", mode]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        said = done.stdout + done.stderr
        (BUILD / f"{mode}.log").write_text(said, encoding="utf-8")
        lines = [line for line in said.strip().splitlines() if " TRL-" not in line]
        print(f"connectconformance 1.0.7, our Go face as {mode}:", flush=True)
        print("\n".join(lines[-2:] if done.returncode == 0 else lines[-60:]), flush=True)
        failed |= done.returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
