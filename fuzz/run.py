#!/usr/bin/env python3
"""Runs the fuzz targets with libFuzzer on the stable compiler: run.py SECONDS [TARGET...]

Each target starts from fuzz/corpus/TARGET and, for rules, from every text of its dialect in tests/rules. Two run at a
time. A finding ends the run with 1, stays in fuzz/artifacts/TARGET and is repeated by the command that is printed; once
mended it moves to fuzz/corpus/TARGET, where `make test` reads it for ever.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE.parent / "tests" / "rules"
# What cargo-fuzz passes, without a sanitizer: those need a nightly compiler, and there is no unsafe code to check.
COVERAGE = ("-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 "
            "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table "
            "-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions")
# The time of one text is the clock's, not the processor's: a parser that hangs is found, a machine that stalls is not.
LIMITS = ["-max_len=8192", "-timeout=120", "-rss_limit_mb=2048", "-print_final_stats=1"]


def targets():
    return re.findall(r'name = "(.*)"', (HERE / "Cargo.toml").read_text().split("[[bin]]", 1)[1])


def build():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "fuzz"
    host = re.search(r"host: (.*)", subprocess.check_output(["rustc", "-vV"], text=True))[1]
    subprocess.run(["cargo", "build", "--quiet", "--release", "--bins", "--manifest-path", str(HERE / "Cargo.toml"),
                    "--target", host, "--target-dir", str(target)], check=True,
                   env={**os.environ, "RUSTFLAGS": COVERAGE})
    return target / host / "release"


def seeds(name, folder):
    """Every text of the dialect in the tables and among the broken files."""
    dialect = name.removeprefix("rules_")
    texts = []
    for table in [*RULES.glob("*.jsonl"), *RULES.glob("cases/*.jsonl")]:
        rows = (json.loads(line)["case"] for line in table.read_text().splitlines() if line.strip())
        texts += [row["rules"] for row in rows if row.get("dialect") == dialect]
    family = dialect.split("-")[0]
    texts += [file.read_text() for file in RULES.glob(f"{family}/broken/*.yaml")]
    for n, text in enumerate(texts):
        (folder / str(n)).write_text(text)


def run(programs, name, seconds):
    """What it did in a line, and whether it found something."""
    kept, found = HERE / "corpus" / name, HERE / "artifacts" / name
    kept.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        grown, given = pathlib.Path(scratch) / "grown", pathlib.Path(scratch) / "seeds"
        grown.mkdir()
        given.mkdir()
        if name.startswith("rules_"):
            seeds(name, given)
        end = subprocess.run([str(programs / name), *LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={found}/",
                              str(grown), str(kept), str(given)], stderr=subprocess.PIPE, text=True, errors="replace")
        if end.returncode:
            said = end.stderr.splitlines()[-40:]
            return "\n".join([f"{name}: FOUND, repeat with {programs / name} {found}/*", *said]), True
    runs = re.search(r"number_of_executed_units: (\d+)", end.stderr)[1]
    reached = re.findall(r"cov: (\d+)", end.stderr)[-1]
    return f"{name}: {int(runs):,} texts in {seconds} s, {reached} edges reached, nothing found", False


def main(arguments):
    if not arguments or not arguments[0].isdigit() or set(arguments[1:]) - set(targets()):
        sys.exit(f"{__doc__}\ntargets: {' '.join(targets())}")
    if not any(map(shutil.which, filter(None, [os.environ.get("CXX"), "c++", "g++", "clang++"]))):
        print("skipped: libFuzzer needs a C++ compiler (apt-get install g++); what it found before runs without one")
        return
    programs = build()
    names = arguments[1:] or targets()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda name: run(programs, name, int(arguments[0])), names))
    for line, _ in ends:
        print(line)
    sys.exit(any(found for _, found in ends))


main(sys.argv[1:])
