#!/usr/bin/env python3
"""Writes the shared vectors. Needs nothing but Python 3.9.

    generate.py            writes the files beside this script
    generate.py --out DIR  writes them into DIR, for comparison

The expectations come from the tables in gen/, written by hand from the design, and from gen/model.py and
gen/xxh3.py, which were written from the design and from the published description of XXH3. Nothing here reads
or runs the library.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from gen import badrules, buckets, carriers, edge, entry, known, metadata, percent, route, route_more, tags, trace, xxh3  # noqa: E402
from gen.rules import numbered  # noqa: E402


def files():
    xxh3.self_check()
    return {
        "tags": tags.cases(),
        "carriers": carriers.cases(),
        "metadata": metadata.cases(),
        "route": route.cases() + route_more.cases(),
        "pick": route.pick_cases(),
        "percent": percent.cases(),
        "entry": entry.cases(),
        "badrules": badrules.cases(),
        "known": known.cases(),
        "edge": edge.cases(),
        "trace": trace.cases(),
    }


def main(arguments):
    out = HERE
    if arguments[:1] == ["--out"] and len(arguments) == 2:
        out = pathlib.Path(arguments[1])
    elif arguments:
        sys.exit(__doc__)
    total = 0
    for name, cases in files().items():
        numbered(name, cases)
        text = json.dumps(cases, indent=1, sort_keys=True, ensure_ascii=False)
        (out / f"{name}.json").write_text(text + "\n", encoding="utf-8", newline="\n")
        total += len(cases)
        print(f"{name}.json: {len(cases)}")
    (out / "buckets.txt").write_text(buckets.text(), encoding="utf-8", newline="\n")
    total += 10000
    print("buckets.txt: 10000")
    print(f"cases: {total}")


main(sys.argv[1:])
