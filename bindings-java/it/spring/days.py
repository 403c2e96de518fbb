"""Bad days of a Spring service: odd machines, other agents, hostile input. The service starts and answers in each."""

import concurrent.futures
import functools
import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile

import bed
import cases

sys.path.insert(0, os.path.join(bed.HERE, "../../../tests/tools"))

import neighbours  # noqa: E402

OURS = "__microservice_tag__=%5B%7B%22name%22%3A%22{}%22%7D%5D"
HOSTILE = os.path.join(bed.HERE, "../../agent/tests/programs/Hostile.java")


def lanes(world):
    cases.tagged(world)
    cases.untagged(world)
    cases.threads(world)
    cases.clean_connection(world)


def complaints(world):
    said = [line for line in world.jvm.output().splitlines() if "trilane:" in line]
    bad = [line for line in said if any(code in line for code in ("TRL-401", "TRL-402", "TRL-403", "TRL-404"))]
    if bad or not said:
        raise AssertionError("\n".join(bad) or "the library said nothing: it was not loaded")


def raw(world, text):
    """What the server answers to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", world.jvm.port), timeout=180) as connection:
        try:
            connection.sendall(text)
        except OSError:
            pass  # it may have hung up before it had everything
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except OSError:
            pass
        return answer.decode(errors="replace")


def request(*headers, path="/rt/next"):
    head = [f"GET {path} HTTP/1.1".encode(), b"host: test", b"connection: close", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n"


def huge_header(world):
    """A megabyte where a tag or a key belongs: Tomcat refuses it, or it counts as no tag."""
    for name in (b"x-mse-tag", b"x-user-id", b"baggage"):
        answer = raw(world, request(name + b": " + b"g" * 1_000_000))
        if "400" not in answer.split("\r\n")[0] and '"who": "base", "tag": null' not in answer and answer:
            raise AssertionError(f"{name}: {answer[:200]}")
        cases.expect(world.ask("/rt/next"), "base", None, "after a megabyte")
    # As much as Tomcat takes: it reaches the rules, and nothing comes of it.
    for name in ("x_mse_tag", "baggage", "x_user_id", "x_tester"):
        cases.expect(world.ask("/rt/next", **{name: "g" * 7000}), "base", None, name)


def line_breaks(world):
    """A tag never carries a line break any further, folded or bare; a second header is not made of it."""
    for value in (b"gray\r\n x: y", b"gray\rx-evil: 1", b"gray\nx-evil: 1", b"gray\x00", b"gray\x0b", b"\tgray\x1f"):
        answer = raw(world, request(b"x-mse-tag: " + value))
        first = answer.split("\r\n")[0]
        carried = '"tag": "' in answer and '"tag": "gray"' not in answer
        if carried or ("200" not in first and "400" not in first):
            raise AssertionError(f"{value!r}: {answer[-300:]}")
    cases.expect(world.ask("/rt/next"), "base", None, "after line breaks")
    for encoded in ("gray%0d%0a", "gray%0aevil", "%67ray"):
        cases.expect(world.ask("/rt/next", x_mse_tag=encoded), "base", None, encoded)


def disagreeing(world):
    """The order of the carriers decides, and a malformed one is as absent."""
    blue, gray = OURS.format("blue"), OURS.format("gray")
    cases.expect(world.ask("/rt/next", x_mse_tag="gray", baggage=blue), "gray", "gray", "header before baggage")
    cases.expect(world.ask("/rt/next", x_mse_tag="blue", baggage=gray), "base", "blue", "header before baggage")
    cases.expect(world.ask("/rt/next", x_mse_tag="gr ay", baggage=gray), "gray", "gray", "a malformed header")
    cases.expect(world.ask("/rt/next", x_tester="yes", x_mse_tag="blue"), "base", "blue", "carrier before entry rule")
    answer = raw(world, request(b"x-mse-tag: gray", b"x-mse-tag: blue"))
    if '"tag": "gray"' not in answer and '"tag": null' not in answer:
        raise AssertionError(f"twice the same header: {answer[-200:]}")


def abandoned(world):
    """Clients that go away in the middle leave nothing on the thread that served them."""
    for path in ("/rt/next", "/async", "/deferred", "/start", "/callable") * 12:
        with socket.create_connection(("127.0.0.1", world.jvm.port), timeout=180) as connection:
            connection.sendall(request(b"x-mse-tag: gray", path=path))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    for _ in range(40):
        cases.expect(world.ask("/rt/next"), "base", None, "after abandoned requests")


def mixed(world, total=10_000, connections=20):
    """Good, failing and abandoned requests side by side: each answer is its own request's, in its own lane."""
    work, wrong = queue.Queue(), []
    paths = ["/rt/next", "/feign", "/async", "/callable", "/deferred", "/start", "/future", "/error", "/gone"]
    kinds = [({}, "base", None), ({"x_mse_tag": "gray"}, "gray", "gray"), ({"x_mse_tag": "dev-7"}, "base", "dev-7")]
    for n in range(total):
        work.put((n, paths[n % len(paths)], *kinds[(n // len(paths)) % len(kinds)]))

    def one(connection, n, path, headers, who, tag):
        if path == "/gone":
            with socket.create_connection(("127.0.0.1", world.jvm.port), timeout=180) as short:
                lines = [f"{k.replace('_', '-')}: {v}".encode() for k, v in headers.items()]
                short.sendall(request(*lines, path=f"/rt/next?n={n}"))
        elif path == "/error":
            status, _ = world.jvm.get(f"/plain?url=nonsense&n={n}", None, **headers)
            if status < 400:
                wrong.append(f"/plain answered {status}")
        else:
            answer = world.ask(f"{path}?n={n}", connection, **headers)
            cases.expect(answer, who, tag, path)
            if not answer["path"].endswith(f"n={n}"):
                wrong.append(f"{path} n={n} got {answer['path']}")

    def client():
        connection = world.jvm.connect()
        while len(wrong) < 10:
            try:
                job = work.get_nowait()
            except queue.Empty:
                return
            try:
                one(connection, *job)
            except (AssertionError, OSError) as why:
                wrong.append(f"{job}: {why}")
                connection = world.jvm.connect()

    crowd = [threading.Thread(target=client) for _ in range(connections)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    if wrong:
        raise AssertionError("; ".join(wrong[:3]))


def unwarned(world):
    """-Xcheck:jni: warnings name the frames; none is the bridge's, and none comes without a frame of somebody else's."""
    lines = world.jvm.output().splitlines()
    for at, line in enumerate(lines):
        if "WARNING in native method" in line or "FATAL ERROR in native method" in line:
            frames = [one for one in lines[at + 1 : at + 6] if one.strip().startswith("at ")]
            if not frames or any("java.trilane" in frame for frame in frames):
                raise AssertionError("\n".join([line, *frames]))


def hostile(jar, folder):
    """How to start the program under a class loader that asks its parent for nothing but what it must."""
    subprocess.run(["javac", "--release", "11", "-nowarn", "-d", folder, HOSTILE], check=True)
    with zipfile.ZipFile(jar) as packed:
        packed.extractall(folder, [name for name in packed.namelist() if name.startswith("BOOT-INF/")])
    path = [folder, f"{folder}/BOOT-INF/classes", f"{folder}/BOOT-INF/lib/*"]
    return ["-cp", os.pathsep.join(path), "-Djava.system.class.loader=Hostile", "it.App"]


def machines():
    """Name, the JVM's own flags instead of the usual ones, and what is asked of it."""
    small = ["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
    yield "64 MB heap, through sh -c", [*small, "-Xmx64m", "-XX:+UseSerialGC"], [lanes]
    yield "default collector, C2, 4 processors", ["-XX:ActiveProcessorCount=4", "-Xmx384m"], [lanes, mixed]
    yield "parallel collector, 1 processor", ["-XX:ActiveProcessorCount=1", "-XX:+UseParallelGC", "-Xmx192m"], [lanes]
    yield "checked JNI", [*small, "-Xmx192m", "-XX:+UseSerialGC", "-Xcheck:jni"], [lanes, unwarned]


def on_machine(run, label, world, asked):
    for case in [*asked, complaints]:
        run(f"{label}: {case.__name__}", functools.partial(case, world))


def input_cases(run, home, jar, library, rest_client):
    with cases.World(home, jar, library, cases.Rules(), rest_client) as world:
        on_machine(run, "input", world, [huge_header, line_breaks, disagreeing, abandoned])


def agents(run, all_cases, home, jar, library):
    """Other people's agents before and after ours."""
    for name in ("opentelemetry", "skywalking", "jacoco", "ttl"):
        try:
            with tempfile.TemporaryDirectory() as folder:
                theirs = neighbours.options(name, folder)
                alone = subprocess.run([f"{home}/bin/java", *theirs, "-version"], capture_output=True, text=True)
                if alone.returncode != 0:
                    why = (alone.stderr.strip().splitlines() or ["it says nothing"])
                    cause = next((line for line in why if line.startswith("Caused by: ")), why[-1])
                    raise neighbours.Missing(f"it does not start on this JDK without the library either: {cause}")
                agent(run, name, theirs, home, jar, library)
        except neighbours.Missing as why:
            all_cases.skip(name, why)
    try:
        arthas(run, neighbours.place("arthas"), home, jar, library)
    except neighbours.Missing as why:
        all_cases.skip("arthas", why)


def agent(run, name, theirs, home, jar, library):
    for word in ("first", "last"):
        rules = cases.Rules()
        ours = [f"-agentpath:{library}=trilane.rules={rules.path}"]
        flags = ["-Xmx320m", "-Xcheck:jni", *(theirs + ours if word == "first" else ours + theirs)]
        with cases.World(home, jar, None, rules, True, flags=flags) as world:
            on_machine(run, f"{name} {word}", world, [lanes, unwarned])


def arthas(run, folder, home, jar, library):
    """Arthas comes, watches a class that the hook of Tomcat has edited, and goes."""
    with cases.World(home, jar, library, cases.Rules(), True, flags=["-Xmx320m"]) as world:
        port = bed.free_port()
        core = f"{folder}/arthas-core.jar"
        attach = [f"{home}/bin/java", "-jar", core, "-core", core, "-agent", f"{folder}/arthas-agent.jar"]
        attach += ["-pid", str(world.jvm.process.pid), "-target-ip", "127.0.0.1"]
        attach += ["-telnet-port", "0", "-http-port", str(port)]
        subprocess.run(attach, check=True, capture_output=True, stdin=subprocess.DEVNULL)

        def command(text):
            body = json.dumps({"action": "exec", "command": text}).encode()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", body, timeout=120) as answer:
                    return answer.read().decode()
            except (OSError, http.client.HTTPException):
                return ""  # `stop` ends the connection as it likes

        def watched(world):
            stop = threading.Event()

            def ask():
                while not stop.is_set():
                    cases.expect(world.ask("/rt/next", x_mse_tag="gray"), "gray", "gray", "while it is watched")

            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                asked = pool.submit(ask)
                answer = command("watch org.apache.catalina.connector.CoyoteAdapter service -n 1")
                stop.set()
                asked.result()
            if '"type":"watch"' not in answer:
                raise AssertionError(answer[:500])

        def gone(world):
            command("reset")
            lanes(world)
            command("stop")
            lanes(world)

        on_machine(run, "arthas", world, [lanes, watched, lanes, gone])


def days(run, all_cases, home, jar, library):
    for label, flags, asked in machines():
        shell = "sh -c" in label
        with cases.World(home, jar, library, cases.Rules(), True, base_flags=flags, shell=shell) as world:
            on_machine(run, label, world, asked)
    with tempfile.TemporaryDirectory() as folder:
        with cases.World(home, jar, library, cases.Rules(), True, start=hostile(jar, folder)) as world:
            on_machine(run, "a system class loader of its own", world, [lanes])
    agents(run, all_cases, home, jar, library)
