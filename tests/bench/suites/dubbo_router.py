"""Dubbo's own routing and weighted pick beside ours, on the same lists."""

import json

from . import machine
from .machine import HERE, JAVA_FLAGS, LIBRARY

SIZES = (10, 1000, 10000)
JARS = machine.CACHE / "dubbo-jars"


def prepare(_run):
    machine.need_library()
    project = HERE / "dubbo"
    stamp = JARS / ".made"
    if not stamp.exists() or stamp.stat().st_mtime < (project / "pom.xml").stat().st_mtime:
        machine.need("mvn", "apt-get install maven")
        fetch = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
        try:
            machine.command([*fetch, "-o"], cwd=project, title="gather Dubbo's jars (maven)")
        except machine.Unusable:
            machine.command(fetch, cwd=project, title="fetch Dubbo's jars (maven)")
        stamp.touch()
    classes()


def classes():
    jars = sorted(JARS.glob("*.jar"))
    return machine.javac("dubbo", sorted((HERE / "dubbo").glob("*.java")), classpath=[machine.boot_classes(), *jars])


def measure(run):
    table = run.table("dubbo-router", "dubbo-java 3.3.6 beside the lanes, a tenth of the providers gray, CPU time")
    args = ["java", *JAVA_FLAGS, "-Xmx512m", f"-Xbootclasspath/a:{machine.boot_classes()}",
            f"-agentpath:{LIBRARY}=log=off", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp", f"{classes()}:{JARS}/*", "bench.RouterBench",
            run.pick(15, 3), run.pick(1500, 100), ",".join(map(str, SIZES))]
    out = machine.command(args, env=machine.environment())
    seen = {}
    for line in out.splitlines():
        if line.startswith("{"):
            case = json.loads(line)
            size, tag, what = case["name"].split()
            seen[int(size), tag, what] = [ns / 1000 for ns in case["ns"]]
    for size in SIZES:
        for tag, asked in (("none", "no tag"), ("gray", "tag gray")):
            of = {what: seen[size, tag, what] for what in ("chain", "choose", "hook", "chain+pick", "choose+pick")}
            where = f"{size:,}, {asked}"
            table.add(f"{where}: Dubbo's RouterChain.route", "µs", of["chain"])
            table.add(f"{where}: our choice (Listing.choose)", "µs", of["choose"])
            table.add(f"{where}: our hook whole (Directory.list)", "µs", of["hook"])
            table.add(f"{where}: chain + Dubbo's weighted pick", "µs", of["chain+pick"])
            table.add(f"{where}: our choice + Dubbo's weighted pick", "µs", of["choose+pick"])
            for ours, theirs, name in (("choose", "chain", "our choice beside the chain"),
                                       ("choose+pick", "chain+pick", "with the pick, ours beside theirs")):
                ratio = [a / b for a, b in zip(of[ours], of[theirs])]
                table.add(f"{where}: {name}", "x", ratio, 1.0, 1.0)
    table.note("x: ours divided by theirs, window by window; below 1 is less than Dubbo alone.")
    table.note("The agent is loaded while Dubbo's chain is measured: its tag router then asks once whether we choose.")
    table.show()
