#!/usr/bin/env python3
"""dubbo-java in IDL mode against our Java channel and server, both directions.

    python3 bindings-java/client/dubbo/run.py TARGET [--dubbo VERSION]

TARGET has libtrilane.so with the features net and java; VERSION is 3.3.6 if nothing is said.
Prints a line for each direction; exits with 1 if a case failed.
"""

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = sys.argv[sys.argv.index("--dubbo") + 1] if "--dubbo" in sys.argv else "3.3.6"
CACHE = HERE.parents[2] / ".cache/java-client/dubbo" / VERSION
OURS = HERE.parent / "src/main/java"
FLAGS = ["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Ddubbo.application.qos-enable=false"]
FLAGS += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-Ddubbo.application.logger=slf4j"]


def build():
    """Dubbo's stubs by its own plugin; our classes along with them."""
    kept = CACHE / "class.path"
    sources = [HERE / "pom.xml", *(HERE / "src").rglob("*.*"), *OURS.rglob("*.java")]
    if kept.exists() and kept.stat().st_mtime >= max(p.stat().st_mtime for p in sources):
        return
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
    mvn = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), f"-DbuildDirectory={CACHE}", f"-Dmdep.outputFile={kept}.new"]
    mvn += [f"-Ddubbo.version={VERSION}"]
    subprocess.run([*mvn, "generate-sources", goal], check=True)
    path = Path(f"{kept}.new").read_text(encoding="utf-8").strip()
    java = [*(CACHE / "generated-sources").rglob("*.java"), *(HERE / "src").rglob("*.java"), *OURS.rglob("*.java")]
    javac = ["javac", "--release", "11", "-nowarn", "-encoding", "UTF-8", "-d", str(CACHE / "classes"), "-cp", path]
    subprocess.run([*javac, *map(str, java)], check=True)
    os.replace(f"{kept}.new", kept)


def command(target, side, *words):
    path = f"{CACHE / 'classes'}:{(CACHE / 'class.path').read_text(encoding='utf-8').strip()}"
    return ["java", *FLAGS, f"-Dtrilane.library={target / 'libtrilane.so'}", "-cp", path, f"peer.{side}", *words]


def ready(server):
    """The server's READY line: its port."""
    lines = queue.Queue()

    def read():
        for line in server.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while True:
        line = lines.get(timeout=120)
        if line.startswith("READY "):
            return line.split()[1]
        if not line:
            raise SystemExit("the server ended before it was ready")


def direction(target, serves, calls, port):
    with subprocess.Popen(command(target, serves, "serve", port), stdout=subprocess.PIPE, text=True) as server:
        try:
            at = ready(server)
            done = subprocess.run(command(target, calls, "call", f"127.0.0.1:{at}"), timeout=180, check=False,
                                  stdout=subprocess.PIPE, text=True)
            print(done.stdout, end="", flush=True)
            return done.returncode == 0
        finally:
            server.kill()


def main():
    target = Path(sys.argv[1]).resolve()
    if "--inside" not in sys.argv:
        build()
        inner = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--inside"]
        if subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
            os.execvp("unshare", ["unshare", "-rn", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *inner])
        print("dubbo: no network namespace of our own (unshare is refused): this machine's loopback is used")
    there = direction(target, "DubboSide", "OurSide", "50051")
    back = direction(target, "OurSide", "DubboSide", "0")
    return 0 if there and back else 1


if __name__ == "__main__":
    sys.exit(main())
