"""The plain HTTP clients: Apache HttpClient 4 and 5, OkHttp; oldest, middle and newest supported versions."""

import functools
import glob
import os
import subprocess
import threading
from urllib.parse import quote

import bed
import cases

PATHS = [
    "/hc4", "/hc4-minimal", "/hc5", "/hc5-async",
    "/okhttp", "/okhttp-async", "/okhttp-callback", "/okhttp-in-turn", "/okhttp-reused", "/okhttp-clone",
]  # fmt: skip
# Clients that follow redirects by default.
FOLLOWING = ["/hc4", "/hc5", "/hc5-async", "/okhttp", "/okhttp-async"]


def build(age):
    """Packages the program against one age of the clients; gives its class path."""
    folder = os.path.join(bed.HERE, "clients")
    jar = os.path.join(folder, "target", age, "clients.jar")
    sources = glob.glob(os.path.join(folder, "src", "*.java")) + [os.path.join(folder, "pom.xml")]
    if not os.path.exists(jar) or any(os.path.getmtime(jar) < os.path.getmtime(s) for s in sources):
        print(f"building clients ({age})", flush=True)
        for offline in (["-o"], []):
            profile = [] if age == "old" else ["-P" + age]
            command = ["mvn", *offline, *profile, "-q", "-B", "-f", os.path.join(folder, "pom.xml"), "package"]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode == 0:
                break
        else:
            print("\n".join(result.stdout.splitlines()[-20:]))
            return None
    return jar + os.pathsep + os.path.join(folder, "target", age, "lib", "*")


def fetch(jvm, client, url, **headers):
    return jvm.ask(f"{client}?url={quote(url, safe='')}", **headers)


def carry(jvm, echo):
    for client in PATHS:
        for tag in ["gray", None, "dev-7", None]:
            headers = {"x_mse_tag": tag} if tag else {}
            cases.expect(fetch(jvm, client, f"http://{echo.authority}/", **headers), echo.name, tag, client)


def crowd(jvm, echo):
    """Calls that wait for each other are sent by other threads, each with its own tag."""
    wrong = []

    def one(number):
        for turn in range(25):
            client = PATHS[(number + turn) % len(PATHS)]
            tag = [None, "gray", f"t-{number}"][turn % 3]
            headers = {"x_mse_tag": tag} if tag else {}
            try:
                cases.expect(fetch(jvm, client, f"http://{echo.authority}/", **headers), echo.name, tag, client)
            except (AssertionError, OSError) as why:
                wrong.append(str(why))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise AssertionError(f"{len(wrong)} wrong: {wrong[0]}")


def passed_through(jvm, echo):
    """A header that `alicloud.service.header` names rides along with the request, with a tag and without one."""
    for client in PATHS:
        for headers, wanted in (({"x_a": "1"}, "1"), ({}, None), ({"x_a": "2", "x_mse_tag": "gray"}, "2"), ({}, None)):
            got = fetch(jvm, client, f"http://{echo.authority}/", **headers)["passed"]
            if got != wanted:
                raise AssertionError(f"{client}: {headers} became {got}, expected {wanted}")


def traced(jvm, echo):
    """A call from a thread that has nothing of its request gets the tag that came with its x-request-id."""
    for client in [path for path in PATHS if path not in ("/okhttp-reused", "/okhttp-clone")]:
        url, one = f"http://{echo.authority}/", {"x_alone": "1", "x_request_id": client}
        cases.expect(fetch(jvm, client, url, **one), echo.name, None, client + " unknown id")
        cases.expect(fetch(jvm, client, url, x_mse_tag="gray", **one), echo.name, "gray", client + " with the tag's")
        cases.expect(fetch(jvm, client, url, **one), echo.name, "gray", client + " known id")
        cases.expect(fetch(jvm, client, url, x_mse_tag="gray", x_alone="1"), echo.name, None, client + " without id")


def lost(jvm, echo):
    """Such a call without an id is told with its place; at most one a second is looked at."""
    for client in ("/hc4", "/hc5", "/hc5-async", "/okhttp"):
        def places():
            lines = [line for line in jvm.output().splitlines() if "TRL-323" in line]
            return {line.split("about=")[1].split('"')[1] for line in lines}

        before = places()
        bed.eventually(f"{client}: the place of a loss is told", lambda: fetch(
            jvm, client, f"http://{echo.authority}/", x_mse_tag="gray", x_alone="1") and places() - before)


def redirected(jvm, echo, rules):
    """A hop to a host that the rules do not know goes without the tag."""
    named = bed.Echo("named")
    rules.pid = jvm.process.pid
    rules.write(authorities=[named.authority])
    away = f"http://{echo.authority}/"
    for client in FOLLOWING:
        cases.expect(fetch(jvm, client, away, x_mse_tag="gray"), echo.name, None, client + " direct")
        there = f"http://{named.authority}/moved?to=http://{named.authority}/"
        cases.expect(fetch(jvm, client, there, x_mse_tag="gray"), "named", "gray", client + " named")
        moved = f"http://{named.authority}/moved?to={away}"
        cases.expect(fetch(jvm, client, moved, x_mse_tag="gray"), echo.name, None, client + " redirected")


def quiet(jvm):
    said = [line for line in jvm.output().splitlines() if "trilane:" in line]
    bad = [line for line in said if "TRL-402" in line or "TRL-403" in line or "TRL-404" in line]
    if bad or not said:
        raise AssertionError("\n".join(bad) or "the library said nothing: it was not loaded")


def run(all_cases, age, homes, library):
    """All cases of one age of the clients, on the newest JDK that is there."""
    path = build(age)
    jdk = max((j for j in homes if j in (17, 25)), default=None)
    label = f"clients {age} jdk {jdk}: "
    if path is None or jdk is None:
        all_cases.skip(label.strip(), "the program could not be built, or there is no JDK 17 or 25")
        return
    echo, rules, port = bed.Echo("echo"), cases.Rules(), bed.free_port()
    arguments = ["-cp", path, "Clients", str(port)]
    option, named = f"trilane.rules={rules.path}", {"ALICLOUD_SERVICE_HEADER": "x-a", "TRILANE_TRACE_HEADERS": "x-request-id"}
    with bed.Jvm(homes[jdk], arguments, "ready", port, option, library, environment=named) as jvm:
        all_cases.run(label + "carry", functools.partial(carry, jvm, echo))
        all_cases.run(label + "crowd", functools.partial(crowd, jvm, echo))
        all_cases.run(label + "passed through", functools.partial(passed_through, jvm, echo))
        all_cases.run(label + "lost", functools.partial(lost, jvm, echo))
        all_cases.run(label + "traced", functools.partial(traced, jvm, echo))
        all_cases.run(label + "redirected", functools.partial(redirected, jvm, echo, rules))
        all_cases.run(label + "no complaint", functools.partial(quiet, jvm))
