"""A real Nacos server: a tagged copy registers under its tag, and Spring Cloud Alibaba's callers keep to the lanes."""

import functools
import glob
import json
import os
import tempfile
import time
import urllib.request

import bed
import cases

BALANCER = "--spring.cloud.loadbalancer."
TAGGED = {"ALICLOUD_SERVICE_TAG": "gray"}


def build(folder):
    return bed.build(folder, "server.jar" if folder == "nacos-server" else "app.jar")


def patiently(symptom, start, attempts=3):
    """Starts a program again that gave up because the machine was busy: fixed time-outs of Nacos, none of ours."""
    for _ in range(attempts - 1):
        try:
            return start()
        except RuntimeError as why:
            if symptom not in str(why):
                raise
            print(f"a program gave up on a busy machine ({symptom}): once more", flush=True)
    return start()


def server(home):
    return patiently("derby", functools.partial(one_server, home))


def one_server(home):
    """Its gRPC ports lie 1000 and 1001 above its own, one of raft's 1000 below."""
    target = os.path.join(bed.HERE, "nacos-server", "target")
    # Two jars carry the same classes; the server needs those of this one.
    first = glob.glob(os.path.join(target, "lib", "hessian-4*.jar"))[0]
    path = os.pathsep.join([os.path.join(target, "classes"), first, os.path.join(target, "lib", "*")])
    port, data = 24848, tempfile.TemporaryDirectory(prefix="nacos-", ignore_cleanup_errors=True)
    properties = {
        "nacos.standalone": "true",
        "nacos.home": data.name,
        "nacos.server.main.port": port,
        "server.port": port,
        "server.address": "127.0.0.1",
        "nacos.inetutils.ip-address": "127.0.0.1",
        "datasource.platform": "derby",
        "user.home": data.name,
    }
    flags = ["-Xmx384m", *(f"-D{name}={value}" for name, value in properties.items())]
    jvm = bed.Jvm(home, ["-cp", path, "bed.NacosBed"], "NACOS-BED READY", port, flags=flags)
    jvm.data = data  # removed when the server is forgotten
    return jvm


def service(home, jar, library, registry, name, option=None, extra=(), environment=None, port=None):
    port = port or bed.free_port()
    arguments = ["-jar", jar, f"--server.port={port}", f"--spring.application.name={name}"]
    arguments += [f"--spring.cloud.nacos.discovery.server-addr=127.0.0.1:{registry.port}"]
    arguments += ["--spring.cloud.nacos.discovery.ip=127.0.0.1", "--spring.cloud.loadbalancer.cache.ttl=1s"]
    arguments += [f"--spring.cloud.nacos.discovery.group={registry.group}", *extra]
    start = functools.partial(bed.Jvm, home, arguments, "Started App", port, option, library, environment=environment)
    return patiently("Client not connected", start)


def held(registry, name):
    """All that is told of each registered instance."""
    query = f"serviceName={name}&groupName={registry.group}&namespaceId=public"
    url = f"http://127.0.0.1:{registry.port}/nacos/v3/client/ns/instance/list?{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def registered(registry, name="next"):
    """Port and metadata of each registered instance."""
    return {one["port"]: one["metadata"] for one in held(registry, name)}


def metadata(registry, base, gray):
    bed.eventually("both copies are registered", lambda: len(registered(registry)) == 2)
    seen = registered(registry)
    if seen[gray.port].get("alicloud.service.tag") != "gray" or "alicloud.service.tag" in seen[base.port]:
        raise AssertionError(f"registered under {seen}")


def lanes(caller):
    bed.eventually("the caller sees the gray copy", lambda: caller.ask("/rt/next", x_mse_tag="gray")["who"] == "gray")
    for path in ["/rt/next", "/feign", "/async"]:
        for _ in range(10):
            cases.expect(caller.ask(path, x_mse_tag="gray"), "gray", "gray", path)
            cases.expect(caller.ask(path), "base", None, path)
            cases.expect(caller.ask(path, x_mse_tag="dev-7"), "base", "dev-7", path)


def uncached(caller):
    """Nacos makes new instances for every call, of a class without an equality of its own."""
    lanes(caller)
    first = cases.listings(caller)
    lanes(caller)
    if not 1 <= cases.listings(caller) <= first:
        raise AssertionError(f"published lists grew from {first} to {cases.listings(caller)}")


def killed(caller, gray, registry):
    """When the registry has forgotten the gray copy, its users are served by the baseline."""
    gray.process.terminate()
    gray.process.wait(60)
    deadline = time.monotonic() + 60
    while len(registered(registry)) > 1:
        if time.monotonic() > deadline:
            raise AssertionError("the registry did not forget the stopped copy")
        time.sleep(0.1)

    def served():
        status, body = caller.get("/rt/next", x_mse_tag="gray")
        return status == 200 and json.loads(body)["who"] == "base"

    bed.eventually("the caller has noticed", served)
    for _ in range(10):
        cases.expect(caller.ask("/rt/next", x_mse_tag="gray"), "base", "gray", "after the copy went away")


def entries(home, jar, library, registry, rules):
    """The whole entry with the library off, observing, untagged, and gone again, as of a copy that never saw it."""
    port, option = bed.free_port(), f"trilane.rules={rules.path}"

    def entry(loaded=library, **environment):
        with service(home, jar, loaded, registry, "alone", option, environment=environment, port=port) as copy:
            bed.eventually("the copy is registered", lambda: len(held(registry, "alone")) == 1)
            seen = held(registry, "alone")
            copy.process.terminate()  # as it ends in life: it takes its own entry away
            copy.process.wait(60)
        bed.eventually("the entry is gone", lambda: not held(registry, "alone"))
        return seen

    def same(what, seen):
        if seen != never:
            raise AssertionError(f"{what}: {seen}, without the library {never}")

    never = entry(None)
    same("a second copy without the library", entry(None))
    same("off at start", entry(TRILANE_MODE="off", **TAGGED))
    same("observing", entry(TRILANE_MODE="observe", **TAGGED))
    same("untagged", entry())
    rules.write(mode="off")
    same("off by the rule file", entry(**TAGGED))
    rules.write()
    if entry(**TAGGED) == never:
        raise AssertionError("on and tagged, the entry does not say so")
    same("restarted without the library", entry(None))


def version(all_cases, folder, jdk, home, library, registry):
    """One version of Spring Cloud Alibaba against the server, with either balancer."""
    jar, label = build(folder), f"{folder} jdk {jdk}: "
    if jar is None:
        all_cases.skip(label.strip(), "the program could not be built (see above)")
        return
    rules, registry.group = cases.Rules(), folder
    option = f"trilane.rules={rules.path}"
    start = functools.partial(service, home, jar, library, registry)
    extra = ["--copy=gray"]
    with start("next") as base, start("next", option, extra, TAGGED) as gray, start("caller", option) as caller:
        all_cases.run(label + "metadata", functools.partial(metadata, registry, base, gray))
        all_cases.run(label + "lanes", functools.partial(lanes, caller))
        extra = [BALANCER + "nacos.enabled=true", BALANCER + "cache.enabled=false"]
        with start("caller", option, extra) as second:
            all_cases.run(label + "lanes by Nacos's balancer", functools.partial(lanes, second))
            all_cases.run(label + "lanes without a cache", functools.partial(uncached, second))
        all_cases.run(label + "killed", functools.partial(killed, caller, gray, registry))
    all_cases.run(label + "whole entries", functools.partial(entries, home, jar, library, registry, rules))


def run(all_cases, folders, homes, library):
    """All versions against one server."""
    if 17 not in homes or build("nacos-server") is None:
        all_cases.skip("nacos", "JDK 17 is not installed under /usr/lib/jvm, or the server could not be built")
        return
    try:
        with server(homes[17]) as registry:
            for folder in folders:
                jdk = 25 if folder == "nacos41" and 25 in homes else 17
                version(all_cases, folder, jdk, homes[jdk], library, registry)
    except RuntimeError as why:
        all_cases.run("nacos: start", functools.partial(fail, why))


def fail(why):
    raise why
