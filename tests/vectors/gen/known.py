"""known.json: may carriers be written towards host[:port] (design section 3, "Written towards")."""

from .rules import rules_text

NO_NAMES = {"lanes": [{"tag": "gray"}]}
NAMES = {
    "lanes": [{"tag": "gray"}],
    "services": [{"name": "pricing", "authorities": ["pricing:8080", "127.0.0.1:9001", "[::1]:9001"],
                  "instances": [{"address": "10.0.0.7:9001"}, {"address": "203.0.113.8:9001", "tag": "gray"}]}],
}
LIST = [{"names": ["stock"], "instances": [
    {"address": "203.0.113.20:20880", "healthy": True, "metadata": {}},
    {"address": "203.0.113.21:20880", "healthy": False, "metadata": {"alicloud.service.tag": "gray"}},
    {"address": "stock.example.com:20880", "healthy": True, "metadata": {}},
]}]
TO = [["carriers.to", "*.example.com"]]
W = "§3 written towards"
SINGLE, CLUSTER, LITERAL = W + ": single-label hosts", W + ": *.svc and *.cluster.local", W + ": literals"
ANY, LIVE = W + ": any other host is left unchanged", W + ": an address in any live list"
NAMED, ONLY = W + ": an authority that the rules name", W + ": the defaults hold only while the rules name none"
PATTERN = W + ": trilane.carriers.to adds patterns"

# (authority, known, why) while the rules name no authority
DEFAULTS = [
    ("pricing", True, SINGLE), ("pricing:8080", True, SINGLE), ("localhost", True, SINGLE),
    ("localhost:80", True, SINGLE), ("PRICING:8080", True, SINGLE + ", in either case"),
    ("pricing_v2:80", True, SINGLE + ", underscores occur"),
    ("pricing.default.svc", True, CLUSTER), ("pricing.default.svc:8080", True, CLUSTER),
    ("pricing.default.svc.cluster.local", True, CLUSTER), ("pricing.default.svc.cluster.local:80", True, CLUSTER),
    ("Pricing.Default.SVC:80", True, CLUSTER + "; decision D8: host names know no case"),
    ("pod.cluster.local", True, CLUSTER), ("svc.example.com", False, ANY), ("a.svc.example.com:80", False, ANY),
    ("a.notsvc", False, ANY), ("a.xsvc:80", False, ANY), ("evilcluster.local", False, ANY),
    ("cluster.local.example.com", False, ANY), ("a.local", False, ANY),
    ("127.0.0.1", True, LITERAL + ": loopback"), ("127.0.0.1:8080", True, LITERAL + ": loopback"),
    ("127.255.255.254:80", True, LITERAL + ": loopback is 127/8"), ("128.0.0.1:80", False, ANY),
    ("10.0.0.0:80", True, LITERAL + ": 10/8"), ("10.255.255.255:80", True, LITERAL + ": 10/8"),
    ("9.255.255.255:80", False, ANY), ("11.0.0.1:80", False, ANY),
    ("172.15.255.255:80", False, ANY), ("172.16.0.1:80", True, LITERAL + ": 172.16/12"),
    ("172.31.255.255:80", True, LITERAL + ": 172.16/12"), ("172.32.0.1:80", False, ANY),
    ("192.168.0.1:80", True, LITERAL + ": 192.168/16"), ("192.167.1.1:80", False, ANY),
    ("192.169.1.1:80", False, ANY), ("169.254.169.254:80", True, LITERAL + ": link-local"),
    ("169.253.1.1:80", False, ANY), ("8.8.8.8", False, ANY), ("8.8.8.8:53", False, ANY),
    ("100.64.0.1:80", False, "decision D10: shared address space is not private"),
    ("[::1]:8080", True, LITERAL + ": loopback"), ("[::1]", True, LITERAL + ": loopback"),
    ("[fd00::1]:80", True, LITERAL + ": unique local"), ("[fc00::1]:80", True, LITERAL + ": unique local"),
    ("[fe80::1]:80", True, LITERAL + ": link-local"), ("[2001:db8::1]:80", False, ANY), ("[2600::1]", False, ANY),
    ("example.com", False, ANY), ("api.example.com:443", False, ANY), ("a.b", False, ANY),
    ("10.0.0.256:80", False, ANY + "; not a literal"), ("10.0.0.1.example.com:80", False, ANY),
    ("127.0.0.1.nip.io:80", False, ANY), ("", False, ANY + "; nothing"), (":8080", False, ANY + "; no host"),
    ("http://pricing:8080", False, ANY + "; not an authority"), ("pricing/path", False, ANY + "; not an authority"),
    ("api.example.com@pricing", False, ANY + "; not an authority"),
]
# (authority, known, why) while the rules name three
WITH_NAMES = [
    ("pricing:8080", True, NAMED), ("PRICING:8080", True, NAMED + "; decision D8: host names know no case"),
    ("127.0.0.1:9001", True, NAMED), ("[::1]:9001", True, NAMED), ("pricing:8081", False, ONLY),
    ("order:8080", False, ONLY), ("localhost:80", False, ONLY), ("127.0.0.1:9002", False, ONLY),
    ("10.1.2.3:80", False, ONLY), ("a.default.svc:80", False, ONLY), ("[fd00::1]:80", False, ONLY),
    ("example.com:443", False, ANY),
    ("10.0.0.7:9001", True, "decision D11: the rule file's instances are a live list"),
    ("203.0.113.8:9001", True, "decision D11: the rule file's instances are a live list"),
    ("203.0.113.8:9002", False, ONLY),
]
# (authority, known, why) beside a live list of three public addresses
WITH_LIST = [
    ("203.0.113.20:20880", True, LIVE), ("203.0.113.21:20880", True, LIVE + ", healthy or not"),
    ("stock.example.com:20880", True, LIVE + ", by name"), ("203.0.113.20:20881", False, ANY),
    ("203.0.113.22:20880", False, ANY), ("example.com:20880", False, ANY),
]
WITH_PATTERN = [
    ("shop.example.com", True, PATTERN), ("shop.example.com:443", True, PATTERN), ("SHOP.EXAMPLE.COM", True, PATTERN),
    ("evilexample.com", False, PATTERN + ", whole labels"),
    ("shop.example.com.evil.org", False, PATTERN + ", at the end"),
    ("shop.example.org", False, ANY),
]


def cases():
    groups = [
        ("default", NO_NAMES, [], [], DEFAULTS), ("named", NAMES, [], [], WITH_NAMES),
        ("list", NO_NAMES, [], LIST, WITH_LIST), ("list-named", NAMES, [], LIST, WITH_LIST),
        ("pattern", NO_NAMES, TO, [], WITH_PATTERN + [("pricing:8080", True, SINGLE)]),
        ("pattern-named", NAMES, TO, [], WITH_PATTERN + [("order:8080", False, ONLY), ("pricing:8080", True, NAMED)]),
    ]
    out = []
    for group, rules, options, lists, rows in groups:
        for n, (authority, known, why) in enumerate(rows, 1):
            out.append({
                "id": f"known-{group}-{n:02d}", "why": why + ".", "rules": rules_text(rules), "options": options,
                "lists": lists, "authority": authority, "known": known,
            })
    return out
