#!/usr/bin/env python3
"""Real Spring Boot programs with and without the library: `python3 run.py [--library PATH] [--boot 35]`."""

import argparse
import functools
import os
import sys
import tempfile

import bed
import cases
import clients
import days
import edge
import nacos

# The JDKs that each version of Spring Boot is run on.
VERSIONS = {"35": (17, 21, 25), "27": (17,), "41": (21, 25)}
HTTP2 = ["--server.http2.enabled=true"]
MAIN = [
    cases.tagged,
    cases.untagged,
    cases.unknown,
    cases.malformed,
    cases.own_header_of_the_caller,
    cases.threads,
    cases.traced,
    cases.clean_connection,
    cases.failed_request,
    cases.http2,
    cases.entry_header,
    cases.entry_share,
    cases.no_crossed_answers,
    cases.only_tagged,
    cases.unknown_hosts,
    cases.switched,
    cases.call_values,
]


def with_library(run, home, jar, library, rest_client):
    named = {"TRILANE_TRACE_HEADERS": "x-request-id"}
    with cases.World(home, jar, library, cases.Rules(), rest_client, HTTP2, environment=named) as world:
        for case in MAIN:
            run(case.__name__, functools.partial(case, world))
        run("no_complaint", functools.partial(no_complaint, world))


def no_complaint(world):
    """Every row that is expected in this version matched, and no hook failed."""
    said = [line for line in world.jvm.output().splitlines() if "trilane:" in line]
    bad = [line for line in said if "TRL-402" in line or "TRL-403" in line or "TRL-404" in line]
    if bad or not said:
        raise AssertionError("\n".join(bad) or "the library said nothing: it was not loaded")


def stock(run, home, jar, rest_client):
    with cases.World(home, jar, None, None, rest_client) as world:
        run("stock_is_a_mixture", functools.partial(cases.as_stock, world))


def many(run, home, jar, library):
    """A thousand instances on addresses of their own, every tenth of them gray."""
    base, gray = bed.Echo("base", "0.0.0.0"), bed.Echo("gray", "0.0.0.0")
    with tempfile.NamedTemporaryFile("w", suffix=".properties") as more:
        prefix = cases.SIMPLE[2:] + "many"
        for at in range(1000):
            echo = base if at % 10 else gray
            more.write(f"{prefix}[{at}].uri=http://127.0.{1 + at // 250}.{1 + at % 250}:{echo.port}\n")
            if echo is gray:
                more.write(f"{prefix}[{at}].metadata.[alicloud.service.tag]=gray\n")
        more.flush()
        extra = [f"--spring.config.additional-location=file:{more.name}", f"{nacos.BALANCER}cache.enabled=false"]
        with cases.World(home, jar, library, cases.Rules(), False, extra) as world:
            run("handles_stay_flat", functools.partial(cases.handles_stay_flat, world))


def off_first(run, home, jar, library):
    rules = cases.Rules()
    rules.write(mode="off")
    with cases.World(home, jar, library, rules, True) as world:
        run("off_at_start", functools.partial(cases.off_at_start, world))
        run("off_at_start_no_complaint", functools.partial(no_complaint, world))


def virtual_threads(run, home, jar, library):
    extra = ["--spring.threads.virtual.enabled=true"]
    with cases.World(home, jar, library, cases.Rules(), True, extra) as world:
        for case in [cases.tagged, cases.threads, cases.clean_connection]:
            run("virtual_" + case.__name__, functools.partial(case, world))
        run("virtual_no_crossed_answers", functools.partial(cases.no_crossed_answers, world, 2000))


def spring(all_cases, boot, jdk, home, jar, library, bad_days):
    label = f"boot {boot[0]}.{boot[1]} jdk {jdk}: "

    def run(name, body):
        all_cases.run(label + name.replace("_", " "), body)

    def part(body, *arguments):
        try:
            body(run, *arguments)
        except RuntimeError as why:

            def failed(reason=why):
                raise reason

            run(body.__name__ + " starts", failed)

    if bad_days:
        return part(days.days, all_cases, home, jar, library)
    rest_client = boot != "27"
    part(with_library, home, jar, library, rest_client)
    if jdk == VERSIONS[boot][0]:
        part(edge.run, home, jar, library, rest_client)
        part(days.input_cases, home, jar, library, rest_client)
    if boot == "35" and jdk == 17:
        part(stock, home, jar, rest_client)
        part(many, home, jar, library)
        part(off_first, home, jar, library)
    if boot == "35" and jdk == 25:
        part(virtual_threads, home, jar, library)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", default=os.path.join(bed.HERE, "../../../dist/libtrilane.so"))
    parser.add_argument("--boot", default="35,27,41", help="versions, or `none`")
    parser.add_argument("--jdk", help="only this one")
    parser.add_argument("--clients", default="old,mid,new", help="ages of the HTTP clients, or `none`")
    parser.add_argument("--nacos", help="as --boot: versions to run against a Nacos server, or `none`")
    parser.add_argument("--bad-days", action="store_true", help="instead: odd machines, other agents")
    parser.add_argument("--mixed", type=int, default=10_000, help="requests on 20 connections, none crossed")
    parser.add_argument("--option", default="", help="more agent options, as `,trilane.hook.tomcat=off`")
    options = parser.parse_args()
    bed.Jvm.more_options = options.option
    cases.Mixed.total = options.mixed
    library = os.path.abspath(options.library)
    if not os.path.exists(library):
        sys.exit(f"no library at {library}: build it first (make build), or name it with --library")
    boots = [b for b in options.boot.split(",") if b != "none"]
    ages = [a for a in options.clients.split(",") if a != "none"]
    registered = options.boot if options.nacos is None else options.nacos
    alibaba = ["nacos" + n for n in registered.split(",") if n != "none"]
    if not bed.netns.inside():
        if options.bad_days:
            days.neighbours.fetch()
        for boot in boots:
            bed.build("boot" + boot, "app.jar")
        for age in ages:
            clients.build(age)
        for program in alibaba and ["nacos-server", *alibaba]:
            nacos.build(program)
    bed.enter_namespace()
    all_cases, homes = bed.Cases(), bed.jdk_homes()
    for boot in boots:
        jar = bed.build("boot" + boot, "app.jar")
        for jdk in [int(options.jdk)] if options.jdk else VERSIONS[boot]:
            if jar is None:
                all_cases.skip(f"boot {boot} jdk {jdk}", "the program could not be built (see above)")
            elif jdk not in homes:
                all_cases.skip(f"boot {boot} jdk {jdk}", "that JDK is not here: python3 tests/tools/jdks.py fetches it")
            else:
                spring(all_cases, boot, jdk, homes[jdk], jar, library, options.bad_days)
    for age in ages:
        clients.run(all_cases, age, homes, library)
    if alibaba:
        nacos.run(all_cases, alibaba, homes, library)
    sys.exit(all_cases.close())


if __name__ == "__main__":
    main()
