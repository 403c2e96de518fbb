"""carriers.json: where a tag rides and how it is read and written (design section 3)."""

from urllib.parse import quote

from .rules import rules_text

RULES = rules_text({"lanes": [{"tag": "gray"}, {"tag": "blue"}, {"tag": "dev-x"}]})
KEY = "__microservice_tag__"


def member(tag):
    """The percent-encoded JSON form, every byte but the unreserved ones encoded."""
    return f"{KEY}=" + quote('[{"name":"%s"}]' % tag, safe="")


GRAY, BLUE = member("gray"), member("blue")
assert GRAY == KEY + "=%5B%7B%22name%22%3A%22gray%22%7D%5D"
# what a chatty peer might send: several elements, each with more fields
LONG = "[" + ",".join('{"name":"%s","priority":100,"desc":"%s"}' % (n, "k8s-pod-label " * 6) for n in
                      ("gray", "second", "third")) + "]"
ROW1, ROW2, ROW3 = "§3 carriers row 1", "§3 carriers row 2", "§3 carriers row 3"
ROW4, ROW5, BAD = "§3 carriers row 4", "§3 carriers row 5", "§3 malformed = absent in that carrier"

# read: (id, kind, {name: value}, tag, malformed, disagree, why[, options]); None = not asserted
HTTP = [
    ("none", {}, "", 0, 0, "§3: no carrier, no tag"),
    ("plain", {"x-mse-tag": "gray"}, "gray", 0, 0, ROW1 + ": the header is the tag"),
    ("name-case", {"X-Mse-Tag": "gray"}, "gray", 0, 0, ROW1 + ": header names know no case"),
    ("value-case", {"x-mse-tag": "GRAY"}, "GRAY", 0, 0, "§2: tags know case"),
    ("unknown", {"x-mse-tag": "nobody-named-me"}, "nobody-named-me", 0, 0,
     "§6.3: a tag that no rule names is carried as bytes"),
    ("unknown-63", {"x-mse-tag": "z" * 63}, "z" * 63, 0, 0, "§6.3: the longest unknown tag is carried whole"),
    ("empty", {"x-mse-tag": ""}, "", 0, 0, "decision D2: an empty value is no tag and no mistake"),
    ("space-around", {"x-mse-tag": " gray\t"}, "gray", 0, 0, "decision D1: blanks around a value are not part of it"),
    ("space-around-unknown", {"x-mse-tag": "  who "}, "who", 0, 0, "decision D1: nor of an unknown tag"),
    ("space-inside", {"x-mse-tag": "gr ay"}, "", 1, 0, BAD + ": a blank inside"),
    ("space-only", {"x-mse-tag": "  "}, "", None, 0, "decision D1: nothing but blanks is no tag"),
    ("joined", {"x-mse-tag": "gray,blue"}, "", 1, 0, BAD + ": two joined header lines are no tag"),
    ("long", {"x-mse-tag": "a" * 64}, "", 1, 0, BAD + ": 64 bytes"),
    ("long-4096", {"x-mse-tag": "a" * 4096}, "", 1, 0, BAD + ": a very long value"),
    ("crlf", {"x-mse-tag": "gray\r\nx: y"}, "", 1, 0, BAD + ": CRLF"),
    ("json-in-header", {"x-mse-tag": '[{"name":"gray"}]'}, "", 1, 0, BAD + ": the JSON form belongs to row 2"),
    ("percent-in-header", {"x-mse-tag": "gr%61y"}, "", 1, 0, BAD + ": the header is not percent-decoded"),
    ("attachment-name", {KEY: '[{"name":"gray"}]'}, "", 0, 0, ROW2 + ": not an HTTP carrier"),
    ("dubbo-tag", {"dubbo.tag": "gray"}, "", 0, 0, ROW4 + ": not an HTTP carrier"),
    ("lane-code-off", {"x-lane-code": "gray"}, "", 0, 0, ROW5 + ": read only by setting"),
    ("foreign", {"x-mse-tags": "gray", "x-mse": "blue"}, "", 0, 0, ROW1 + ": only the exact name"),
    ("baggage", {"baggage": GRAY}, "gray", 0, 0, ROW3),
    ("baggage-others", {"baggage": f"userId=alice,{GRAY},serverNode=DF%2028"}, "gray", 0, 0,
     ROW3 + ": one member among others"),
    ("baggage-spaces", {"baggage": f"userId=alice , {GRAY} ; ttl=5 , b=2"}, "gray", 0, 0,
     ROW3 + ": W3C allows spaces around members and properties after a value"),
    ("baggage-property", {"baggage": f"{GRAY};propagation=unlimited"}, "gray", 0, 0,
     ROW3 + ": properties of our member are not part of the value"),
    ("baggage-raw-brackets", {"baggage": KEY + "=[{%22name%22:%22gray%22}]"}, "gray", 0, 0,
     ROW3 + ": W3C lets brackets and colons stand unencoded"),
    ("baggage-lower-hex", {"baggage": KEY + "=%5b%7b%22name%22%3a%22gray%22%7d%5d"}, "gray", 0, 0,
     ROW3 + ": hex digits of either case"),
    ("baggage-encoded-letters", {"baggage": KEY + "=%5B%7B%22name%22%3A%22%67%72ay%22%7D%5D"}, "", 1, 0,
     "decision D15: a tag spelt with escapes is malformed"),
    ("baggage-long", {"baggage": f"{KEY}=" + quote(LONG, safe="")}, "gray", 0, 0,
     ROW2 + ": more fields are tolerated, also many"),
    ("baggage-encoded-spaces", {"baggage": KEY + "=%5B%7B%22name%22%3A%20%22gray%22%7D%5D"}, "gray", 0, 0,
     ROW3 + ": encoded blanks inside the JSON"),
    ("baggage-priority", {"baggage": f"{KEY}=" + quote('[{"name":"gray","priority":100}]', safe="")}, "gray", 0, 0,
     ROW2 + ": more fields are tolerated"),
    ("baggage-unknown", {"baggage": member("who")}, "who", 0, 0, "§6.3: an unknown tag in baggage is carried too"),
    ("baggage-bad-neighbours", {"baggage": f"novalue,=x,,a=b=c,{GRAY},%zz=1"}, "gray", 0, 0,
     "§3: a malformed member of somebody else does not concern ours"),
    ("baggage-none-ours", {"baggage": "userId=alice,gray=1"}, "", 0, 0, ROW3 + ": other members are not ours"),
    ("baggage-suffix-key", {"baggage": "x" + GRAY}, "", 0, 0, ROW3 + ": another key that ends like ours"),
    ("baggage-prefix-key", {"baggage": KEY + "x=" + GRAY.split("=")[1]}, "", 0, 0,
     ROW3 + ": another key that starts like ours"),
    ("baggage-in-value", {"baggage": f"note=a;{GRAY}"}, "", 0, 0,
     ROW3 + ": our name as a property of another member is not our member"),
    ("baggage-empty-value", {"baggage": KEY + "="}, "", 0, 0, ROW2 + ": empty = none"),
    ("baggage-empty", {"baggage": ""}, "", 0, 0, "decision D2: empty baggage"),
    ("baggage-empty-list", {"baggage": KEY + "=%5B%5D"}, "", None, 0, ROW2 + ": an empty list names nothing"),
    ("baggage-bare-tag", {"baggage": KEY + "=gray"}, "", 1, 0, BAD + ": not the JSON form"),
    ("baggage-half-percent", {"baggage": KEY + "=%5B%7B%22name%22%3A%22gray%22%7D%5"}, "", 1, 0,
     BAD + ": a percent sign with one digit"),
    ("baggage-bad-percent", {"baggage": KEY + "=%5B%7B%22name%22%3A%22%zzgray%22%7D%5D"}, "", 1, 0,
     BAD + ": a percent sign without hex digits"),
    ("baggage-twice-encoded", {"baggage": f"{KEY}=" + quote(quote('[{"name":"gray"}]', safe=""), safe="")}, "", 1, 0,
     BAD + ": it is decoded once only"),
    ("baggage-bad-tag", {"baggage": f"{KEY}=" + quote('[{"name":"gr ay"}]', safe="")}, "", 1, 0,
     BAD + ": a space in the tag"),
    ("baggage-twice-same", {"baggage": f"{GRAY},{GRAY}"}, "gray", 0, 0, "decision D3: the same member twice"),
    ("baggage-twice-other", {"baggage": f"{GRAY},{BLUE}"}, "gray", 0, None,
     "decision D3: of two members of our name the first counts"),
    ("agree", {"x-mse-tag": "gray", "baggage": GRAY}, "gray", 0, 0, "§3: two carriers that agree"),
    ("disagree", {"x-mse-tag": "gray", "baggage": BLUE}, "gray", 0, 1,
     "§3: disagreement is counted and the earlier row wins"),
    ("disagree-unknown", {"x-mse-tag": "who", "baggage": GRAY}, "who", 0, 1,
     "§3: an unknown tag in the earlier row still wins"),
    ("disagree-unknown-both", {"x-mse-tag": "who", "baggage": member("why")}, "who", 0, 1,
     "§3: two unknown tags that differ disagree"),
    ("agree-unknown-both", {"x-mse-tag": "who", "baggage": member("who")}, "who", 0, 0,
     "§3: two unknown tags that are equal agree"),
    ("malformed-then-good", {"x-mse-tag": "gr ay", "baggage": GRAY}, "gray", 1, 0,
     BAD + ": the next carrier is read, and that is no disagreement"),
    ("empty-then-good", {"x-mse-tag": "", "baggage": GRAY}, "gray", 0, 0,
     "decision D2: an empty header leaves the word to the next carrier"),
    ("good-then-malformed", {"x-mse-tag": "gray", "baggage": KEY + "=oops"}, "gray", None, 0,
     BAD + ": a later carrier's mistake changes nothing"),
    ("both-malformed", {"x-mse-tag": "gr ay", "baggage": KEY + "=oops"}, "", 1, 0, BAD + ": in both"),
]
DUBBO = [
    ("none", {}, "", 0, 0, "§3: no carrier, no tag"),
    ("json", {KEY: '[{"name":"gray"}]'}, "gray", 0, 0, ROW2),
    ("json-priority", {KEY: '[{"name":"gray","priority":100}]'}, "gray", 0, 0, ROW2 + ": more fields after"),
    ("json-name-last", {KEY: '[{"priority":100,"name":"gray"}]'}, "gray", 0, 0,
     ROW2 + ": we write name first, others need not"),
    ("json-blanks", {KEY: ' [ { "name" : "gray" } ] '}, "gray", 0, 0, ROW2 + ": blanks between JSON tokens"),
    ("json-escape", {KEY: '[{"name":"\\u0067ray"}]'}, "", 1, 0,
     "decision D15: a tag spelt with escapes is malformed"),
    ("json-long", {KEY: LONG}, "gray", 0, 0, ROW2 + ": more fields are tolerated, also many"),
    ("json-field-escape", {KEY: '[{"x":"a\\\\","name":"gray","y":"\\""}]'}, "gray", 0, 0,
     ROW2 + ": escapes in other fields are tolerated"),
    ("json-first-of-two", {KEY: '[{"name":"gray"},{"name":"blue"}]'}, "gray", 0, 0, ROW2 + ": element 0 is read"),
    ("json-second-odd", {KEY: '[{"name":"gray"},5]'}, "gray", 0, 0, ROW2 + ": only element 0 is looked at"),
    ("json-nested-name", {KEY: '[{"x":{"name":"blue"},"name":"gray"}]'}, "gray", 0, 0,
     ROW2 + ": a name inside another field is not the name"),
    ("json-name-in-text", {KEY: '[{"x":"\\"name\\":\\"blue\\"","name":"gray"}]'}, "gray", 0, 0,
     ROW2 + ": a name inside a string is not the name"),
    ("json-array-field", {KEY: '[{"x":[{"name":"blue"},[]],"name":"gray"}]'}, "gray", 0, 0,
     ROW2 + ": a field may hold a list"),
    ("json-other-types", {KEY: '[{"a":null,"b":true,"c":-1.5e3,"name":"gray"}]'}, "gray", 0, 0,
     ROW2 + ": fields of every type are tolerated"),
    ("json-unknown", {KEY: '[{"name":"who"}]'}, "who", 0, 0, "§6.3: an unknown tag is carried"),
    ("json-empty", {KEY: ""}, "", 0, 0, ROW2 + ": empty = none"),
    ("json-empty-list", {KEY: "[]"}, "", None, 0, ROW2 + ": an empty list names nothing"),
    ("json-empty-name", {KEY: '[{"name":""}]'}, "", None, 0, ROW2 + ": an empty name names nothing"),
    ("json-no-name", {KEY: '[{"priority":100}]'}, "", 1, 0, BAD + ": no name in element 0"),
    ("json-name-second", {KEY: '[{},{"name":"gray"}]'}, "", 1, 0, BAD + ": element 1 is not read"),
    ("json-name-case", {KEY: '[{"Name":"gray"}]'}, "", 1, 0, BAD + ": the field is called name"),
    ("json-object", {KEY: '{"name":"gray"}'}, "", 1, 0, BAD + ": not a list"),
    ("json-number", {KEY: '[{"name":5}]'}, "", 1, 0, BAD + ": the name is a number"),
    ("json-string-list", {KEY: '["gray"]'}, "", 1, 0, BAD + ": element 0 is no object"),
    ("json-bare", {KEY: "gray"}, "", 1, 0, BAD + ": the bare tag is not the JSON form"),
    ("json-half", {KEY: '[{"name":"gray"'}, "", 1, 0, BAD + ": cut off"),
    ("json-half-list", {KEY: '[{"name":"gray"}'}, "", 1, 0, BAD + ": the list is not closed"),
    ("json-trailing", {KEY: '[{"name":"gray"}]x'}, "", 1, 0, BAD + ": bytes after the list"),
    ("json-junk-in-element", {KEY: '[{"name":"gray",oops]'}, "", 1, 0, BAD + ": not JSON after the name"),
    ("json-junk-after-element", {KEY: '[{"name":"gray"}x]'}, "", 1, 0, BAD + ": not JSON after element 0"),
    ("json-single-quotes", {KEY: "[{'name':'gray'}]"}, "", 1, 0, BAD + ": not JSON"),
    ("json-bad-tag", {KEY: '[{"name":"gr/ay"}]'}, "", 1, 0, BAD + ": a slash in the tag"),
    ("json-long-tag", {KEY: '[{"name":"%s"}]' % ("a" * 64)}, "", 1, 0, BAD + ": 64 bytes"),
    ("json-percent", {KEY: GRAY.split("=")[1]}, "", 1, 0, BAD + ": an attachment is not percent-decoded"),
    ("tag", {"dubbo.tag": "gray"}, "gray", 0, 0, ROW4),
    ("tag-bad", {"dubbo.tag": "gr ay"}, "", 1, 0, BAD + ": a space"),
    ("tag-unknown", {"dubbo.tag": "who"}, "who", 0, 0, "§6.3: an unknown tag is carried"),
    ("force-tag", {"dubbo.force.tag": "gray"}, "", 0, 0, ROW4 + ": dubbo.force.tag is not ours"),
    ("agree", {KEY: '[{"name":"gray"}]', "dubbo.tag": "gray"}, "gray", 0, 0, "§3: what we write ourselves agrees"),
    ("disagree", {KEY: '[{"name":"gray"}]', "dubbo.tag": "blue"}, "gray", 0, 1, "§3: row 2 before row 4"),
    ("malformed-then-tag", {KEY: "oops", "dubbo.tag": "gray"}, "gray", 1, 0, BAD + ": row 4 is read"),
    ("empty-then-tag", {KEY: "", "dubbo.tag": "gray"}, "gray", 0, 0, "decision D2: empty leaves the word to the next"),
    ("triple", {"x-mse-tag": "gray"}, "gray", 0, 0, "§3 carriers row 1: Triple metadata arrive as attachments"),
    ("triple-first", {"x-mse-tag": "gray", KEY: '[{"name":"blue"}]', "dubbo.tag": "dev-x"}, "gray", 0, 1,
     "§3: row 1 before rows 2 and 4"),
    ("lane-code-off", {"x-lane-code": "gray"}, "", 0, 0, ROW5 + ": read only by setting"),
]
MESSAGE = [
    ("json", {KEY: '[{"name":"gray"}]'}, "gray", 0, 0, ROW2 + ": message property"),
    ("json-empty", {KEY: ""}, "", 0, 0, ROW2 + ": empty = none"),
    ("json-bad", {KEY: "gray"}, "", 1, 0, BAD + ": not the JSON form"),
    ("header", {"x-mse-tag": "gray"}, "", 0, 0, ROW1 + ": not a message carrier"),
    ("dubbo-tag", {"dubbo.tag": "gray"}, "", 0, 0, ROW4 + ": not a message carrier"),
    ("baggage", {"baggage": GRAY}, "", 0, 0, ROW3 + ": HTTP and gRPC only"),
]
BY_SETTING = [
    ("http", "http", {"x-lane-code": "gray"}, "gray", 0, 0, ROW5 + ": read by setting"),
    ("http-last", "http", {"x-lane-code": "gray", "x-mse-tag": "blue"}, "blue", 0, 1, ROW5 + ": read after row 1"),
    ("http-after-baggage", "http", {"x-lane-code": "gray", "baggage": BLUE}, "blue", 0, 1, ROW5 + ": after row 3"),
    ("http-bad", "http", {"x-lane-code": "gr ay"}, "", 1, 0, BAD + ": in a configured carrier"),
    ("dubbo", "dubbo", {"x-lane-code": "gray"}, "gray", 0, 0, ROW5 + ": Dubbo too"),
    ("dubbo-last", "dubbo", {"x-lane-code": "gray", "dubbo.tag": "blue"}, "blue", 0, 1, ROW5 + ": after row 4"),
    ("message", "message", {"x-lane-code": "gray"}, "gray", 0, 0, ROW5 + ": messages too"),
]


def read_case(prefix, kind, row, options=()):
    name, headers, tag, malformed, disagree, why = row
    flag = {0: False, 1: True, None: None}
    return {
        "id": f"carrier-{prefix}-{name}", "why": why + ".", "op": "read", "kind": kind, "rules": RULES,
        "options": [list(o) for o in options],
        "headers": [{"name": k, "value": v} for k, v in headers.items()],
        "tag": tag, "malformed": flag[malformed], "disagree": flag[disagree],
    }


RAW = [
    ("latin1", "http", "x-mse-tag", b"gr\xe4y", "a byte that is not UTF-8"),
    ("nul", "http", "x-mse-tag", b"gray\0", "a NUL"),
    ("baggage-latin1", "http", "baggage", (KEY + "=%5B%7B%22name%22%3A%22gr%E4y%22%7D%5D").encode(),
     "an encoded byte that is not UTF-8"),
    ("json-latin1", "dubbo", KEY, b'[{"name":"gr\xe4y"}]', "a byte that is not UTF-8 in the JSON"),
]


def raw_case(name, kind, header, raw, note):
    case = read_case("raw", kind, (name, {}, "", 1, 0, f"{BAD}: {note}"))
    case["headers"] = [{"name": header, "hex": raw.hex()}]
    return case


# baggage_set: (id, old, tag, other members in order, why)
SET = [
    ("add", "userId=alice", "gray", ["userId=alice"], ROW3 + ": our member joins the request's own"),
    ("add-two", "a=1,b=2", "gray", ["a=1", "b=2"], ROW3 + ": other members keep their order"),
    ("add-properties", "a=1;p=x;q", "gray", ["a=1;p=x;q"], ROW3 + ": properties of others stay"),
    ("add-encoded", "a=%20%C3%A4", "gray", ["a=%20%C3%A4"], ROW3 + ": others are not re-encoded"),
    ("add-malformed", "novalue,a=1", "gray", ["novalue", "a=1"], ROW3 + ": even malformed members are left alone"),
    ("add-lookalike", f"x{KEY}=1,{KEY}x=2", "gray", [f"x{KEY}=1", f"{KEY}x=2"],
     ROW3 + ": names like ours are not ours"),
    ("add-property-lookalike", f"a=1;{KEY}=x", "gray", [f"a=1;{KEY}=x"], ROW3 + ": a property of our name is not ours"),
    ("add-empty", "", "gray", [], ROW3 + ": nothing there before"),
    ("add-unknown", "a=1", "who", ["a=1"], "§6.3: an unknown tag travels on"),
    ("replace", BLUE, "gray", [], ROW3 + ": our own earlier member is replaced"),
    ("replace-first", f"{BLUE},a=1", "gray", ["a=1"], ROW3 + ": ours was first"),
    ("replace-middle", f"a=1,{BLUE},b=2", "gray", ["a=1", "b=2"], ROW3 + ": ours was in the middle"),
    ("replace-last", f"a=1,{BLUE}", "gray", ["a=1"], ROW3 + ": ours was last"),
    ("replace-spaced", f"a=1 , {BLUE} ; ttl=1 , b=2", "gray", ["a=1", "b=2"], ROW3 + ": with blanks and a property"),
    ("replace-twice", f"{BLUE},a=1,{BLUE}", "gray", ["a=1"], ROW3 + ": all of ours give way to one"),
    ("replace-broken", f"{KEY}=oops,a=1", "gray", ["a=1"], ROW3 + ": ours was malformed"),
    ("same", f"a=1,{GRAY}", "gray", ["a=1"], ROW3 + ": setting what is there"),
    ("remove", f"a=1,{BLUE},b=2", "", ["a=1", "b=2"], ROW3 + ": no tag removes our member"),
    ("remove-only", BLUE, "", [], ROW3 + ": nothing is left"),
    ("remove-first", f"{BLUE},a=1", "", ["a=1"], ROW3 + ": no comma stays in front"),
    ("remove-last", f"a=1,{BLUE}", "", ["a=1"], ROW3 + ": no comma stays behind"),
    ("remove-twice", f"{BLUE},{GRAY}", "", [], ROW3 + ": all of ours go"),
    ("remove-absent", "a=1,b=2;p", "", ["a=1", "b=2;p"], ROW3 + ": nothing of ours, nothing changes"),
    ("remove-empty", "", "", [], ROW3 + ": nothing from nothing"),
]


def set_case(name, old, tag, others, why):
    return {
        "id": f"carrier-set-{name}", "why": why + ".", "op": "baggage_set", "rules": RULES, "options": [],
        "old": old, "tag": tag, "others": others, "ours": member(tag) if tag else None,
    }


def cases():
    out = [read_case("http", "http", row) for row in HTTP]
    out += [read_case("dubbo", "dubbo", row) for row in DUBBO]
    out += [read_case("message", "message", row) for row in MESSAGE]
    setting = [("carriers.read", "x-lane-code")]
    out += [read_case("setting", r[1], (r[0],) + r[2:], setting) for r in BY_SETTING]
    out += [raw_case(*row) for row in RAW]
    out += [set_case(*row) for row in SET]
    return out
