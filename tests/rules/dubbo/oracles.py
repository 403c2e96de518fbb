"""Builds and starts the programs that ask the real routers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache" / "rules" / "dubbo"
JARS, CLASSES, GO = CACHE / "jars", CACHE / "classes", CACHE / "oracle-go"
# Calls after which both oracles take a case for one that is not drawn.
PROBES = 64
# A registry may be out of reach for a moment.
AGAIN = HERE.parents[1] / "tools/again.sh"
# A short program: no second compiler, one garbage collector thread. Dubbo's own log is not asked for.
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"]


class Oracle:
    """A running program that answers a line for a line."""

    def __init__(self, command):
        # What it says on stderr is read only when it ends early.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, encoding="utf-8")

    def ask(self, lines):
        answers = []
        # Few enough lines at a time that neither pipe fills while the other side writes.
        for start in range(0, len(lines), 8):
            part = lines[start:start + 8]
            self.process.stdin.write("".join(f"{text}\n" for text in part))
            self.process.stdin.flush()
            for _ in part:
                answer = self.process.stdout.readline()
                if not answer:
                    sys.exit(f"{self.process.args[0]} ended with {self.process.wait()} while it was asked:\n{part}")
                answers.append(json.loads(answer))
        return answers


def start(flavor, draws):
    if flavor == "go":
        return Oracle([str(GO), str(draws)])
    return Oracle([*JAVA, "-cp", f"{CLASSES}:{JARS}/*", "oracle.Oracle", str(draws)])


def prepare(flavors):
    """Builds what is older than its sources."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if "java" in flavors:
        java()
    if "go" in flavors:
        go()


def java():
    project, stamp = HERE / "java", JARS / ".made"
    if not newer(stamp, [project / "pom.xml"]):
        need("mvn", "apt-get install maven")
        copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
        if run([*copy, "-o"], project, quiet=True):
            run([AGAIN, *copy], project)
        stamp.touch()
    sources = sorted((project / "src").rglob("*.java"))
    stamp = CLASSES / ".made"
    if not newer(stamp, sources):
        need("javac", "apt-get install openjdk-17-jdk-headless")
        shutil.rmtree(CLASSES, ignore_errors=True)
        CLASSES.mkdir(parents=True)
        run(["javac", "-nowarn", "-Xlint:-deprecation", "-proc:none", "-encoding", "UTF-8", "-d", CLASSES,
             "-cp", f"{JARS}/*", *sources], project)
        stamp.touch()


def go():
    project = HERE / "go"
    if not newer(GO, [*project.glob("*.go"), project / "go.mod"]):
        need("go", "https://go.dev/dl")
        run([AGAIN, "go", "build", "-o", GO, "."], project)


def newer(made, sources):
    return made.exists() and made.stat().st_mtime >= max(source.stat().st_mtime for source in sources)


def need(program, how):
    if shutil.which(program) is None:
        sys.exit(f"{program} is missing: {how}")


def run(command, folder, quiet=False):
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True,
                          env=dict(os.environ, CGO_ENABLED="0"))
    if done.returncode and not quiet:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.returncode
