#!/usr/bin/env python3
"""The versions that the test beds of bindings-java/it run, as their own tables and poms have them: JSON on stdout.

Keys are subjects (`spring-boot`, `spring-cloud`, `alibaba`, `httpclient4`, `httpclient5`, `okhttp`, `dubbo`), values
lists of texts. docs/compatibility.md is made of it.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPRING = ROOT / "bindings-java/it/spring"
DUBBO = ROOT / "bindings-java/it/dubbo"
sys.path += [str(SPRING), str(DUBBO)]

import run as spring  # noqa: E402
from driver import beds as dubbo  # noqa: E402


def properties(pom):
    """Every `<x.version>` of a pom, in order: names and versions."""
    return re.findall(r"<([a-z0-9]+)\.version>([^<]+)</", pom.read_text(encoding="utf-8"))


def only(pom, name):
    return dict(properties(pom))[name]


def number(version):
    return [int(part) if part.isdigit() else 0 for part in re.split(r"[.-]", version)]


def springs():
    boots = {boot: SPRING / f"boot{boot}/pom.xml" for boot in spring.VERSIONS}
    found = []
    for boot, pom in boots.items():
        jdks = ", ".join(str(jdk) for jdk in spring.VERSIONS[boot])
        found.append((only(pom, "boot"), only(pom, "cloud"), jdks))
    found.sort(key=lambda one: number(one[0]))
    return [f"{boot} (JDK {jdks})" for boot, _, jdks in found], [f"{cloud} with Boot {boot}" for boot, cloud, _ in found]


def alibabas():
    server = re.search(r"<version>([0-9][^<]*\..*)</version>", (SPRING / "nacos-server/pom.xml").read_text())[1]
    poms = [SPRING / f"nacos{boot}/pom.xml" for boot in spring.VERSIONS]
    return [f"{version}, Nacos {server}" for version in sorted((only(pom, "alibaba") for pom in poms), key=number)]


def clients(name):
    versions = {version for key, version in properties(SPRING / "clients/pom.xml") if key == name}
    return sorted(versions, key=number)


def dubbos():
    found = {}
    for bed in dubbo.BEDS.values():
        pom = (DUBBO / bed.folder / "pom.xml").read_text(encoding="utf-8")
        version = re.search(r"<artifactId>dubbo</artifactId>\s*<version>([^<]+)</version>", pom)[1]
        found.setdefault((version, bed.protocol), []).append(bed.jdk or "of PATH")
    key = lambda one: (number(one[0]), one[1])  # noqa: E731
    jdks = lambda names: ", ".join(sorted(names, key=lambda n: int(n) if n.isdigit() else 0))  # noqa: E731
    return [f"{version} {protocol} (JDK {jdks(found[version, protocol])})" for version, protocol in sorted(found, key=key)]


def main():
    boots, clouds = springs()
    found = {"spring-boot": boots, "spring-cloud": clouds, "alibaba": alibabas(), "dubbo": dubbos()}
    found |= {"httpclient4": clients("hc4"), "httpclient5": clients("hc5"), "okhttp": clients("okhttp")}
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
