#!/usr/bin/env python3
"""Random Dubbo rules x instances x requests, the same ones for the same seed.

    python3 tests/rules/dubbo/generate.py DIALECT COUNT SEED > cases.jsonl

A case is the input of `trilane explain --batch`; beside it stands `spec`, the rules before they became text, so that
a case can be made smaller (shrink.py) or rid of a known defect of the real routers (differences.py).
"""

import json
import random
import sys

DIALECTS = ("dubbo-tag", "dubbo-condition", "dubbo-mesh", "dubbo-affinity")
TAGS = ("gray", "blue", "dev-x")
LEVELS = ("gray|team1", "gray|team1|p1", "gray|team2", "blue|p9")
REGIONS = ("hangzhou", "hangzhou-b", "beijing", "shanghai")
METHODS = ("hello", "helloAll", "save", "find")
HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.30", "10.0.1.1", "10.1.0.1", "192.168.3.4", "127.0.0.1")
PORTS = (20880, 20881)
CALLERS = ("10.9.9.9", "10.9.9.8", "10.0.0.1")


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def often(self, percent):
        return self.random.randrange(100) < percent

    def one(self, options):
        return self.random.choice(options)

    def some(self, options, least, most):
        return [self.one(options) for _ in range(self.random.randint(least, most))]

    def case(self, dialect, number):
        made = getattr(self, dialect.removeprefix("dubbo-"))()
        case = {"id": f"{dialect}-{number}", "dialect": dialect, "service": "demo.Greeting"}
        case["instances"] = self.instances()
        case["caller"] = self.caller()
        case["request"] = self.request(dialect)
        case["spec"] = made
        return case

    # What the rules are about.

    def instances(self):
        made = []
        for number in range(self.random.choice((0, 1, 2, 3, 3, 4, 5, 6, 8, 12))):
            labels = {}
            if self.often(40):
                labels["dubbo.tag"] = self.one(TAGS)
            if self.often(80):
                labels["region"] = self.one(REGIONS)
            if self.often(50):
                labels["env"] = self.one(("x", "y", "z"))
            if self.often(40):
                labels["level"] = str(self.random.randint(0, 150))
            host = self.one(HOSTS[:-1] if self.often(95) else HOSTS)
            instance = {"id": f"i{number}", "host": host, "port": self.one(PORTS), "labels": labels}
            if any(other["host"] == host and other["port"] == instance["port"] for other in made):
                instance["port"] = 21000 + number
            if self.often(10):
                instance["healthy"] = False
            made.append(instance)
        return made

    def caller(self):
        labels = {}
        if self.often(70):
            labels["region"] = self.one(REGIONS)
        if self.often(40):
            labels["env"] = self.one(("x", "y", "z"))
        if self.often(10):
            labels["dubbo.tag"] = self.one(TAGS)
        if self.often(5):
            labels["dubbo.force.tag"] = self.one(("true", "false"))
        return {"service": self.one(("shop", "cart")), "host": self.one(CALLERS), "labels": labels}

    def request(self, dialect):
        request = {"service": "demo.Greeting", "method": self.one(METHODS), "attachments": {}}
        request["args"] = [self.argument() for _ in range(self.random.randint(0, 2))]
        if self.often(60):
            request["attachments"]["user"] = self.one(("u1", "u2", "vip-7", ""))
        if self.often(30):
            request["attachments"]["level"] = str(self.random.randint(0, 150))
        if self.often(5):
            request["attachments"]["user.id-1"] = "u1"
        if dialect == "dubbo-mesh":
            request["headers"] = {"x-user": "u1"} if self.often(50) else {}
        if dialect == "dubbo-tag":
            if self.often(75):
                request["tag"] = self.one(TAGS if self.often(90) else ("nobody",))
            elif self.often(60):
                request["attachments"]["dubbo.tag"] = self.one((*LEVELS, "gray"))
            if self.often(20):
                request["attachments"]["dubbo.force.tag"] = self.one(("true", "false", "TRUE"))
        return request

    def argument(self):
        kind = self.random.randrange(4)
        if kind == 0:
            return self.random.randint(0, 150)
        return True if kind == 1 else self.one(("a", "abc", "b", "7"))

    def head(self, spec, version):
        """Fields that every rule of a configuration centre has."""
        if version:
            spec["configVersion"] = version
        if self.often(70):
            spec["scope"] = self.one(("service", "application"))
        spec["key"] = "demo.Greeting"
        spec["force"] = self.often(40)
        spec["enabled"] = not self.often(5)
        if self.often(30):
            spec["runtime"] = self.often(50)
        if self.often(20):
            spec["priority"] = self.random.randint(0, 9)
        return spec

    # Tag rules.

    def tag(self):
        if self.often(15):
            return None
        version = "v3.0" if self.often(75) else self.one((None, "v2.7"))
        spec = self.head({}, version)
        spec["tags"] = []
        names = list(TAGS) + ([self.one(LEVELS)] if self.often(25) else [])
        self.random.shuffle(names)
        for name in names[: self.random.randint(0, 3)]:
            tag = {"name": name}
            if self.often(3):
                pass  # a tag of those that are registered with it
            elif version == "v3.0" and self.often(60):
                tag["match"] = [self.param() for _ in range(self.random.randint(1, 2))]
                if self.often(10):
                    tag["addresses"] = [self.address()]
            else:
                tag["addresses"] = [self.address() for _ in range(self.random.randint(1, 3))]
            spec["tags"].append(tag)
        return spec

    def param(self):
        return {"key": self.one(("region", "env", "level", "nothing")), "value": self.text_match(REGIONS)}

    def text_match(self, words):
        kind = self.one(("exact", "exact", "prefix", "regex", "noempty", "empty", "wildcard"))
        word = self.one(words)
        if kind == "prefix":
            word = word[: self.random.randint(1, len(word))]
        elif kind == "regex":
            word = self.one((word, f"{word[:2]}.*", "x|y", "[a-z]+", f".*{word[-2:]}", "[0-9]{2,3}"))
        elif kind == "wildcard":
            word = self.one((word, "*"))
        elif kind in ("noempty", "empty"):
            word = "true"
        return {kind: word}

    def address(self):
        host = self.one(HOSTS if self.often(10) else HOSTS[:-1])
        octets = host.split(".")
        kind = self.random.randrange(10)
        if kind < 5:
            return f"{host}:{self.one(PORTS)}"
        if kind == 5:
            return host
        if kind == 6:
            octets[3] = self.one(("*", "1-30", "2-9"))
            return ".".join(octets) + self.one(("", f":{self.one(PORTS)}"))
        if kind == 7:
            return f"{octets[0]}.{octets[1]}.*.*"
        if kind == 8:
            return f"{octets[0]}.{octets[1]}.0.0/{self.one((16, 23, 24, 25))}"
        return self.one(("*", f"0.0.0.0:{self.one(PORTS)}", f"{host}/32"))

    # Condition rules.

    def condition(self):
        if self.often(50):
            spec = self.head({}, "v3.1")
            spec["conditions"] = [self.multi() for _ in range(self.one((1, 1, 1, 2, 3)))]
        else:
            spec = self.head({}, self.one(("v3.0", "v3.0", "v2.7", None)))
            spec["conditions"] = [self.single() for _ in range(self.one((1, 1, 1, 2, 3)))]
        return spec

    def single(self):
        when = [self.asks() for _ in range(self.one((0, 1, 1, 2)))]
        then = [self.offers() for _ in range(self.one((0, 1, 1, 1, 1, 2)))]
        return {"when": when, "then": then}

    def multi(self):
        made = {"from": {"match": [self.asks() for _ in range(self.one((0, 1, 1, 2)))]}}
        if self.often(5):
            made["from"] = None
        if not self.often(8):
            made["to"] = []
            for _ in range(self.one((1, 1, 2, 2, 3))):
                to = {"match": [self.offers() for _ in range(self.one((0, 1, 1, 1, 2)))]}
                if self.often(80):
                    to["weight"] = self.one((0, 1, 10, 20, 50, 80, 100, 300))
                made["to"].append(to)
        return made

    def term(self, key, values):
        terms = self.some(values, 1, 2)
        term = {"key": key, "op": self.one(("=", "=", "=", "!=")), "values": sorted(set(terms))}
        if self.often(6):
            # The same key twice: both stand in one test.
            term["not"] = [self.one(values)]
        return term

    def asks(self):
        kind = self.random.randrange(10)
        if kind < 3:
            return self.term("method", ("hello", "hello*", "save", "*", "f*d", "*All"))
        if kind == 3:
            return self.term(f"arguments[{self.random.randrange(3)}]", ("a", "a*", "b", "true", "~100", "7", "10~120"))
        if kind in (4, 5):
            return self.term(f"attachments[{self.one(('user', 'level', 'nothing') if self.often(95) else ('user.id-1',))}]",
                             ("u1", "u*", "vip-*", "1~100", "50~", "~70", "*"))
        if kind == 6:
            return self.term("host", ("10.9.9.9", "10.9.*", "10.0.0.1"))
        if kind == 7:
            return self.term("application", ("shop", "c*", "cart"))
        return self.term(self.one(("region", "env", "nothing")), (*REGIONS, "hang*", "x", "*"))

    def offers(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return self.term("host", ("10.0.0.1", "10.0.0.*", "10.*", "$host"))
        if kind == 1:
            return self.term("port", ("20880", "20881", "20880~20890"))
        if kind == 2:
            return self.term("address", ("10.0.0.1:20880", "*:20881", "10.0.*"))
        if kind == 3:
            return self.term("level", ("1~100", "50~", "~70", "7"))
        if kind == 4:
            return self.term("env", ("x", "y", "$env", "z"))
        return self.term("region", (*REGIONS, "hang*", "$region", "*ou"))

    # Mesh rules.

    def mesh(self):
        names = ["s0", "s1", "s2", "s3"][: self.random.randint(1, 4)]
        subsets = [{"name": name, "labels": self.labels()} for name in names]
        details = [self.detail(names) for _ in range(self.one((1, 1, 2, 3)))]
        services = [] if self.often(40) else [self.text_match(("demo.Greeting", "demo.Other"))]
        return {"subsets": subsets, "services": services, "details": details}

    def labels(self):
        labels = {"region": self.one(REGIONS)} if self.often(70) else {"env": self.one(("x", "y"))}
        if self.often(10):
            labels["env"] = "z"
        return {} if self.often(5) else labels

    def detail(self, names):
        match = [self.match() for _ in range(self.one((0, 0, 1, 1, 1, 2)))]
        return {"match": match, "route": [self.destination(names, 0) for _ in range(self.one((1, 1, 2, 2, 3)))]}

    def destination(self, names, depth):
        destination = {"host": "provider", "subset": "nobody" if self.often(1) else self.one(names)}
        if depth < 2 and self.often(35):
            destination["fallback"] = self.destination(names, depth + 1)
        made = {"destination": destination}
        if depth == 0 and self.often(80):
            made["weight"] = self.one((0, 1, 10, 20, 50, 80, 100))
        return made

    def match(self):
        made = {}
        if self.often(60):
            made["method"] = {}
            if self.often(70):
                made["method"]["name_match"] = self.text_match(METHODS)
            if self.often(25):
                made["method"]["argc"] = self.random.randint(0, 2)
            if self.often(25):
                made["method"]["args"] = [self.argument_match()]
        if self.often(30):
            made["sourceLabels"] = {self.one(("region", "env")): self.one((*REGIONS, "x"))}
        if self.often(40):
            made["attachments"] = {"dubboContext": {self.one(("user", "level")): self.text_match(("u1", "vip-7"))}}
        if self.often(5):
            made["headers"] = {"x-user": {"exact": self.one(("u1", "u2"))}}
        return made

    def argument_match(self):
        made = {"index": self.random.randrange(2)}
        if self.often(60):
            made["str_value"] = {"oneof": [self.text_match(("a", "abc", "b")) for _ in range(self.random.randint(1, 2))]}
        elif self.often(50):
            made["bool_value"] = {"exact": self.often(60)}
        else:
            made["num_value"] = {"oneof": [self.one(({"exact": 7}, {"range": {"start": 10, "end": 100}},
                                                     {"range": {"start": 50}}, {"exact": 1, "mod": 2}))]}
        return made

    # Affinity rules.

    def affinity(self):
        spec = self.head({}, "v3.1" if self.often(95) else "v3.0")
        spec.pop("force"), spec.pop("priority", None)
        spec["affinityAware"] = {"key": self.one(("region", "env", "nothing"))}
        if self.often(85):
            spec["affinityAware"]["ratio"] = self.one((0, 1, 20, 33, 50, 100))
        return spec


def main():
    dialect, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    from text import line
    generator = Generator(f"{dialect} {seed}")
    for number in range(count):
        print(line(generator.case(dialect, number)))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in DIALECTS:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main()
