"""The versions, protocols and JVMs that are tried, and how a program of each is started."""

import base64
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE.parents[2] / "tests/tools"))

import jdks  # noqa: E402
from netns import free_port  # noqa: E402, F401

READY_SECONDS = 300
SMALL = ["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
OPENS = ["--add-opens=java.base/java.lang=ALL-UNNAMED"]
# As 2.7 does it; since 3.0 a consumer goes by the instances of applications if it can.
BY_INTERFACE = ["-Ddubbo.application.service-discovery.migration=FORCE_INTERFACE"]
# On JDK 25 Dubbo 3.3.6 fails on JSON libraries that are not there, unless the one it shall take comes before them.
JSON_FIRST = ["-Ddubbo.json-framework.prefer=fastjson2"]
ALL_OPENS = OPENS + ["--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.math=ALL-UNNAMED"]


class Bed:
    """One version of Dubbo with one protocol on one JDK."""

    def __init__(self, folder, protocol, jdk=None, flags=()):
        self.folder = folder
        self.protocol = protocol
        self.jdk = jdk
        self.flags = list(flags)

    def java(self):
        """The `java` to use; None where this machine has no such JDK."""
        if self.jdk is None:
            return shutil.which("java")
        home = jdks.homes().get(int(self.jdk))
        return str(Path(home) / "bin/java") if home else None

    def server(self):
        """What a runtime without the JDK's own web server needs on its class path: the same interface over Tomcat."""
        if self.jdk is None or self.java() is None:
            return ""
        modules = subprocess.run([self.java(), "--list-modules"], capture_output=True, text=True, check=True).stdout
        if "jdk.httpserver" in modules:
            return ""
        made, jars = HERE / "zookeeper/target/server", jdks.tomcat()
        if not made.exists():
            # The compiler may know the module, whose package this is.
            level = ["--release", "11", "--limit-modules", "java.se", "-nowarn"]
            sources = (HERE.parents[1] / "agent/tests/tomcat").glob("**/*.java")
            subprocess.run(["javac", *level, "-cp", jars, "-d", made, *sources], check=True)
        return f"{made}:{jars}"


BEDS = {
    "33-tri": Bed("dubbo33", "tri"),
    "33-dubbo": Bed("dubbo33", "dubbo", flags=BY_INTERFACE),
    "33-tri-jdk25": Bed("dubbo33", "tri", "25", JSON_FIRST),
    "33-tri-jdk21": Bed("dubbo33", "tri", "21"),
    "33-tri-jdk11": Bed("dubbo33", "tri", "11"),
    "32-tri": Bed("dubbo32", "tri", flags=OPENS),
    "32-dubbo-jdk25": Bed("dubbo32", "dubbo", "25", OPENS),
    "27": Bed("dubbo27", "dubbo", flags=ALL_OPENS),
    "27-jdk11": Bed("dubbo27", "dubbo", "11", ALL_OPENS),
    "27-jdk21": Bed("dubbo27", "dubbo", "21", ALL_OPENS),
    "27-jdk25": Bed("dubbo27", "dubbo", "25", ALL_OPENS),
}


def beds_of(folder, protocol):
    """A bed for a test that brings programs of its own."""
    return Bed(folder, protocol)


def build(names):
    """Packages what the beds need, and fetches their runtimes; offline if that is enough."""
    jdks.needed(sorted({int(BEDS[name].jdk) for name in names if BEDS[name].jdk}))
    for name in names:
        BEDS[name].server()
    for folder in sorted({"zookeeper"} | {BEDS[name].folder for name in names}):
        target = HERE / folder / "target"
        shared = [] if folder == "zookeeper" else HERE.glob("src/**/*.java")
        sources = [HERE / folder / "pom.xml", *(HERE / folder).glob("src/**/*.java"), *shared]
        jar = target / f"{folder}.jar"
        made = jar.stat().st_mtime if jar.exists() and (target / "lib").exists() else 0
        if all(source.stat().st_mtime < made for source in sources):
            continue
        print(f"     packaging {folder}", flush=True)
        command = ["mvn", "-q", "-B", "package"]
        if subprocess.run([*command, "-o"], cwd=HERE / folder, capture_output=True).returncode:
            subprocess.run(command, cwd=HERE / folder, check=True)
        jar.touch()  # Maven leaves it alone when nothing in it changed


class Program:
    """A JVM of the test: started by it, watched by it, ended by it."""

    def __init__(self, name, command, environment, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        self.lines = queue.Queue()
        self.other = []  # what it prints besides
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log.open("ab")}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith(("READY", "DONE")):
                self.lines.put(line.split(" ", 1)[1].strip())
            else:
                self.other.append(line.rstrip("\n"))
        self.lines.put(None)

    def ready(self):
        """Waits for the program's own word; gives what follows it."""
        try:
            said = self.lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            said = None
        if said is None:
            raise RuntimeError(f"{self.name} did not become ready; the end of its log:\n{self.tail()}")
        return said

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.kill()


class ZooKeeper(Program):
    """The registry; takes orders on its stdin."""

    def __init__(self, folder):
        lib = HERE / "zookeeper/target"
        data = folder / "zookeeper"
        data.mkdir()
        command = ["java", *SMALL, "-cp", f"{lib}/zookeeper.jar:{lib}/lib/*", "it.ZooKeeperServer", str(data)]
        super().__init__("zookeeper", command, clean_environment(), folder)
        self.port = int(self.ready())

    def order(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.ready()

    def put(self, path, text):
        self.order("put", path, base64.b64encode(text.encode()).decode())

    def delete(self, path):
        self.order("delete", path)

    def children(self, path):
        return self.order("list", path).split()


class Node(Program):
    """A provider, a consumer, or both."""

    def __init__(
        self, bed, folder, name, library=None, tag="", rules=None, environment=None, flags=(), main="it.Node",
        classes="", **properties
    ):  # fmt: skip
        self.bed = bed
        environment = {**clean_environment(), **(environment or {})}
        if tag:
            environment["ALICLOUD_SERVICE_TAG"] = tag
        home = folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        options = [f"-agentpath:{library}"] if library else []
        if rules:
            options.append(f"-Dtrilane.rules={rules}")
        if "port" in properties:
            properties["protocol"] = bed.protocol
        options += [f"-D{key}={value}" for key, value in properties.items()]
        lib = HERE / bed.folder / "target"
        path = [classes, f"{lib}/{bed.folder}.jar", f"{lib}/lib/*", bed.server()]
        super().__init__(
            name,
            [
                bed.java(), *SMALL, *bed.flags, *options, *flags, f"-Dname={name}", f"-Duser.home={home}",
                "-Ddubbo.application.qos-enable=false", "-Ddubbo.qos.enable=false",
                "-Ddubbo.registry.timeout=30000", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp", ":".join(str(part) for part in path if part), main,
            ],
            environment,
            folder,
        )  # fmt: skip
        self.http = 0

    def ready(self):
        self.http = int(super().ready())

    def get(self, path="/chain", **headers):
        """Status and body of a request to the program's web server."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}")
        for key, value in headers.items():
            request.add_header(key.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()


def clean_environment():
    mine = ("TRILANE", "ALICLOUD", "MSE", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "OTEL_")
    return {key: value for key, value in os.environ.items() if not key.startswith(mine)}
