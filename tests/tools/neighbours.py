#!/usr/bin/env python3
"""Other agents for the tests: `python3 tests/tools/neighbours.py jacoco` prints where it is, by pinned version.

`jacoco`, `ttl` and `skywalking` are jars for `-javaagent:`, `arthas` is a folder, all from Maven Central by Maven, kept
in Maven's own store and `.cache/neighbours`; `opentelemetry` is what TRILANE_OTEL_JAR names or `make bench` left. What
cannot be had is said on stderr, `skipped: NAME: why`, and the exit status is 1.

Of SkyWalking, Maven Central has the agent's core (its start, its transformer over Byte Buddy, its reporting); the
plugins, which rewrite libraries, come only in its own download, which is not fetched.
"""

import glob
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "neighbours"
# group, artifact, version, packaging, classifier
ARTIFACTS = {
    "jacoco": ("org.jacoco", "org.jacoco.agent", "0.8.14", "jar", "runtime"),
    "ttl": ("com.alibaba", "transmittable-thread-local", "2.14.5", "jar", ""),
    "skywalking": ("org.apache.skywalking", "apm-agent", "9.4.0", "jar", ""),
    "arthas": ("com.taobao.arthas", "arthas-packaging", "4.0.5", "zip", "bin"),
}
SKYWALKING = "agent.service_name=neighbour\ncollector.backend_service=127.0.0.1:1\nlogging.output=FILE\n"


class Missing(Exception):
    """It cannot be had; the text says why."""


def artifact(name):
    """The file of an artifact in Maven's store; fetched if it is not there."""
    group, module, version, packaging, classifier = ARTIFACTS[name]
    suffix = f"-{classifier}" if classifier else ""
    path = Path.home() / ".m2/repository" / group.replace(".", "/") / module / version
    path = path / f"{module}-{version}{suffix}.{packaging}"
    if path.exists():
        return path
    if shutil.which("mvn") is None:
        raise Missing("Maven is not here: apt-get install maven")
    print(f"neighbours: fetch {module} {version} (Maven)", file=sys.stderr, flush=True)
    wanted = ":".join(part for part in (group, module, version, packaging, classifier) if part)
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"
    command = ["mvn", "-q", "-B", plugin, f"-Dartifact={wanted}", "-Dtransitive=false"]
    done = subprocess.run(command, cwd=ROOT / "bindings-java", capture_output=True, text=True)
    if done.returncode or not path.exists():
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["it said nothing"]
        raise Missing(f"Maven could not fetch {wanted}: {lines[0]}")
    return path


def opentelemetry():
    named = os.environ.get("TRILANE_OTEL_JAR", str(ROOT / ".cache/bench/opentelemetry-javaagent-*.jar"))
    found = sorted(glob.glob(named))
    if not found:
        raise Missing("no jar in TRILANE_OTEL_JAR or .cache/bench (make bench leaves one there)")
    return Path(found[-1])


def place(name):
    """Where a neighbour is, ready for use."""
    if name == "opentelemetry":
        return opentelemetry()
    there = CACHE / f"{name}-{ARTIFACTS[name][2]}"
    if name == "skywalking":  # it looks for its configuration and writes its log beside its jar
        jar = there / "skywalking-agent.jar"
        if not jar.exists():
            for folder in ("config", "plugins"):
                (there / folder).mkdir(parents=True, exist_ok=True)
            (there / "config/agent.config").write_text(SKYWALKING)
            shutil.copy(artifact(name), f"{jar}.new")
            os.rename(f"{jar}.new", jar)
        return jar
    if name == "arthas":
        if not there.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            made = there.with_suffix(".new")
            shutil.rmtree(made, ignore_errors=True)
            with zipfile.ZipFile(artifact(name)) as packed:
                packed.extractall(made)
            os.rename(made, there)
        return there
    return artifact(name)


def fetch():
    """Fetches all that can be had, for tests that will have no network."""
    for name in ARTIFACTS:
        try:
            place(name)
        except (Missing, OSError) as why:
            print(f"skipped: {name}: {why}", file=sys.stderr, flush=True)


def options(name, folder):
    """The JVM options that a neighbour runs with; what it writes is below `folder`."""
    agent = f"-javaagent:{place(name)}"
    if name == "jacoco":
        return [f"{agent}=destfile={folder}/jacoco.exec"]
    if name == "skywalking":
        return [f"-Dskywalking.logging.dir={folder}", agent]
    if name == "opentelemetry":
        return [*(f"-Dotel.{signal}.exporter=none" for signal in ("traces", "metrics", "logs")), agent]
    return [agent]


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in {*ARTIFACTS, "opentelemetry"}:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(place(sys.argv[1]))
    except (Missing, OSError) as why:
        print(f"skipped: {sys.argv[1]}: {why}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
