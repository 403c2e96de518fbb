#!/usr/bin/env python3
"""connectconformance's cases of the gRPC protocol for our Go and Java faces, as client and as server.

    python3 tests/interop/conformance/run.py TARGET go     # TARGET has libtrilane.a with the feature net
    python3 tests/interop/conformance/run.py TARGET java   # TARGET has libtrilane.so with the feature java

What is expected to fail is in known-failing-FACE-MODE.txt, with the reason. Prints what the
runner says and exits with 1 if a case failed that is not listed there, or one passed that is.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
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
PROTOBUF = re.search("<protobuf.version>(.*)<", (HERE / "java/pom.xml").read_text(encoding="utf-8")).group(1)
PROTOS = ["config", "service", "client_compat", "server_compat"]
FEATURES = {
    "versions": ["HTTP_VERSION_2"], "protocols": ["PROTOCOL_GRPC"], "codecs": ["CODEC_PROTO"],
    "compressions": ["COMPRESSION_IDENTITY", "COMPRESSION_GZIP"], "supportsTlsClientCerts": True,
}  # fmt: skip
# The Go face has no limit of its own for messages; Rust has (core/net/tests).
LIMITS = {"go": False, "java": True}


def go(*words, **more):
    return subprocess.run(["go", *words], cwd=BUILD, check=True, text=True, **more)


def mvn(goal, *words):
    command = [str(ROOT / "tests/tools/again.sh"), "mvn", "-q", "-B", "-f", str(HERE / "java/pom.xml"), *words]
    subprocess.run([*command, f"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:{goal}"], check=True)


def runner():
    """Builds the runner; the flag that has protoc find its messages, and these."""
    shutil.copytree(HERE, BUILD, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    go("build", "-o", f"{BUILD}/bin/", "connectrpc.com/conformance/cmd/connectconformance")
    listed = go("list", "-m", "-f", "{{.Dir}}", "connectrpc.com/conformance", stdout=subprocess.PIPE)
    return f"-I{listed.stdout.strip()}/proto", [f"connectrpc/conformance/v1/{name}.proto" for name in PROTOS]


def build_go(target):
    """Our program with what protoc makes of the runner's messages; how it is started."""
    include, names = runner()
    tools = ["google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"]
    go("build", "-o", f"{BUILD}/bin/", *tools)
    flags = []
    for plugin in ("go", "go-grpc"):
        flags += [f"--plugin=protoc-gen-{plugin}={BUILD}/bin/protoc-gen-{plugin}", f"--{plugin}_out={BUILD}"]
        flags += [f"--{plugin}_opt={option}" for option in [f"module={MODULE}", *(f"M{n}={MODULE}/pb" for n in names)]]
    python = proxies.python(CACHE, "grpcio", *PYTHON) / "python3"
    subprocess.run([str(python), "-m", "grpc_tools.protoc", include, *flags, *names], check=True)
    pkgconfig = BUILD / "pkgconfig"
    pkgconfig.mkdir(exist_ok=True)
    text = f"Name: trilane-static\nDescription: Trilane with its transport\nVersion: 0.1.0\nCflags: -I{ROOT}/include\n"
    text += f"Libs: {target}/libtrilane.a -lm -ldl -lpthread\n"
    (pkgconfig / "trilane-static.pc").write_text(text, encoding="utf-8")
    # Go's build cache does not look at what pkg-config says: where the library is is in a flag.
    flag = f"-g -O2 -DTRILANE_HEADERS={zlib.crc32(str(target).encode())}"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(pkgconfig), "CGO_CFLAGS": flag}
    go("build", "-tags", "trilanenet", "-o", f"{BUILD}/bin/conformance", ".", env=environment)
    return [f"{BUILD}/bin/conformance"]


def build_java(target):
    """The same for Java, of messages and face together."""
    include, names = runner()
    made, classes = BUILD / "java-made", BUILD / "java-classes"
    for folder in (made, classes):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    path = BUILD / "java.cp"
    mvn("build-classpath", f"-Dmdep.outputFile={path}")
    jars = path.read_text(encoding="utf-8").strip()
    with zipfile.ZipFile(next(j for j in jars.split(":") if "/protobuf-java-" in j)) as jar:
        jar.extractall(made, [name for name in jar.namelist() if name.endswith(".proto")])
    # Python's protoc does not make Java.
    exe = f"com.google.protobuf:protoc:{PROTOBUF}:exe:linux-x86_64"
    mvn("copy", f"-Dartifact={exe}", f"-DoutputDirectory={BUILD}", "-Dmdep.stripVersion=true")
    protoc = BUILD / "protoc-linux-x86_64.exe"
    protoc.chmod(0o755)
    subprocess.run([str(protoc), include, f"-I{made}", f"--java_out={made}", *names], check=True)
    face = ROOT / "bindings-java/client/src/main"
    sources = [p for folder in (made, HERE / "java", face / "java") for p in folder.rglob("*.java")]
    javac = ["javac", "--release", "11", "-nowarn", "-encoding", "UTF-8", "-d", str(classes), "-cp", jars]
    subprocess.run([*javac, *map(str, sources)], check=True)
    library = f"-Dtrilane.library={target / 'libtrilane.so'}"
    flags = ["-Xshare:auto", "-XX:TieredStopAtLevel=1", library, "-cp", f"{classes}:{face / 'resources'}:{jars}"]
    return ["java", *flags, "conformance.Conformance"]


def main():
    target, face = Path(sys.argv[1]).resolve(), sys.argv[2]
    started = BUILD / f"{face}.json"
    if not netns.inside():
        command = build_java(target) if face == "java" else build_go(target)
        started.write_text(json.dumps(command), encoding="utf-8")
        netns.enter()
    program = json.loads(started.read_text(encoding="utf-8"))
    failed = 0
    for mode in ("client", "server"):
        config = BUILD / f"{face}-{mode}.yaml"
        features = {**FEATURES, "supportsMessageReceiveLimit": LIMITS[face]}
        config.write_text(json.dumps({"features": features}), encoding="utf-8")
        command = [f"{BUILD}/bin/connectconformance", "--conf", str(config), "--mode", mode]
        command += ["--known-failing", f"@{HERE}/known-failing-{face}-{mode}.txt", "--", *program, mode]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        said = done.stdout + done.stderr
        (BUILD / f"{face}-{mode}.log").write_text(said, encoding="utf-8")
        lines = [line for line in said.strip().splitlines() if " TRL-" not in line]
        print(f"connectconformance 1.0.7, our {face.title()} face as {mode}:", flush=True)
        print("\n".join(lines[-2:] if done.returncode == 0 else lines[-60:]), flush=True)
        failed |= done.returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
