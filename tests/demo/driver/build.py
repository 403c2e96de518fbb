"""Builds what the demo runs, and only what is older than its sources."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache" / "demo"
JARS = {name: HERE / "java" / name / "target" / f"{name}.jar" for name in ("shop", "order", "stock", "zookeeper")}
TOOLS = {
    "java": "a JDK of 17 or newer (apt-get install openjdk-17-jdk)",
    "mvn": "Maven (apt-get install maven)",
    "go": "Go 1.26 or newer (https://go.dev/dl)",
}


class Unusable(Exception):
    """Something the demo needs is not there; the text says what and how to get it."""


def check_tools():
    missing = [f"{tool}: {hint}" for tool, hint in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise Unusable("the demo needs\n  " + "\n  ".join(missing))


def newest(folder, suffixes):
    """Time of the newest source below a folder; what a build made does not count."""
    times = [0.0]
    for path, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f != "target"]
        times += [os.stat(os.path.join(path, f)).st_mtime for f in files if f.endswith(suffixes)]
    return max(times)


def fresh(made, sources_time):
    return all(m.exists() and m.stat().st_mtime >= sources_time for m in made)


def step(title, command, cwd, env=None):
    """Runs one build step; its output goes to a file and is shown when it fails."""
    CACHE.mkdir(parents=True, exist_ok=True)
    log = CACHE / (title.split()[1] + ".build.log")
    print(f"demo: {title} ...", flush=True)
    begin = time.monotonic()
    with log.open("wb") as out:
        code = subprocess.call(command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT)
    if code != 0:
        sys.stderr.write("".join(log.read_text(errors="replace").splitlines(True)[-40:]))
        raise Unusable(f"`{' '.join(map(str, command))}` in {cwd} ended with {code}; the whole output is in {log}")
    print(f"demo: {title} took {time.monotonic() - begin:.0f} s", flush=True)


def java():
    folder = HERE / "java"
    if fresh(JARS.values(), newest(folder, (".java", ".xml", ".properties"))):
        return
    step("build services (maven; the first time downloads about 100 MB)", ["mvn", "-q", "-B", "package"], folder)
    for jar in JARS.values():
        os.utime(jar)  # maven leaves a jar alone when only another module changed


def go_plain(name):
    made = CACHE / name
    if not fresh([made], newest(HERE / name, (".go", "go.mod"))):
        step(f"build {name} (go)", ["go", "build", "-o", made, "."], HERE / name, {**os.environ, "CGO_ENABLED": "0"})
    return made


def _sum(paths):
    """One checksum over files and folders; times do not tell, `make build` lays dist/go out anew each time."""
    total = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                total.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def go_woven(name, dist):
    """The same source, woven by `trilane go build`; rebuilt when the library changed too."""
    made, tool, mark = CACHE / f"{name}-woven", dist / "trilane", CACHE / f"{name}-woven.sum"
    now = _sum([HERE / name, dist / "go", tool])
    if not (made.exists() and mark.exists() and mark.read_text() == now):
        title = f"build {name}-woven (trilane go build; the first time takes minutes)"
        step(title, [tool, "go", "build", "-o", made, "."], HERE / name)
        mark.write_text(now)
    return made


def library(dist):
    """Path of the agent library."""
    made = dist / "libtrilane.so"
    for needed in (made, dist / "trilane"):
        if not needed.exists():
            raise Unusable(f"{needed} is not there: run `make build` first, or give --phase plain")
    return made
