"""trace.json: the trace-id table, which knows the tag that came in with a trace id (design section 6.4, names.md)."""

import hashlib

from .rules import rules_text

LANES = {"lanes": [{"tag": "gray"}, {"tag": "blue"}, {"tag": "dev-x"}]}
TESTER = {**LANES, "entry": [{"service": "shop", "rules": [{"when": {"header": {"x-tester": "yes"}}, "lane": "gray"}]}]}
ONE, TWO = [("trace.headers", "x-request-id")], [("trace.headers", "x-request-id x-b3-traceid")]
SHOP = [("service", "shop")]
OWN = [("alicloud.service.tag", "dev-x"), ("profiler.micro.service.tag.trace.enable", "true")]
ORDER, TABLE = "§6.4 order of label sources", "§6.4 trace-id table"
# What the slots of the table hold, and more ids than that.
SLOTS, MANY = 65536, 100000


def came(tag, source, trusted=False, kind="http", **headers):
    """A request comes in; its tag and where that is from."""
    named = [{"name": name.replace("_", "-"), "value": value} for name, value in headers.items()]
    return {"op": "in", "kind": kind, "trusted": trusted, "headers": named, "tag": tag, "source": source}


def learnt(tag, **more):
    """A request comes in with this tag on itself."""
    return came(tag, "carried", x_mse_tag=tag, **more)


def found(value, tag):
    """What an outgoing call with this id is told."""
    return {"op": "find", "value": value, "tag": tag}


def hexes(name, size):
    return hashlib.md5(name.encode()).hexdigest()[:size]


TRACE, SPAN, NEXT, SHORT = hexes("trace", 32), hexes("span", 16), hexes("next", 16), hexes("short", 16)
PARENT, CHILD = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{NEXT}-00"
B3, B3_CHILD = f"{hexes('b3', 32)}-{SPAN}-1", f"{hexes('b3', 32)}-{NEXT}-0-{SPAN}"
B3_SHORT, B3_SHORT_CHILD = f"{SHORT}-{SPAN}-1", f"{SHORT}-{NEXT}-1"
ZEROS = f"00-{'0' * 32}-{SPAN}-01"
LONGEST, TOO_LONG = "l" * 128, "m" * 129

# (id, rules, options, names of the headers, steps, why). Ids are not used twice: cases may share an engine.
CASES = [
    ("learn-and-resolve", LANES, ONE, ["x-request-id"], [
        found("a1", ""), came("", "none", x_request_id="a1"), learnt("gray", x_request_id="a1"),
        came("gray", "trace", x_request_id="a1"), found("a1", "gray"), found("a2", ""),
        came("", "none", x_request_id="a2"), came("", "none")], TABLE),
    ("off", LANES, [], [], [
        learnt("gray", x_request_id="b1"), came("", "none", x_request_id="b1"), found("b1", "")],
     TABLE + ": only where a header is named"),
    ("newest-tag", LANES, ONE, ["x-request-id"], [
        learnt("gray", x_request_id="c1"), learnt("blue", x_request_id="c1"), found("c1", "blue"),
        came("blue", "trace", x_request_id="c1")], TABLE + ": the newest word counts"),
    ("untagged-says-nothing", LANES, ONE, ["x-request-id"], [
        learnt("gray", x_request_id="d1"), came("gray", "trace", x_request_id="d1"), found("d1", "gray")],
     TABLE + ": a request without a tag of its own takes nothing away"),
    ("carried-first", LANES, ONE, ["x-request-id"], [
        learnt("gray", x_request_id="e1"), learnt("blue", x_request_id="e1")], ORDER + ": carried before the table"),
    ("entry-first", TESTER, ONE + SHOP, ["x-request-id"], [
        learnt("blue", x_request_id="f1"), came("gray", "entry", x_request_id="f1", x_tester="yes")],
     ORDER + ": an entry rule before the table"),
    ("own-last", LANES, ONE + OWN, ["x-request-id"], [
        learnt("gray", x_request_id="g1"), came("gray", "trace", x_request_id="g1"),
        came("dev-x", "own", x_request_id="g2")], ORDER + ": the table before the machine's own tag"),
    ("unnamed-tag", LANES, ONE, ["x-request-id"], [
        learnt("who", x_request_id="h1"), came("", "none", x_request_id="h1"), found("h1", "")],
     "§6.3: requests never intern; a tag that nobody named has no number to keep"),
    ("traceparent", LANES, [("trace.headers", "traceparent")], ["traceparent"], [
        learnt("gray", traceparent=PARENT), came("gray", "trace", traceparent=CHILD), found(CHILD, "gray")],
     TABLE + ": of traceparent the part that names the trace"),
    ("b3", LANES, [("trace.headers", "b3")], ["b3"], [
        learnt("gray", b3=B3), came("gray", "trace", b3=B3_CHILD), learnt("blue", b3=B3_SHORT),
        found(B3_SHORT_CHILD, "blue"), found(B3, "gray")], TABLE + ": of b3 the part that names the trace"),
    ("zeros", LANES, [("trace.headers", "traceparent")], ["traceparent"], [
        learnt("gray", traceparent=ZEROS), came("", "none", traceparent=ZEROS), found(ZEROS, "")],
     TABLE + "; W3C Trace Context 3.2.2.3: an id of zeros is none"),
    ("empty", LANES, ONE, ["x-request-id"], [
        learnt("gray", x_request_id=""), came("", "none", x_request_id=""), found("", "")], "decision D2, for ids"),
    ("blanks", LANES, ONE, ["x-request-id"], [
        learnt("gray", x_request_id=" i1"), found("i1 ", "gray"), found("I1", "")],
     "decision D1, for ids; the letters of an id are its own"),
    ("longest", LANES, ONE, ["x-request-id"], [
        learnt("gray", x_request_id=LONGEST), found(LONGEST, "gray"), learnt("gray", x_request_id=TOO_LONG),
        found(TOO_LONG, ""), found(TOO_LONG[:128], "")], TABLE + ": ids of at most 128 bytes, the others are none"),
    ("two-headers", LANES, TWO, ["x-request-id", "x-b3-traceid"], [
        learnt("gray", x_request_id="j1", x_b3_traceid="j2"), came("gray", "trace", x_b3_traceid="j2"),
        found("j1", "gray"), came("gray", "trace", x_request_id="j3", x_b3_traceid="j2")],
     TABLE + ": the first of the named headers whose id is known"),
    ("names-in-lower-case", LANES, [("trace.headers", "X-Request-Id")], ["x-request-id"], [
        learnt("gray", x_request_id="k1"), found("k1", "gray")], TABLE + "; RFC 9110 5.1: names of fields have no case"),
    ("attachment", LANES, ONE, ["x-request-id"], [
        learnt("gray", x_request_id="l1"), came("gray", "trace", kind="dubbo", x_request_id="l1"),
        learnt("blue", kind="dubbo", x_request_id="l2"), came("blue", "trace", x_request_id="l2")],
     TABLE + ": one table for every protocol"),
    ("edge", LANES, ONE + [("edge", "true")], ["x-request-id"], [
        came("", "none", x_mse_tag="gray", x_request_id="m1"), came("", "none", trusted=True, x_request_id="m1"),
        learnt("gray", trusted=True, x_request_id="m1"), came("", "none", x_request_id="m1"),
        came("gray", "trace", trusted=True, x_request_id="m1")],
     "§6.11: an edge neither learns from callers whom it does not trust nor tells them"),
    ("bound", LANES, ONE, ["x-request-id"], [
        {"op": "fill", "count": MANY, "most": SLOTS, "prefix": "n-", "tag": "gray"}, found(f"n-{MANY - 1}", "gray"),
        found(f"n-{MANY}", "")], TABLE + ": bounded; the newest stays"),
]


def cases():
    return [{
        "id": f"trace-{name}", "why": why + ".", "rules": rules_text(rules), "options": options, "names": names,
        "steps": steps,
    } for name, rules, options, names, steps, why in CASES]
