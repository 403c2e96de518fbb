"""badrules.json: rule texts that are refused, and where; some that are not (design section 6.9).

The mark \u2039 stands right before the key or value at fault; the line and column come from it.
"""

from .rules import MARK, marked

V = "apiVersion: trilane/v1\n"
GRAY = V + "lanes:\n  - {tag: gray}\n"
BOTH = V + "lanes:\n  - {tag: gray}\n  - {tag: blue}\n"
SVC = GRAY + "services:\n  - name: pricing\n"
ENTRY = BOTH + "entry:\n  - service: shop\n    rules:\n"
KEY = "key: {header: x-user-id}, salt: autumn"
LATE = "§6.9: found at load"
UNKNOWN, DOUBLE, TYPE = LATE + ": unknown fields", LATE + ": a key written twice", LATE + ": a value of the wrong type"
SHARES = "§6.7: overlap, more than 100 and steps finer than 0.01 are load errors that name both lines"
VALUE = LATE + ": a value that is none of the words"
SUBSET, LOOP = LATE + ": unknown subsets", LATE + ": fallback loops"
NOBODY = LATE + ": what is meant for a few holds for everybody"
TAG, NEEDED = "§2: the charset of a tag, checked at load", LATE + ": a field is missing"

# (id, text with the mark, words the message holds, why[, other lines it names])
REFUSED = [
    ("unknown-top", V + "‹lane:\n  - {tag: gray}\n", ["lane"], UNKNOWN),
    ("unknown-top-2", GRAY + "‹default: gray\n", ["default"], UNKNOWN),
    ("unknown-lane", V + "lanes:\n  - {tag: gray, ‹fallbacks: baseline}\n", ["fallbacks"], UNKNOWN),
    ("unknown-service", SVC + "    ‹fall_back: {noinstances: none}\n", ["fall_back"], UNKNOWN),
    ("unknown-fallback", SVC + "    fallback: {‹noinstance: none}\n", ["noinstance"], UNKNOWN),
    ("unknown-fallback-2", SVC + "    fallback:\n      noinstances: baseline\n      ‹noavailable: none\n",
     ["noavailable"], UNKNOWN),
    ("unknown-instance", SVC + "    instances:\n      - {address: \"10.0.0.7:1\", ‹weight: 5}\n",
     ["weight"], UNKNOWN),
    ("unknown-entry", BOTH + "entry:\n  - service: shop\n    ‹rule: []\n", ["rule"], UNKNOWN),
    ("unknown-rule", ENTRY + "      - {lane: gray, percent: 10, ‹form: 0, " + KEY + "}\n", ["form"], UNKNOWN),
    ("unknown-when", ENTRY + "      - {when: {‹cookies: {a: b}}, lane: gray}\n", ["cookies"], UNKNOWN),
    ("unknown-key", ENTRY + "      - {lane: gray, percent: 10, key: {‹cooky: uid}, salt: a}\n", ["cooky"], UNKNOWN),
    ("unknown-case", V + "lanes:\n  - {‹Tag: gray}\n", ["Tag"], LATE + ": field names know case"),
    ("double-top", GRAY + "‹lanes:\n  - {tag: blue}\n", ["lanes"], DOUBLE),
    ("double-mode", V + "mode: on\n‹mode: off\n", ["mode"], DOUBLE),
    ("double-lane", V + "lanes:\n  - {tag: gray, ‹tag: blue}\n", ["tag"], DOUBLE),
    ("double-service", SVC + "    ‹name: order\n", ["name"], DOUBLE),
    ("double-header", ENTRY + "      - {when: {header: {x-a: one, ‹x-a: two}}, lane: gray}\n", ["x-a"], DOUBLE),
    ("type-lanes-text", V + "lanes: ‹gray\n", ["lanes"], TYPE),
    ("type-lanes-map", V + "lanes: ‹{tag: gray}\n", ["lanes"], TYPE),
    ("type-lane-text", V + "lanes:\n  - ‹gray\n", [], TYPE),
    ("type-tag-list", V + "lanes:\n  - {tag: ‹[gray]}\n", ["tag"], TYPE),
    ("type-services-map", GRAY + "services: ‹{name: pricing}\n", ["services"], TYPE),
    ("type-fallback-text", SVC + "    fallback: ‹none\n", ["fallback"], TYPE),
    ("type-authorities-text", SVC + "    authorities: ‹\"pricing:8080\"\n", ["authorities"], TYPE),
    ("type-instances-text", SVC + "    instances:\n      - ‹\"10.0.0.7:9001\"\n", [], TYPE),
    ("type-percent-text", ENTRY + "      - {lane: gray, percent: ‹ten, " + KEY + "}\n", ["percent"], TYPE),
    ("type-percent-list", ENTRY + "      - {lane: gray, percent: ‹[10], " + KEY + "}\n", ["percent"], TYPE),
    ("type-percent-sign", ENTRY + "      - {lane: gray, percent: ‹10%, " + KEY + "}\n", ["percent"], TYPE),
    ("type-when-text", ENTRY + "      - {when: ‹x-tester, lane: gray}\n", ["when"], TYPE),
    ("type-key-text", ENTRY + "      - {lane: gray, percent: 10, key: ‹x-user-id, salt: a}\n", ["key"], TYPE),
    ("type-show-text", GRAY + "show: ‹x-user-id\n", ["show"], TYPE),
    ("type-show-map", GRAY + "show: ‹{header: x-user-id}\n", ["show"], TYPE),
    ("type-show-item", GRAY + "show: [‹{header: x-user-id}]\n", ["show"], TYPE),
    ("show-name", GRAY + "show: [‹\"x user\"]\n", ["x user"], VALUE),
    ("show-twice", GRAY + "show: [x-user-id, ‹x-user-id]\n", ["x-user-id"], DOUBLE),
    ("show-cookie", GRAY + "show: [‹Cookie]\n", ["cookie"], VALUE),
    ("type-document-list", "‹- apiVersion: trilane/v1\n", [], TYPE),
    ("type-document-text", "‹trilane\n", [], TYPE),
    ("api-version", "apiVersion: ‹trilane/v2\nlanes:\n  - {tag: gray}\n", ["apiVersion", "trilane/v1"], VALUE),
    ("mode-top", V + "mode: ‹sometimes\nlanes:\n  - {tag: gray}\n", ["mode", "observe"], VALUE),
    ("mode-service", SVC + "    mode: ‹of\n", ["mode"], VALUE),
    ("hook-value", V + "hooks: {okhttp: ‹maybe}\nlanes:\n  - {tag: gray}\n", [], VALUE),
    ("missing-all-value", SVC + "    baseline_missing: ‹any\n", ["baseline_missing", "reject"], VALUE),
    ("tag-space", V + "lanes:\n  - {tag: ‹\"gr ay\"}\n", ["tag"], TAG),
    ("tag-slash", V + "lanes:\n  - {tag: ‹a/b}\n", ["tag"], TAG),
    ("tag-unicode", V + "lanes:\n  - {tag: ‹\u7070\u5ea6}\n", ["tag"], TAG),
    ("tag-empty", V + "lanes:\n  - {tag: ‹\"\"}\n", ["tag"], TAG),
    ("tag-64", V + "lanes:\n  - {tag: ‹" + "a" * 64 + "}\n", ["tag"], TAG),
    ("tag-instance", SVC + "    instances:\n      - {address: \"10.0.0.7:1\", tag: ‹\"gr ay\"}\n", ["tag"], TAG),
    ("tag-baseline", V + "lanes:\n  - {tag: gray}\n  - {tag: ‹baseline}\n", ["baseline"],
     "decision D12: baseline and none are words of the rule file, no lane has them as its tag"),
    ("tag-none", V + "lanes:\n  - {tag: gray}\n  - {tag: ‹none}\n", ["none"],
     "decision D12: baseline and none are words of the rule file, no lane has them as its tag"),
    ("lane-twice", GRAY + "  - {tag: blue}\n  - {tag: ‹gray}\n", ["gray"], LATE + ": one lane per tag"),
    ("entry-unknown-lane", ENTRY + "      - {when: {header: {a: b}}, lane: ‹green}\n", ["green"], SUBSET),
    ("entry-unknown-lane-2", ENTRY + "      - {lane: ‹green, percent: 10, " + KEY + "}\n", ["green"], SUBSET),
    ("entry-baseline", ENTRY + "      - {when: {header: {a: b}}, lane: ‹Gray}\n", ["Gray"],
     SUBSET + "; tags know case"),
    ("fallback-unknown-lane", V + "lanes:\n  - {tag: gray, fallback: ‹green}\n", ["green"], SUBSET),
    ("fallback-unknown-svc", SVC + "    fallback: {noinstances: ‹green}\n", ["green"], SUBSET),
    ("fallback-unknown-svc-2", SVC + "    fallback: {noavailabled: ‹Baseline}\n", ["Baseline"], SUBSET),
    ("loop-self", V + "lanes:\n  - {tag: gray, fallback: ‹gray}\n", ["fallback"], LOOP),
    ("loop-two", V + "lanes:\n  - {tag: gray, fallback: blue}\n  - {tag: blue, fallback: gray}\n", ["fallback"], LOOP),
    ("loop-three", V + "lanes:\n  - {tag: a, fallback: b}\n  - {tag: b, fallback: c}\n  - {tag: c, fallback: a}\n",
     ["fallback"], LOOP),
    ("loop-tail", V + "lanes:\n  - {tag: t, fallback: a}\n  - {tag: a, fallback: b}\n  - {tag: b, fallback: a}\n",
     ["fallback"], LOOP),
    ("address-no-port", SVC + "    instances:\n      - {address: ‹\"10.0.0.7\"}\n", ["address"],
     "decision D13: an address is host:port"),
    ("address-bad-port", SVC + "    instances:\n      - {address: ‹\"10.0.0.7:http\"}\n", ["address"],
     "decision D13: an address is host:port"),
    ("address-big-port", SVC + "    instances:\n      - {address: ‹\"10.0.0.7:70000\"}\n", ["address"],
     "decision D13: an address is host:port"),
    ("address-no-host", SVC + "    instances:\n      - {address: ‹\":9001\"}\n", ["address"],
     "decision D13: an address is host:port"),
    ("address-empty", SVC + "    instances:\n      - {address: ‹\"\"}\n", ["address"],
     "decision D13: an address is host:port"),
    ("address-url", SVC + "    instances:\n      - {address: ‹\"http://10.0.0.7:9001\"}\n", ["address"],
     "decision D13: an address is host:port"),
    ("authority-case", SVC + "    authorities: [\"pricing:80\", ‹\"Pricing:80\"]\n", ["Pricing:80"],
     DOUBLE + " (a host has no case)"),
    ("testers-nobody", GRAY + "entry:\n  - service: shop\n    blue_green: {lane: gray, step: try, testers: ‹{}}\n",
     ["nothing"], NOBODY),
    ("testers-header", GRAY + "entry:\n  - service: shop\n    blue_green: {lane: gray, step: try, testers: ‹{header: {}}}\n",
     ["nothing"], NOBODY),
    ("trust-nobody", GRAY + "trust: {when: ‹{}}\n", ["nothing"], NOBODY),
    ("trust-header", GRAY + "trust:\n  when:\n    ‹header:\n", ["nothing"], NOBODY),
    ("authority-url", SVC + "    authorities: [‹\"http://pricing:8080\"]\n", ["authorit"],
     "decision D13: an authority is what is dialled, no URL"),
    ("percent-over", ENTRY + "      - {lane: gray, percent: ‹101, " + KEY + "}\n", ["percent", "100"], SHARES),
    ("percent-over-little", ENTRY + "      - {lane: gray, percent: ‹100.01, " + KEY + "}\n", ["percent"], SHARES),
    ("percent-over-much", ENTRY + "      - {lane: gray, percent: ‹743, " + KEY + "}\n", ["percent", "100"], SHARES),
    ("percent-below", ENTRY + "      - {lane: gray, percent: ‹-1, " + KEY + "}\n", ["percent"], SHARES),
    ("percent-fine", ENTRY + "      - {lane: gray, percent: ‹0.001, " + KEY + "}\n", ["percent", "0.01"], SHARES),
    ("percent-fine-2", ENTRY + "      - {lane: gray, percent: ‹33.333, " + KEY + "}\n", ["percent", "0.01"], SHARES),
    ("percent-nan", ENTRY + "      - {lane: gray, percent: ‹.nan, " + KEY + "}\n", ["percent"], SHARES),
    ("percent-inf", ENTRY + "      - {lane: gray, percent: ‹.inf, " + KEY + "}\n", ["percent"], SHARES),
    ("from-fine", ENTRY + "      - {lane: gray, percent: 1, from: ‹0.005, " + KEY + "}\n", ["from", "0.01"], SHARES),
    ("from-below", ENTRY + "      - {lane: gray, percent: 1, from: ‹-5, " + KEY + "}\n", ["from"], SHARES),
    ("from-over", ENTRY + "      - {lane: gray, percent: 1, from: ‹150, " + KEY + "}\n", ["from"], SHARES),
    ("percent-no-key", ENTRY + "      - {lane: gray, percent: 10}\n", ["key"],
     "§6.7: random is an explicit mode, so a share needs its key", [8]),
    ("lane-needed", ENTRY + "      - {when: {header: {a: b}}}\n", ["lane"], NEEDED, [8]),
    ("name-needed", GRAY + "services:\n  - {mode: on}\n", ["name"], NEEDED, [5]),
    ("address-needed", SVC + "    instances:\n      - {tag: gray}\n", ["address"], NEEDED, [7]),
    ("service-needed", BOTH + "entry:\n  - {rules: []}\n", ["service"], NEEDED, [6]),
    ("tag-needed", V + "lanes:\n  - {fallback: baseline}\n", ["tag"], NEEDED, [3]),
]
TWO = "      - {lane: gray, percent: %s%s, " + KEY + "}\n      - {lane: blue, percent: %s%s, " + KEY + "}\n"
# two shares on lines 8 and 9: (id, percent, from, percent, from, words, why); both lines are named
PAIRS = [
    ("no-from", "10", "", "10", "", ["from"],
     "§6.7: from must be written when another rule has the same key and salt"),
    ("no-from-second", "10", ", from: 0", "10", "", ["from"], "§6.7: from must be written"),
    ("no-from-first", "10", "", "10", ", from: 10", ["from"], "§6.7: from must be written, by both"),
    ("same", "10", ", from: 0", "10", ", from: 0", [], SHARES),
    ("overlap", "10", ", from: 0", "10", ", from: 5", [], SHARES),
    ("overlap-little", "10", ", from: 0", "10", ", from: 9.99", [], SHARES),
    ("overlap-backwards", "10", ", from: 5", "10", ", from: 0", [], SHARES),
    ("inside", "50", ", from: 0", "1", ", from: 20", [], SHARES),
    ("around", "1", ", from: 20", "50", ", from: 0", [], SHARES),
]
D14 = "decision D14: a file without content is refused, so that a truncated write leaves the last good rules"
# cut off or not YAML at all: nothing but the refusal is asserted
BROKEN = [
    ("empty", "", D14), ("newline", "\n", D14), ("blanks", "  \n\n  \n", D14), ("comment", "# nothing yet\n", D14),
    ("document-mark", "---\n", D14), ("null", "null\n", D14),
    ("half-flow", V + "lanes:\n  - {tag: gray}\n  - {tag: bl", LATE + ": half written"),
    ("half-quote", V + "lanes:\n  - {tag: \"gray", LATE + ": half written"),
    ("half-list", GRAY + "services:\n  - name: pricing\n    authorities: [\"pricing:80", LATE + ": half written"),
    ("half-key", GRAY + "serv", LATE + ": half written"),
    ("half-name", GRAY + "services:\n  - name:", LATE + ": half written"),
    ("tabs", V + "lanes:\n\t- {tag: gray}\n", LATE + ": no YAML"),
    ("indent", V + "lanes:\n    - {tag: gray}\n  - {tag: blue}\n", LATE + ": no YAML"),
    ("bracket", V + "lanes: [{tag: gray}}\n", LATE + ": no YAML"),
    ("xml", "<lanes><lane tag=\"gray\"/></lanes>\n", LATE + ": no YAML of ours"),
    ("json-half", '{"apiVersion": "trilane/v1", "lanes": [{"tag": "gray"}', LATE + ": half written"),
    ("binary", "\x01\x02\x03", LATE + ": no text"),
    ("from-percent-over", ENTRY + "      - {lane: gray, percent: 10, from: 95, " + KEY + "}\n", SHARES),
    ("shares-over", ENTRY + TWO % ("60", ", from: 0", "60", ", from: 60"), SHARES),
]
OK = "§6.9: only bad rules are refused"
TOUCH = "§6.7: shares that only touch do not overlap"
ACCEPTED = [
    ("lanes", GRAY, OK), ("bare", V, OK + "; no lane needs to be named"),
    ("lane-words", V + "lanes:\n  - {tag: \"1.0\", fallback: baseline}\n  - {tag: a, fallback: none}\n", OK),
    ("chain", V + "lanes:\n  - {tag: a, fallback: b}\n  - {tag: b, fallback: c}\n  - {tag: c}\n",
     OK + "; a chain is no loop"),
    ("forward", V + "lanes:\n  - {tag: a, fallback: b}\n  - {tag: b}\n",
     OK + "; a lane may be named before it is listed"),
    ("touch", ENTRY + TWO % ("10", ", from: 0", "10", ", from: 10"), TOUCH),
    ("touch-back", ENTRY + TWO % ("10", ", from: 10", "10", ", from: 0"), TOUCH),
    ("touch-fine", ENTRY + TWO % ("0.29", ", from: 0.28", "0.28", ", from: 0"), TOUCH),
    ("full", ENTRY + TWO % ("33.33", ", from: 0", "66.67", ", from: 33.33"), TOUCH + ", 100 together"),
    ("other-salt", ENTRY + (TWO % ("60", "", "60", "")).replace("autumn", "spring", 1),
     "§6.7: another salt is another share"),
    ("other-key", ENTRY + (TWO % ("60", "", "60", "")).replace("x-user-id", "x-device", 1),
     "§6.7: another key is another share"),
    ("other-entry", BOTH + "entry:\n" + "".join(
        f"  - service: {s}\n    rules:\n      - {{lane: gray, percent: 60, {KEY}}}\n" for s in ("shop", "cart")),
     "§6.7: shares are counted within one entry"),
    ("zero", ENTRY + "      - {lane: gray, percent: 0, " + KEY + "}\n", "§6.6: zero is a share"),
    ("hundred", ENTRY + "      - {lane: gray, percent: 100.00, " + KEY + "}\n", "§6.7: 100 is a share"),
    ("hooks", V + "hooks: {okhttp: off, tomcat: on}\n", OK),
    ("show", GRAY + "show: [x-user-id, X-Tester]\n", OK),
    ("modes", SVC + "    mode: observe\n", OK),
    ("instance-names", SVC + "    instances:\n      - {address: \"[2001:db8::1]:80\"}\n      - {address: \"pod-1:80\"}\n",
     OK),
    ("published-tag", SVC + "    instances:\n      - {address: \"10.0.0.7:80\", tag: gray}\n", OK),
]


def case(name, text, refused, words, why, lines=()):
    plain, line, column = marked(text)
    return {
        "id": f"{'bad' if refused else 'good'}-{name}", "why": why + ".", "text": plain, "refused": refused,
        "line": line, "column": column, "contains": words, "lines": list(lines),
    }


def cases():
    assert MARK == "\u2039"
    out = [case(r[0], r[1], True, r[2], r[3], r[4] if len(r) > 4 else ()) for r in REFUSED]
    for name, p1, f1, p2, f2, words, why in PAIRS:
        out.append(case(f"pair-{name}", ENTRY + TWO % (p1, f1, p2, f2), True, words, why, (8, 9)))
    out += [case(name, text, True, [], why) for name, text, why in BROKEN]
    return out + [case(name, text, False, [], why) for name, text, why in ACCEPTED]
