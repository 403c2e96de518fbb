"""edge.json: what an edge believes and removes, and what is passed through (design sections 2 and 3)."""

from .rules import rules_text

RULES = rules_text({"lanes": [{"tag": "gray"}, {"tag": "blue"}]})
STRIP = "§3: edge = true removes all known carriers before label sources run"
TRUST = "§6.11 stripped at edges, but for callers that the edge is told to trust"
PASS = "§2 scope: passed-through values, at most 8, at most 1 KB"
ALL = ["x-mse-tag", "__microservice_tag__", "dubbo.tag", "baggage"]
GRAY = {"x-mse-tag": "gray"}
BAGGAGE = {"baggage": "a=b,__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"}
EDGE = [("edge", "true")]
NETS = EDGE + [("edge.trust", "10.1.0.0/16 192.0.2.7 fd00::/8")]
BAD = EDGE + [("edge.trust", "10.1.0.1/16 gateway 300.0.0.1 10.2.0.0/33 10.3.0.0/16")]
X = [("alicloud.service.header", "x-a X-B")]
TEN = [("alicloud.service.header", " ".join(f"h{n}" for n in range(10)))]
BREAK = [("alicloud.service.header", "host content-length x-mse-tag baggage x:y x-a x-A")]

# (id, options, peer, headers, edge, names, tag, why)
EDGES = [
    ("none", [], "192.0.2.1:80", GRAY, 0, [], "gray", "§3: no edge believes every carrier"),
    ("strip", EDGE, "192.0.2.1:80", GRAY, 3, ALL, "", STRIP),
    ("strip-baggage", EDGE, "10.0.0.1", BAGGAGE, 3, ALL, "", STRIP),
    ("strip-local", EDGE, "127.0.0.1:9", GRAY, 3, ALL, "", STRIP + ": nobody is trusted unasked"),
    ("strip-no-peer", EDGE, "", GRAY, 3, ALL, "", STRIP + ", also of a caller without an address"),
    ("strip-configured", EDGE + [("carriers.read", "X-Lane-Code"), ("carriers.write", "x-lane-code x-out")],
     "10.0.0.1", {"x-lane-code": "gray"}, 3, ALL + ["x-lane-code", "x-out"], "", STRIP + ", the configured ones too"),
    ("trust-network", NETS, "10.1.2.3:4567", GRAY, 0, ALL, "gray", TRUST),
    ("trust-network-end", NETS, "10.1.255.255", GRAY, 0, ALL, "gray", TRUST),
    ("trust-next", NETS, "10.2.0.0:1", GRAY, 3, ALL, "", TRUST + ": the next network is not"),
    ("trust-address", NETS, "/192.0.2.7:80", BAGGAGE, 0, ALL, "gray", TRUST + ": Java's spelling of an address"),
    ("trust-other-address", NETS, "192.0.2.70:80", GRAY, 3, ALL, "", TRUST + ": whole addresses"),
    ("trust-v6", NETS, "[fd12:3::1]:443", GRAY, 0, ALL, "gray", TRUST),
    ("trust-v6-long", NETS, "fd00:0:0:0:0:0:0:1%eth0", GRAY, 0, ALL, "gray", TRUST + ": with its zone"),
    ("trust-v6-next", NETS, "[fe80::1]:443", GRAY, 3, ALL, "", TRUST),
    ("trust-mapped", NETS, "[::ffff:10.1.0.9]:1", GRAY, 0, ALL, "gray", TRUST + ": a mapped address is the IPv4 one"),
    ("trust-name", NETS, "gateway.example:80", GRAY, 3, ALL, "", TRUST + ": names are not looked up"),
    ("bad-entries", BAD, "10.1.0.1", GRAY, 3, ALL, "", TRUST + ": bits behind the prefix are refused"),
    ("bad-entries-rest", BAD, "10.3.0.1", GRAY, 0, ALL, "gray", TRUST + ": the good entries hold"),
    ("trust-without-edge", [("edge.trust", "10.1.0.0/16")], "192.0.2.1", GRAY, 0, [], "gray",
     TRUST + ": trust alone makes no edge"),
]

# (id, options, headers, names that are kept, why)
PASSES = [
    ("absent", [], {"x-a": "1"}, [], "§3 alicloud.service.header: nothing without the setting"),
    ("two", X, {"x-a": "1", "x-b": "two words", "x-c": "3"}, ["x-a", "x-b"], PASS),
    ("missing", X, {"x-b": "1"}, ["x-b"], PASS),
    ("empty", X, {"x-a": "", "x-b": "1"}, ["x-b"], PASS + "; an empty value is none"),
    ("full", X, {"x-a": "a" * 1000, "x-b": "b" * 24}, ["x-a", "x-b"], PASS + ": exactly 1 KB"),
    ("one-byte-more", X, {"x-a": "a" * 1000, "x-b": "b" * 25}, ["x-a"], PASS),
    ("too-long-first", X, {"x-a": "a" * 1025, "x-b": "b"}, ["x-b"], PASS + ": what does not fit leaves room"),
    ("ten", TEN, {f"h{n}": "v" for n in range(10)}, [f"h{n}" for n in range(8)], PASS),
    ("ten-names-three-values", TEN, {f"h{n}": "v" for n in (1, 8, 9)}, ["h1", "h8", "h9"], PASS),
    ("crlf", X, {"x-a": "1\r\nx-mse-tag: gray", "x-b": "1"}, ["x-b"], PASS + "; no control character rides"),
    ("not-ascii", X, {"x-a": "caf\u00e9", "x-b": "1"}, ["x-b"], PASS + "; OkHttp and gRPC refuse such a value"),
    ("refused-names", BREAK, {"host": "h", "content-length": "3", "x-mse-tag": "no tag", "x-a": "1"}, ["x-a"],
     "§3 alicloud.service.header is no carrier; nor may it break a message"),
    ("edge", EDGE + X, {"x-a": "1", "x-mse-tag": "gray"}, ["x-a"], "§3: an edge strips carriers, nothing else"),
    ("observe", X + [("mode", "observe")], {"x-a": "1"}, [], "§3: observe writes nothing"),
]


def cases():
    out = []

    def add(name, options, peer, headers, edge, names, tag, kept, why):
        out.append({
            "id": f"edge-{name}", "why": why + ".", "rules": RULES, "options": options, "peer": peer,
            "headers": [{"name": n, "value": v} for n, v in headers.items()], "edge": edge, "names": names,
            "tag": tag, "kept": kept,
        })

    for name, options, peer, headers, edge, names, tag, why in EDGES:
        add(name, options, peer, headers, edge, names, tag, [], why)
    add("observed", EDGE + [("mode", "observe")], "192.0.2.1", GRAY, 1, ALL, "", [], STRIP + "; observe removes nothing")
    for name, options, headers, kept, why in PASSES:
        edge = 3 if EDGE[0] in options else 0
        add("pass-" + name, options, "192.0.2.1", headers, edge, ALL if edge else [], "", kept, why)
    return out
