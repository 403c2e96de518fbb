"""What the Spring tests stand on: a private network namespace, echo servers, one JVM at a time, and a list of cases."""

import ctypes
import glob
import http.client
import http.server
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../tests/tools"))

import jdks  # noqa: E402
import netns  # noqa: E402

JAVA_FLAGS = ["-Xms64m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
START_BUDGET = 300.0
PATIENCE = 60.0
PARENT_DEATH_SIGNAL = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def enter_namespace():
    """Runs this program again in a network namespace of its own, where every port is free."""
    netns.enter()


def jdk_homes():
    """Installed JDKs by major version, and those that `make` has fetched."""
    return jdks.homes()


def free_port():
    return netns.free_port()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the default, 5, turns connections away when this machine is busy


class Echo:
    """An ordinary HTTP server that says who it is and what came over the wire."""

    def __init__(self, name, address="127.0.0.1"):
        owner = self
        self.name = name

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 16384
            disable_nagle_algorithm = True

            def do_GET(self):
                if "/moved" in self.path:
                    return self.moved()
                seen = {"who": owner.name, "tag": self.headers.get("x-mse-tag"), "path": self.path}
                seen["baggage"] = self.headers.get("baggage")
                seen["passed"] = self.headers.get("x-a")
                return self.answer(200, json.dumps(seen).encode())

            def moved(self):
                self.send_response(302)
                self.send_header("location", self.path.split("to=", 1)[1])
                self.send_header("content-length", "0")
                self.end_headers()

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("content-type", "text/plain")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = Server((address, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def authority(self):
        return f"127.0.0.1:{self.port}"


def _die_with_parent():
    LIBC.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


class Jvm:
    """One Java program under test."""

    more_options = ""

    def __init__(
        self, home, arguments, ready, port, option=None, library=None, flags=(), environment=None,
        base_flags=JAVA_FLAGS, shell=False,
    ):  # fmt: skip
        self.home, self.port = home, port
        self.log = tempfile.NamedTemporaryFile("w+b", suffix=".log", delete=False)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("JAVA_TOOL", "TRILANE_", "ALICLOUD", "MSE_"))}
        env.update(environment or {})
        if library:
            env["JAVA_TOOL_OPTIONS"] = f"-agentpath:{library}" + (f"={option}{self.more_options}" if option else "")
        command = [os.path.join(home, "bin", "java"), *base_flags, *flags, *arguments]
        if shell:  # the shell stays between, as in a container's start script
            command = ["sh", "-c", shlex.join(command) + "; exit $?"]
        self.process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=_die_with_parent,
            start_new_session=True,
        )  # fmt: skip
        self.wait_for(ready)

    def output(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as text:
            return text.read()

    def wait_for(self, text):
        deadline = time.monotonic() + START_BUDGET
        while text not in self.output():
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(self.output().splitlines()[-60:])
                self.stop()
                raise RuntimeError(f"the program did not say {text!r}:\n{tail}")
            time.sleep(0.05)

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # what a shell started as well
        except ProcessLookupError:
            pass  # it has ended by itself
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        os.unlink(self.log.name)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)

    def get(self, path, connection=None, **headers):
        """Status and body of one request; header names are written with underscores."""
        own = connection or self.connect()
        own.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = own.getresponse()
        body = response.read().decode(errors="replace")
        if connection is None:
            own.close()
        return response.status, body

    def ask(self, path, connection=None, **headers):
        """What the next service saw of one request."""
        status, body = self.get(path, connection, **headers)
        if status != 200:
            raise AssertionError(f"{path} answered {status}: {body[:200]}")
        answer = json.loads(body)
        return answer if "who" in answer else json.loads(answer["second"])


def eventually(what, check):
    """Waits until a check holds. One that raises AssertionError does not hold yet: the last one is shown in the end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        last = "it is false"
        try:
            if check():
                return
        except AssertionError as why:
            last = why
        if time.monotonic() > deadline:
            raise AssertionError(f"within {PATIENCE:.0f} s it did not come true that {what}: {last}")
        time.sleep(0.05)


class Cases:
    """Runs cases, one line each."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, body):
        started = time.monotonic()
        try:
            body()
        except Exception as why:  # a case must not end the others
            self.failed += 1
            print(f"FAILED {name}: {type(why).__name__}: {why}", flush=True)
            return
        self.passed += 1
        print(f"ok {name} ({time.monotonic() - started:.1f} s)", flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        print(f"skipped: {name}: {reason}", flush=True)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0


def build(folder, artefact):
    """Packages one of the programs when its sources are newer; needs the network the first time only."""
    jar = os.path.join(HERE, folder, "target", artefact)
    sources = glob.glob(os.path.join(HERE, "src", "**", "*"), recursive=True)
    sources += glob.glob(os.path.join(HERE, folder, "*.*"))
    if os.path.exists(jar) and all(os.path.getmtime(jar) >= os.path.getmtime(s) for s in sources if os.path.isfile(s)):
        return jar
    if shutil.which("mvn") is None:
        return None
    print(f"building {folder}", flush=True)
    for offline in (["-o"], []):
        command = ["mvn", *offline, "-q", "-B", "-f", os.path.join(HERE, folder, "pom.xml"), "clean", "package"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return jar
    print("\n".join(result.stdout.splitlines()[-20:]))
    return None
