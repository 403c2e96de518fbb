"""What the suites share: the run's options and places, programs, child processes and their CPU time."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import figures

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache" / "bench"
DIST = ROOT / "dist"
LIBRARY = DIST / "libtrilane.so"
OTEL_VERSION = "2.15.0"
OTEL = CACHE / f"opentelemetry-javaagent-{OTEL_VERSION}.jar"
# C2 on, one garbage collector thread: CPU time is the program's.
JAVA_FLAGS = ["-XX:+UseSerialGC", "-XX:-UsePerfData"]


class Unusable(Exception):
    """A suite cannot run; the text says what is missing and how to get it."""


class Run:
    """Options of this run, and where its lines go."""

    def __init__(self, quick, lines):
        self.quick, self.lines = quick, lines

    def pick(self, full, quick):
        return quick if self.quick else full

    def write(self, **fields):
        self.lines.write(fields)

    def table(self, suite, title):
        return figures.Table(self, suite, title)


def say(text):
    """Progress goes to stderr; stdout is for the tables."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def environment(extra=None):
    """Only what finds the programs: no stray setting takes part."""
    kept = ("PATH", "JAVA_HOME", "HOME", "LANG", "TMPDIR")
    return {**{k: os.environ[k] for k in kept if k in os.environ}, **(extra or {})}


def need(program, how):
    if shutil.which(program) is None:
        raise Unusable(f"{program} is missing: {how}")


def need_library():
    if not LIBRARY.exists():
        raise Unusable(f"{LIBRARY.relative_to(ROOT)} is missing: run `make build`")


def command(args, cwd=ROOT, env=None, title=None):
    """Runs a program to its end and returns its stdout; what it said is shown when it fails."""
    if title:
        say(title)
    try:
        done = subprocess.run([str(a) for a in args], cwd=cwd, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, errors="replace")
    except OSError as why:
        raise Unusable(f"`{args[0]}` cannot be started: {why}") from None
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise Unusable(f"`{' '.join(map(str, args))}` ended with {done.returncode}:\n{tail}")
    return done.stdout


def javac(name, sources, beside=(), classpath=()):
    """Compiles into .cache/bench/NAME unless that is newer than its sources; of the sources `beside`, no class stays.

    `-source 8` because it knows no modules: newer ones refuse classes in a package of java's own.
    """
    need("javac", "apt-get install openjdk-17-jdk-headless")
    out = CACHE / name
    stamp = out / ".made"
    reads = max(s.stat().st_mtime for s in [*sources, *beside])
    if stamp.exists() and stamp.stat().st_mtime >= reads:
        return out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    args = ["javac", "-source", "8", "-target", "8", "-nowarn", "-Xlint:-options", "-proc:none", "-implicit:none",
            "-encoding", "UTF-8", "-d", out]
    if classpath:
        args += ["-cp", ":".join(map(str, classpath))]
    command([*args, *sources, *beside], env=environment(), title=f"compile {name} (javac)")
    own = {s.stem for s in sources}
    for made in out.rglob("*.class") if beside else ():
        if made.stem.split("$")[0] not in own:
            made.unlink()
    stamp.touch()
    return out


def boot_classes():
    """The bench's classes of the bridge's package: they go on the boot class path, where the bridge is."""
    sources = sorted((HERE / "java" / "boot").rglob("*.java"))
    return javac("boot", sources, beside=sorted((ROOT / "bindings-java" / "bridge" / "java").rglob("*.java")))


def fetch_otel():
    """The peer that stands beside hello and the shop's start; None, said once, when it cannot be had."""
    if OTEL.exists():
        return OTEL
    say(f"fetch OpenTelemetry's Java agent {OTEL_VERSION} (maven, 22 MB)")
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
    artifact = f"io.opentelemetry.javaagent:opentelemetry-javaagent:{OTEL_VERSION}"
    try:
        need("mvn", "apt-get install maven")
        command(["mvn", "-q", "-B", plugin, f"-Dartifact={artifact}", f"-DoutputDirectory={CACHE}"], cwd=HERE)
    except Unusable as why:
        say(f"skipped: OpenTelemetry's agent stands beside nothing in this run: {str(why).splitlines()[0]}")
    return OTEL if OTEL.exists() else None


def other_jdks(least=17):
    """The java of further JDKs on this machine, newest first: (major version, path); not the one on the path."""
    own = Path(os.path.realpath(shutil.which("java") or "java"))
    found = {}
    for java in sorted(Path("/usr/lib/jvm").glob("*/bin/java")):
        release = java.parent.parent / "release"
        version = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if release.exists() else None
        if version and int(version[1]) >= least and java.resolve() != own:
            found.setdefault(int(version[1]), java)
    return sorted(found.items(), reverse=True)


def finished(args, env):
    """Runs a child to its end: (CPU seconds, max RSS in bytes, exit code)."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    pid = os.posix_spawnp(str(args[0]), [str(a) for a in args], env, file_actions=actions)
    os.close(null)
    _, status, usage = os.wait4(pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status)


def settle(batch, least, most):
    """Warms up until the last four batches are no cheaper than the best before them: a compiler is done then."""
    seen = []
    while len(seen) < most:
        seen.append(batch(len(seen)))
        if len(seen) >= least and min(seen[-4:]) > 0.98 * min(seen[:-4]):
            break
    say(f"warm after {len(seen)} batches: {1e6 * seen[0]:.0f} µs a call at first, {1e6 * seen[-1]:.0f} µs at last")


def turns(run, what, seconds, least, quick):
    """Numbers of turns until so much time is over: decided before the first one, whatever comes out. Says how far it is.

    A slow machine makes fewer turns and wider intervals, never less than `least`.
    """
    begin = said = time.monotonic()
    turn = 0
    while turn < quick if run.quick else turn < least or time.monotonic() - begin < seconds:
        yield turn
        turn += 1
        if time.monotonic() - said > 30:
            said = time.monotonic()
            say(f"{what}: {turn} turns in {said - begin:.0f} of {seconds} s")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Child:
    """A running program whose output can be waited for, and whose CPU time can be read at any moment."""

    def __init__(self, args, env, log):
        self.log = log
        self.lines, self.news, self.ended = [], threading.Condition(), False
        self.popen = subprocess.Popen([str(a) for a in args], env=env, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.clock = (~self.popen.pid << 3) | 2  # its CPU-time clock, as clock_getcpuclockid(3) makes it
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self.log.open("wb") as out:
            for raw in self.popen.stdout:
                out.write(raw)
                out.flush()
                with self.news:
                    self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                    self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def cpu(self):
        """Seconds of CPU of all its threads, dead ones too."""
        return time.clock_gettime(self.clock)

    def tell(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def mark(self):
        with self.news:
            return len(self.lines)

    def wait_line(self, pattern, since=0, budget=300.0):
        wanted, deadline = re.compile(pattern), time.monotonic() + budget
        with self.news:
            while True:
                while since < len(self.lines):
                    since += 1
                    if wanted.search(self.lines[since - 1]):
                        return self.lines[since - 1]
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    tail = "\n".join(self.lines[-15:])
                    raise Unusable(f"no line like `{pattern}` ({self.log}):\n{tail}")
                self.news.wait(left)

    def rss(self):
        text = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGKILL)
        self.popen.stdin.close()
        self.popen.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def put(path, text):
    """Replaces a file whole, as a ConfigMap update does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def abba(seen, switch, child, settle, window):
    """One turn: of the two modes in `seen` the second, the first, the first, the second, a window each; what drifts
    evenly cancels out. Gives the seconds of the switches.

    `settle()` runs after every switch and counts for nothing.
    """
    first, second = seen
    of, switched = {first: [], second: []}, []
    for mode in (second, first, first, second):
        took = switch.to(child, mode)
        if took:
            switched.append(took)
            settle()
        of[mode].append(window())
    for mode, values in of.items():
        seen[mode].append(sum(values) / len(values))
    return switched


class Switch:
    """A rule file's mode: moved into place, and in force when the program says that it took the file."""

    def __init__(self, name, text, mode="on"):
        self.path, self.text, self.mode = CACHE / name, text, mode
        put(self.path, text.format(mode=mode))

    def to(self, child, mode):
        """Seconds until it was in force; 0 when it was already."""
        if mode == self.mode:
            return 0.0
        mark, begin = child.mark(), time.monotonic()
        put(self.path, self.text.format(mode=mode))
        child.wait_line("TRL-210", since=mark, budget=30)
        self.mode = mode
        return time.monotonic() - begin
