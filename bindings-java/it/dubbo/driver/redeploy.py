"""Two web applications with different versions of Dubbo in one Tomcat, deployed again and again."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from driver.beds import HERE, Node, Program, beds_of, clean_environment, free_port

ROOT = HERE.parents[2]
SOURCES = HERE / "redeploy"
VERSIONS = {"new": "dubbo33", "old": "dubbo27"}
OPENS = [f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in
         ("java.lang", "java.io", "java.util", "java.util.concurrent", "java.math")] + [
         "--add-opens=java.rmi/sun.rmi.transport=ALL-UNNAMED"]  # fmt: skip


def tomcat():
    """Tomcat's jars; empty, and said why, when they cannot be had."""
    script = ROOT / "tests/tools/jdks.py"
    return subprocess.run(["python3", script, "--server"], stdout=subprocess.PIPE, text=True).stdout.strip()


def build(jars):
    """The program, its native part and both web applications; everything that needs no network."""
    made = SOURCES / "target"
    shutil.rmtree(made, ignore_errors=True)
    (made / "program").mkdir(parents=True)
    level = ["--release", "11", "-nowarn"]
    subprocess.run(["javac", *level, "-cp", jars, "-d", made / "program", SOURCES / "Redeploy.java"], check=True)
    java = Path(shutil.which("javac")).resolve().parents[1] / "include"
    headers = ["-I", java, "-I", java / "linux", "-I", ROOT / "include"]
    subprocess.run(["gcc", "-shared", "-fPIC", *headers, "-o", made / "live.so", SOURCES / "live.c", "-ldl"], check=True)
    for name, folder in VERSIONS.items():
        inside = made / name / "WEB-INF"
        (inside / "lib").mkdir(parents=True)
        for jar in (HERE / folder / "target/lib").glob("*.jar"):
            try:
                os.link(jar, inside / "lib" / jar.name)
            except OSError:
                shutil.copy(jar, inside / "lib" / jar.name)
        # Compiled against 2.7: the newer version's own way out is found at run time.
        path = f"{jars}:{HERE / 'dubbo27/target/lib'}/*"
        files = [SOURCES / "Web.java", HERE / "src/it/Chain.java"]
        subprocess.run(["javac", *level, "-cp", path, "-d", inside / "classes", *files], check=True)
    return made


class Tomcats(Program):
    """The program; every line that it prints is kept."""

    def __init__(self, name, java, made, jars, folder, times, url, library=None):
        home = folder / f"home-{name}"
        home.mkdir()
        agent = [f"-agentpath:{library}"] if library else []
        command = [java, "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *OPENS, *agent]
        command += [f"-Durl={url}", f"-Dlive={made / 'live.so'}", f"-Duser.home={home}", "-Ddubbo.qos.enable=false"]
        # Each web application brings a Netty of its own, with pools that outlive it: Dubbo 2.7's are never freed, and
        # after some 40 rounds chunks of the usual 16 MB are all the direct memory there is, with the library or without.
        command += ["-Dio.netty.allocator.type=unpooled", "-Dio.netty.noPreferDirect=true"]
        command += ["-Dio.netty.allocator.maxOrder=3"]
        command += ["-Ddubbo.application.qos-enable=false", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        command += ["-cp", f"{made / 'program'}:{jars}", "it.Redeploy", str(times), str(library or "-"), str(home)]
        command += [f"{version}={made / version}" for version in VERSIONS]
        self.said = []
        super().__init__(name, command, clean_environment(), folder)

    def _read(self):
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
        self.lines.put("end")

    def finished(self, seconds):
        """All lines, when it has ended."""
        self.lines.get(timeout=seconds)
        if self.process.wait() or not self.said or self.said[-1] != "DONE -":
            raise RuntimeError(f"{self.name} ended early: {self.said[-3:]}\n{self.tail()}")
        return self.said[:-1]


def left(lines):
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", lines[-1])}


def run(library, folder, times, check):
    jars = tomcat()
    if not jars:
        return "Tomcat's jars could not be had"
    made = build(jars)
    bed = beds_of("dubbo33", "dubbo")
    ports = {copy: free_port() for copy in ("base", "gray")}
    # 3.3 is asked to speak as 2.7 does.
    providers = [Node(bed, folder, f"c-{copy}", app="c", group="c", port=port) for copy, port in ports.items()]
    try:
        for provider in providers:
            provider.ready()
        gray, base = (f"dubbo://127.0.0.1:{ports[copy]}" for copy in ("gray", "base"))
        url = f"{gray}?dubbo.tag=gray;{base}"
        # Side by side: the one is there only to tell what Dubbo and Tomcat hold by themselves.
        running = [Tomcats(name, bed.java(), made, jars, folder, times, url, agent)
                   for name, agent in (("stock", None), ("ours", library))]  # fmt: skip
        providers += running
        stock, lines = (one.finished(1800) for one in running)
        rounds = [line for line in lines if line.startswith("ROUND ")]
        good = [line for line in rounds if "new=c-gray,c-base old=c-gray,c-base" in line]
        check(f"{times} redeployments of two web applications: both route every time", len(good) == times, 
              str(rounds[-3:]))  # fmt: skip
        # A list lives ten seconds longer than its directory, and is freed when the next one is made.
        now = [(int(at), int(n)) for at, n in re.findall(r"at=(\d+) lists=(-?\d+)", "\n".join(rounds))]
        per_round = now[0][1] if now else 0
        flat = [n <= per_round * (1 + sum(at - other < 12_000 for other, _ in now[: i + 1])) for i, (at, n) in enumerate(now)]
        check("the library's lists stay flat", per_round > 0 and all(flat), str(now))
        bare, ours = left(stock), left(lines)
        # How many of the last ones still have a thread that ends differs by one or two from run to run.
        ok = all(ours[name] <= bare[name] + 2 for name in VERSIONS)
        # The same of what they hold: classes, where a loader has as many as one of those that are left without us.
        each = bare["classes"] // max(1, sum(bare[name] for name in VERSIONS))
        ok_classes = ours["classes"] <= bare["classes"] + 2 * len(VERSIONS) * each
        print(f"     left of {times} rounds: {ours}, without the library {bare}", flush=True)
        check("no class loader is held that Dubbo and Tomcat do not hold without us", ok,
              f"{ours} of {times}; without: {bare}")  # fmt: skip
        check("nor do the bridge's classes hold more of the applications' classes", ok_classes, f"{ours}; {bare}")
    finally:
        for provider in providers:
            provider.stop()
    return None
