#!/usr/bin/env python3
"""Our dialects beside the real routers of dubbo-java 3.3.6 and dubbo-go 3.3.2, on the same random cases.

    python3 tests/rules/dubbo/differential.py [--count 1000] [--seed 1] [--dialect dubbo-tag] [--flavor java|go]
    python3 tests/rules/dubbo/differential.py --cases FILE.jsonl      # cases of this form, such as one it printed

Ours is asked by `trilane explain --batch` (--trilane PROGRAM). Every disagreement must be one that differences.py
knows; the first others are made smaller and shown, and the exit status is 1. The routers are built on first use
(Maven, Go); `--prepare` does only that, and needs the registries.
"""

import argparse
import copy
import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import differences  # noqa: E402
import oracles  # noqa: E402
from generate import DIALECTS, Generator  # noqa: E402
from text import line  # noqa: E402

# How far a counted share may be from the computed one, in standard deviations.
SIGMA = 6
SHOWN = 3


class Asker:
    """Both sides of one flavor."""

    def __init__(self, flavor, trilane, draws):
        self.flavor, self.trilane, self.draws = flavor, trilane, draws
        self.theirs = oracles.start(flavor, draws)

    def ours(self, cases):
        text = "".join(line(case, {"dubbo.meaning": self.flavor}) + "\n" for case in cases)
        done = subprocess.run([self.trilane, "explain", "--batch"], input=text, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"trilane explain --batch ended with {done.returncode}: {done.stderr}")
        return [json.loads(answer) for answer in done.stdout.splitlines()]

    def ask_theirs(self, cases):
        return self.theirs.ask([line(case) for case in cases])

    def differ(self, case, ours, theirs):
        """Why the answers are not the same; empty when they are."""
        if ours.get("error"):
            return "" if theirs.get("rule") == "none" else f"ours refuses: {ours['error']}"
        if theirs.get("error"):
            return f"theirs ends with {theirs['error']}"
        counted, draws = shares(case, theirs)
        for instance in case["instances"]:
            a, b = ours.get("share", {}).get(instance["id"], 0), counted.get(instance["id"], 0)
            if abs(a - b) > 1e-6 + SIGMA * math.sqrt(max(a * (1 - a), 0.25 / draws) / draws) * (draws > 1):
                return f"{instance['id']}: ours {a:.4f}, theirs {b:.4f}"
        return ""

    def explained(self, case, ours):
        """The documented differences that explain a disagreement."""
        if ours.get("error"):
            return ["refused-here"] if any(text in ours["error"] for text in REFUSED) else None
        agree = lambda repaired: not self.differ(repaired, ours, self.ask_theirs([repaired])[0])
        return differences.recognised(case, self.flavor, agree)

    def unexplained(self, case, why):
        """Whether a smaller case still differs in the same manner and nothing explains it."""
        ours, theirs = self.ours([case])[0], self.ask_theirs([case])[0]
        now = self.differ(case, ours, theirs)
        return now and manner(now) == manner(why) and not self.explained(case, ours)


def manner(why):
    """`theirs ends with x.IndexOutOfBoundsException`, `ours refuses`, or that the shares differ."""
    return why.split(":")[0] if " " in why.split(":")[0] else "shares"


# What is refused here and read there, with the reason in docs/dialects.md.
REFUSED = ("is no subset of a DestinationRule", "an affinity rule is of configVersion v3.1")


def shares(case, theirs):
    """The part of each instance, and how many calls it was counted over; 1 where nothing is drawn."""
    if "outcomes" not in theirs:
        drawn = case["dialect"] == "dubbo-mesh" or any("to" in c for c in differences.conditions(case))
        return {i: 1 / len(theirs["set"]) for i in theirs["set"]}, oracles.PROBES if drawn else 1
    total = sum(outcome["count"] for outcome in theirs["outcomes"])
    parts = Counter()
    for outcome in theirs["outcomes"]:
        for i in outcome["set"]:
            parts[i] += outcome["count"] / total / len(outcome["set"])
    return parts, total


def smaller(case):
    """Cases with one part less."""
    def without(path, value):
        if isinstance(value, list):
            for at in range(len(value)):
                yield path, at
                yield from without([*path, at], value[at])
        elif isinstance(value, dict):
            for name in value:
                yield path, name
                yield from without([*path, name], value[name])

    for part in ("instances", "spec", "request", "caller"):
        for path, last in without([part], case[part]):
            made = copy.deepcopy(case)
            inside = made
            for step in path:
                inside = inside[step]
            del inside[last]
            yield made


def shrink(case, why, unexplained, rounds=200):
    """Takes parts away as long as the disagreement stays."""
    for _ in range(rounds):
        for candidate in smaller(case):
            try:
                if unexplained(candidate, why):
                    case = candidate
                    break
            except (KeyError, TypeError, IndexError, AttributeError):
                continue  # a part without which there is no case
        else:
            return case
    return case


def run(asker, cases, seen):
    """Counts what agrees; returns the cases that nothing explains."""
    open_cases = []
    ours, theirs = asker.ours(cases), asker.ask_theirs(cases)
    for case, a, b in zip(cases, ours, theirs, strict=True):
        why = asker.differ(case, a, b)
        names = why and asker.explained(case, a)
        if not why:
            seen["agree"] += 1
        elif names:
            seen.update([" + ".join(names)])
        else:
            open_cases.append((case, why))
    return open_cases


def main():
    options = arguments()
    oracles.prepare(options.flavor)
    if options.prepare:
        return 0
    failed = 0
    for flavor in options.flavor:
        asker = Asker(flavor, options.trilane, options.draws)
        for dialect in options.dialect or DIALECTS:
            if flavor == "go" and dialect == "dubbo-mesh":
                continue  # dubbo-go has no mesh router
            if options.cases:
                cases = [json.loads(text) for text in options.cases.read_text().splitlines()]
                cases = [case for case in cases if case["dialect"] == dialect]
            else:
                generator = Generator(f"{dialect} {options.seed}")
                cases = [generator.case(dialect, n) for n in range(options.count)]
            seen = Counter()
            open_cases = run(asker, cases, seen)
            told = ", ".join(f"{name} {count}" for name, count in seen.most_common())
            print(f"{flavor} {dialect}: {len(cases)} cases: {told}; not explained {len(open_cases)}", flush=True)
            failed += len(open_cases)
            for case, why in open_cases[:SHOWN]:
                show(case, why, asker)
    return 1 if failed else 0


def show(case, why, asker):
    small = shrink(case, why, asker.unexplained)
    print(f"--- {case['id']}: {why}\n{line(small)}\n{json.dumps(small)}")
    print(json.loads(line(small))["rules"])
    print("ours  ", json.dumps(asker.ours([small])[0]), "\ntheirs", json.dumps(asker.ask_theirs([small])[0]), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=1000, help="calls where the answers of a case vary")
    parser.add_argument("--dialect", action="append", choices=DIALECTS)
    parser.add_argument("--flavor", action="append", choices=("java", "go"))
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--trilane", default=str(HERE.parents[2] / "dist/trilane"))
    parser.add_argument("--prepare", action="store_true")
    options = parser.parse_args()
    options.flavor = options.flavor or ["java", "go"]
    return options


if __name__ == "__main__":
    sys.exit(main())
