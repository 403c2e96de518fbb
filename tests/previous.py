#!/usr/bin/env python3
"""The release before this one and this one in one chain: the same carriers, the same buckets.

    python3 tests/previous.py [REF]    # REF: the newest tag; before the first one, twenty commits back

Builds REF in a work tree of its own (.cache/previous) and needs a built dist/libtrilane.so and dist/trilane.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "previous"
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import netns  # noqa: E402  (the path above comes first)

RULES = """apiVersion: trilane/v1
lanes: [{tag: gray}]
entry:
  - service: shop
    rules: [{lane: gray, percent: 20, key: {header: x-user-id}, salt: "autumn"}]
"""


USERS = 2000
LABEL = {"alicloud.service.tag": "gray"}


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, text=True, **options)


def git(*command):
    return run("git", *command, cwd=ROOT, capture_output=True).stdout.strip()


def reference():
    if len(sys.argv) > 1:
        return sys.argv[1]
    tags = git("tag", "--sort=-creatordate", "--merged", "HEAD").split()
    return tags[0] if tags else "HEAD~20"


def build(ref):
    """Library and program of the other version; debug builds: what they say is the same."""
    commit = git("rev-parse", f"{ref}^{{commit}}")
    tree = CACHE / "tree"
    if tree.exists():
        run("git", "checkout", "-q", "--detach", commit, cwd=tree)
    else:
        run("git", "worktree", "add", "-q", "--detach", tree, commit, cwd=ROOT)
    target = CACHE / "target"
    env = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    cargo = os.environ.get("CARGO", "cargo")
    run(cargo, "build", "-q", "-p", "trilane-ffi", "--features", "jvm", cwd=tree, env=env)
    run(cargo, "build", "-q", "-p", "trilane-cli", cwd=tree, env=env)
    print(f"previous: {ref} is {commit[:9]}", flush=True)
    return target / "debug" / "libtrilane.so", target / "debug" / "trilane"


def compile_programs():
    folder = ROOT / "bindings-java" / "agent" / "tests" / "programs"
    out = CACHE / "classes"
    run("javac", "-nowarn", "-d", out, folder / "Hop.java")
    return out


class Program:
    """One Hop; it ends when its input is closed."""

    def __init__(self, classes, library, *arguments):
        option = [f"-agentpath:{library}"] if library else []
        self.popen = subprocess.Popen(
            ["java", "-XX:TieredStopAtLevel=1", *option, "-cp", classes, "Hop", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = f"http://127.0.0.1:{self.popen.stdout.readline().split()[1]}"

    def get(self, headers):
        request = urllib.request.Request(self.url + "/", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def end(self):
        self.popen.stdin.close()
        self.popen.wait(60)


def chains(classes, old, new):
    """A and B with one version, C with the other, and the other way round: what arrives must not differ."""
    cases = [{}, {"x-mse-tag": "gray"}, {"x-mse-tag": "gray", "x-bag": "user=7"}, {"x-mse-tag": "two words"}]
    cases.append({"baggage": "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"})
    answers = []
    for first, second, third in [(old, old, old), (old, new, old), (new, old, new), (new, new, new)]:
        c = Program(classes, third, "C", "end")
        b = Program(classes, second, "B", "future", c.url)
        a = Program(classes, first, "A", "pool", b.url)
        try:
            answers.append([a.get(headers) for headers in cases])
        finally:
            for program in (a, b, c):
                program.end()
    assert answers[0][1] == "A(gray)>B(gray)>C(gray)", answers[0]
    for other in answers[1:]:
        assert other == answers[0], f"another answer: {other} instead of {answers[0]}"
    return len(cases) * len(answers)


def buckets(old, new):
    """The same users are coloured by the same rule."""
    instances = [{"id": "a", "host": "a", "port": 1}, {"id": "b", "host": "b", "port": 1, "labels": LABEL}]
    question = {"dialect": "native", "rules": RULES, "service": "stock", "caller": {"service": "shop"}}
    users = [{**question, "id": n, "instances": instances, "request": {"headers": {"x-user-id": f"user-{n}"}}}
             for n in range(USERS)]
    asked = "".join(json.dumps(user) + "\n" for user in users)
    said = [run(program, "explain", "--batch", input=asked, capture_output=True).stdout for program in (old, new)]
    gray = said[1].count('"tag":"gray"')
    assert said[0] == said[1], "the two versions colour other users, or send them elsewhere"
    assert 0.15 < gray / USERS < 0.25, f"{gray} of {USERS} are gray"
    return gray


def main():
    if not netns.inside():
        CACHE.mkdir(parents=True, exist_ok=True)
        build(reference())
        compile_programs()
    netns.enter(say=lambda text: print(f"skipped: {text}", flush=True))
    target = CACHE / "target" / "debug"
    dist = Path(os.environ.get("TRILANE_DIST", ROOT / "dist"))
    answers = chains(CACHE / "classes", target / "libtrilane.so", dist / "libtrilane.so")
    gray = buckets(target / "trilane", dist / "trilane")
    print(f"previous: {answers} answers of mixed chains are the same, and the {gray} gray of {USERS} users")


if __name__ == "__main__":
    main()
