#!/usr/bin/env python3
"""The tables in ../cases/dubbo-*.jsonl beside the real routers.

    python3 tests/rules/dubbo/test_tables.py [--trilane PROGRAM]

A row is what the real router says as well, unless `alone` says why not (that router has a documented difference, or
the row is about what the router is not asked). A row of dubbo-differences.jsonl is what one documented difference
does: `theirs` is the real router's answer, `expect` ours, and the repair named `difference` must explain it.
That ours are as expected is seen by `cargo test -p trilane-cli --test rules`, and here for the differences.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import differences  # noqa: E402
import oracles  # noqa: E402
from differential import Asker, shares  # noqa: E402
from text import rules  # noqa: E402

CASES = HERE.parent / "cases"
DIALECTS = HERE.parents[2] / "docs" / "dialects.md"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trilane", default=str(HERE.parents[2] / "dist/trilane"))
    options = parser.parse_args()
    oracles.prepare(["java", "go"])
    askers = {flavor: Asker(flavor, options.trilane, 20_000) for flavor in ("java", "go")}
    failed, count = [], 0
    for table in sorted(CASES.glob("dubbo-*.jsonl")):
        for text in table.read_text(encoding="utf-8").splitlines():
            row = json.loads(text)
            count += 1
            check = difference if "difference" in row else agreement
            why = check(row, askers)
            if why:
                failed.append(f"{table.name} {row['case']['id']}: {why}\n    why: {row['why']}")
    failed += undocumented()
    print(f"dubbo tables: {count} rows beside the real routers, {len(failed)} failed")
    print("\n".join(failed), end="\n" if failed else "")
    return 1 if failed else 0


def flavor_of(row):
    return row["case"].get("settings", {}).get("dubbo.meaning", "java")


def agreement(row, askers):
    if row.get("alone"):
        return ""
    found = askers[flavor_of(row)].theirs.ask([json.dumps(row["case"])])[0]
    if found.get("error") or found["set"] != row["expect"]["set"]:
        return f"the real router: {found}"
    return ""


def difference(row, askers):
    asker, case = askers[flavor_of(row)], dict(row["case"], spec=row["spec"])
    if rules(case["dialect"], row["spec"]) != case["rules"]:
        return "`spec` is not what `rules` says"
    theirs, ours = asker.ask_theirs([case])[0], asker.ours([case])[0]
    if ours.get("error") or ours["set"] != row["expect"]["set"]:
        return f"ours: {ours}"
    if not as_said(row["theirs"], theirs, case):
        return f"the real router no longer differs as described: {theirs}"
    if not asker.differ(case, ours, theirs):
        return "it does not differ"
    names = asker.explained(case, ours)
    return "" if names and row["difference"] in names else f"explained by {names}, not by {row['difference']}"


def as_said(said, theirs, case):
    if "error" in said:
        return said["error"] in theirs.get("error", "")
    if "set" in said:
        return theirs.get("set") == said["set"]
    counted, _ = shares(case, theirs)
    ids = {*counted, *said["share"]}
    # 20,000 calls: a hundredth of all is three standard deviations and more.
    return all(abs(counted.get(i, 0) - said["share"].get(i, 0)) < 0.015 for i in ids)


def undocumented():
    """Each known difference has a row of its own and a line in the documents."""
    rows = [json.loads(text) for text in (CASES / "dubbo-differences.jsonl").read_text().splitlines()]
    shown = {(row["difference"], flavor_of(row)) for row in rows}
    text = DIALECTS.read_text(encoding="utf-8")
    missing = [f"{d.name}: no row for {f}" for d in differences.ALL for f in d.flavors if (d.name, f) not in shown]
    return missing + [f"{d.name}: not in docs/dialects.md" for d in differences.ALL if f"`{d.name}`" not in text]


if __name__ == "__main__":
    sys.exit(main())
