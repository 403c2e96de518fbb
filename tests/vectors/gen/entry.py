"""entry.json: where a request's tag comes from (design section 6.4)."""

from .rules import Percent, rules_text
from .xxh3 import bucket

ORDER = "§6.4 order of label sources"
LANES = [{"tag": "gray"}, {"tag": "blue"}, {"tag": "dev-x"}]
TESTER = {"when": {"header": {"x-tester": "yes"}}, "lane": "gray"}
BLUE_TESTER = {"when": {"header": {"x-tester": "yes"}}, "lane": "blue"}
TWO_HEADERS = {"when": {"header": {"x-tester": "yes", "x-team": "red"}}, "lane": "gray"}
SALT = "autumn"


def share(lane, start, percent, **more):
    keyed = {**more, "lane": lane, "percent": Percent(percent), "from": Percent(start)}
    return {**keyed, "key": {"header": "x-user-id"}, "salt": SALT}


def entry(*rules, service="shop"):
    return {"lanes": LANES, "entry": [{"service": service, "rules": list(rules)}]}


def user(low, high):
    """The first of u0, u1, ... whose bucket is in [low, high)."""
    n = 0
    while not low <= bucket(SALT.encode(), f"u{n}".encode()) < high:
        n += 1
    return f"u{n}"


IN_10, IN_30, OUT = user(0, 1000), user(1000, 3000), user(3000, 10000)
SHARES = entry(share("gray", 0, 1000), share("blue", 1000, 2000))
NO_ENTRY = {"lanes": LANES}
OWN_OFF = [("alicloud.service.tag", "dev-x")]
OWN = OWN_OFF + [("profiler.micro.service.tag.trace.enable", "true")]
OWN_FALSE = OWN_OFF + [("profiler.micro.service.tag.trace.enable", "false")]
EDGE, YES = [("edge", "true")], {"x-tester": "yes"}
BOTH_SERVICES = {"lanes": LANES, "entry": [{"service": "cart", "rules": [BLUE_TESTER]},
                                           {"service": "shop", "rules": [TESTER]}]}
FIRST, WHEN = "§6: first match wins", "§6 rule file: when"
ONLY, NOKEY = "§6.4: entry rules apply only where entry names this service", "§6.7: without the key no match"
STRIP = "§3: edge = true removes all known carriers before label sources run"
BAGGAGE = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D"

# (id, rules, options, headers, tag, source, why); every case runs as service shop unless it says otherwise
CASES = [
    ("none", NO_ENTRY, [], {}, "", "none", ORDER + ": nothing at all"),
    ("explicit", entry(TESTER), [], {"x-mse-tag": "blue"}, "blue", "carried", ORDER + ": the request's own tag"),
    ("carried", entry(TESTER), [], {"baggage": BAGGAGE}, "gray", "carried", ORDER + ": the carried context"),
    ("rule", entry(TESTER), [], YES, "gray", "entry", ORDER + ": entry rule"),
    ("explicit-over-rule", entry(TESTER), [], {"x-mse-tag": "blue", **YES}, "blue", "carried", ORDER),
    ("explicit-over-carried", entry(TESTER), [], {"x-mse-tag": "blue", "baggage": BAGGAGE}, "blue", "carried", ORDER),
    ("carried-over-rule", entry(BLUE_TESTER), [], {"baggage": BAGGAGE, **YES}, "gray", "carried", ORDER),
    ("unknown-over-rule", entry(TESTER), [], {"x-mse-tag": "who", **YES}, "who", "carried", ORDER + ", unknown too"),
    ("malformed-then-rule", entry(TESTER), [], {"x-mse-tag": "gr ay", **YES}, "gray", "entry",
     "§3: malformed = absent in that carrier, so the rule speaks"),
    ("empty-then-rule", entry(TESTER), [], {"x-mse-tag": "", **YES}, "gray", "entry", "decision D2: empty is no tag"),
    ("own", NO_ENTRY, OWN, {}, "dev-x", "own", ORDER + ": the machine's own tag with tag.trace.enable"),
    ("own-off", NO_ENTRY, OWN_OFF, {}, "", "none", ORDER + ": the own tag only with tag.trace.enable"),
    ("own-false", NO_ENTRY, OWN_FALSE, {}, "", "none", ORDER + ": the own tag only with tag.trace.enable"),
    ("own-no-tag", NO_ENTRY, [("profiler.micro.service.tag.trace.enable", "true")], {}, "", "none",
     ORDER + ": a baseline machine has no tag to give"),
    ("rule-over-own", entry(TESTER), OWN, YES, "gray", "entry", ORDER),
    ("no-match-then-own", entry(TESTER), OWN, {"x-tester": "no"}, "dev-x", "own", ORDER),
    ("explicit-over-own", NO_ENTRY, OWN, {"x-mse-tag": "blue"}, "blue", "carried", ORDER),
    ("when-value", entry(TESTER), [], {"x-tester": "no"}, "", "none", WHEN + ": another value"),
    ("when-value-case", entry(TESTER), [], {"x-tester": "YES"}, "", "none", WHEN + ": values know case"),
    ("when-value-part", entry(TESTER), [], {"x-tester": "yes please"}, "", "none", WHEN + ": the whole value"),
    ("when-value-empty", entry(TESTER), [], {"x-tester": ""}, "", "none", WHEN + ": the whole value"),
    ("when-name-case", entry(TESTER), [], {"X-Tester": "yes"}, "gray", "entry", WHEN + ": header names know no case"),
    ("when-rule-name-case", entry({"when": {"header": {"X-Tester": "yes"}}, "lane": "gray"}), [], YES,
     "gray", "entry", WHEN + ": header names know no case in the rule file either"),
    ("when-absent", entry(TESTER), [], {"x-other": "yes"}, "", "none", WHEN + ": another header"),
    ("when-both", entry(TWO_HEADERS), [], {"x-tester": "yes", "x-team": "red"}, "gray", "entry",
     WHEN + ": all of them"),
    ("when-one-of-two", entry(TWO_HEADERS), [], YES, "", "none", WHEN + ": all of them"),
    ("when-unicode", entry({"when": {"header": {"x-city": "\u676d\u5dde"}}, "lane": "gray"}), [],
     {"x-city": "\u676d\u5dde"}, "gray", "entry", "§6.3: bytes are UTF-8"),
    ("first", entry(TESTER, BLUE_TESTER), [], YES, "gray", "entry", FIRST),
    ("first-other-order", entry(BLUE_TESTER, TESTER), [], YES, "blue", "entry", FIRST),
    ("second", entry({"when": {"header": {"x-team": "red"}}, "lane": "blue"}, TESTER), [], YES, "gray", "entry", FIRST),
    ("other-service", entry(TESTER, service="cart"), [], YES, "", "none", ONLY),
    ("other-service-carried", entry(TESTER, service="cart"), [], {"x-mse-tag": "gray"}, "gray", "carried", ONLY),
    ("own-of-two", BOTH_SERVICES, [], YES, "gray", "entry", ONLY),
    ("cart-of-two", BOTH_SERVICES, [("service", "cart")], YES, "blue", "entry", ONLY),
    ("nameless", entry(TESTER), [("service", None)], YES, "", "none", "§3: without an own name entry does not apply"),
    ("share-in", SHARES, [], {"x-user-id": IN_10}, "gray", "entry", "§6.7: the first share"),
    ("share-in-second", SHARES, [], {"x-user-id": IN_30}, "blue", "entry", "§6.7: the second share"),
    ("share-out", SHARES, [], {"x-user-id": OUT}, "", "none", "§6.7: in no share"),
    ("share-no-key", SHARES, [], {}, "", "none", NOKEY),
    ("share-no-key-all", entry(share("gray", 0, 10000)), [], {}, "", "none", NOKEY + ", even at 100"),
    ("share-all", entry(share("gray", 0, 10000)), [], {"x-user-id": OUT}, "gray", "entry", "§6.7: 100 is everybody"),
    ("share-zero", entry(share("gray", 0, 0)), [], {"x-user-id": IN_10}, "", "none", "§6.6: zero means zero"),
    ("share-empty-key", entry(share("gray", 0, 10000)), [], {"x-user-id": ""}, "", "none",
     "decision D7: an empty key is no key"),
    ("share-key-name-case", SHARES, [], {"X-USER-ID": IN_10}, "gray", "entry", "§6.7: header names know no case"),
    ("share-over-own", SHARES, OWN, {"x-user-id": IN_10}, "gray", "entry", ORDER),
    ("share-out-then-own", SHARES, OWN, {"x-user-id": OUT}, "dev-x", "own", ORDER),
    ("share-explicit", SHARES, [], {"x-user-id": IN_10, "x-mse-tag": "blue"}, "blue", "carried", ORDER),
    ("tester-then-share", entry(TESTER, share("blue", 0, 1000)), [], {**YES, "x-user-id": IN_10}, "gray", "entry",
     FIRST),
    ("not-tester-then-share", entry(TESTER, share("blue", 0, 1000)), [], {"x-user-id": IN_10}, "blue", "entry", FIRST),
    ("share-and-when", entry(share("gray", 0, 1000, **{"when": {"header": {"x-tester": "yes"}}})), [],
     {**YES, "x-user-id": IN_10}, "gray", "entry", WHEN + " and percent: both must hold"),
    ("share-not-when", entry(share("gray", 0, 1000, **{"when": {"header": {"x-tester": "yes"}}})), [],
     {"x-user-id": IN_10}, "", "none", WHEN + " and percent: both must hold"),
    ("when-not-share", entry(share("gray", 0, 1000, **{"when": {"header": {"x-tester": "yes"}}})), [],
     {**YES, "x-user-id": OUT}, "", "none", WHEN + " and percent: both must hold"),
    ("edge-header", NO_ENTRY, EDGE, {"x-mse-tag": "gray"}, "", "none", STRIP),
    ("edge-baggage", NO_ENTRY, EDGE, {"baggage": BAGGAGE}, "", "none", STRIP),
    ("edge-unknown", NO_ENTRY, EDGE, {"x-mse-tag": "who"}, "", "none", STRIP),
    ("edge-rule", entry(TESTER), EDGE, {"x-mse-tag": "blue", **YES}, "gray", "entry", STRIP),
    ("edge-share", SHARES, EDGE, {"x-mse-tag": "blue", "x-user-id": IN_10}, "gray", "entry", STRIP),
    ("edge-own", NO_ENTRY, EDGE + OWN, {"x-mse-tag": "blue"}, "dev-x", "own", STRIP),
    ("edge-false", NO_ENTRY, [("edge", "false")], {"x-mse-tag": "gray"}, "gray", "carried", "§3: edge is off"),
    ("edge-configured", NO_ENTRY, EDGE + [("carriers.read", "x-lane-code")], {"x-lane-code": "gray"}, "", "none",
     STRIP + ", configured ones too"),
    ("configured-over-rule", entry(BLUE_TESTER), [("carriers.read", "x-lane-code")], {"x-lane-code": "gray", **YES},
     "gray", "carried", ORDER),
]


def cases():
    out = []
    for name, rules, options, headers, tag, source, why in CASES:
        options = list(options)
        if not any(k == "service" for k, _ in options):
            options.insert(0, ("service", "shop"))
        out.append({
            "id": f"entry-{name}", "why": why + ".", "kind": "http", "rules": rules_text(rules),
            "options": [[k, v] for k, v in options if v is not None],
            "headers": [{"name": k, "value": v} for k, v in headers.items()], "tag": tag, "source": source,
        })
    return out
