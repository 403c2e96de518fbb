"""route.json, second part: instances and authorities of the rule file, modes, odd but right rule texts."""

from .route import DEFAULT, GRAY, case, instances
from .rules import rules_text

PRICING = {
    "lanes": [{"tag": "gray"}],
    "services": [{
        "name": "pricing", "authorities": ["pricing:8080", "127.0.0.1:9001"],
        "instances": [{"address": "10.0.0.7:9001"}, {"address": "10.0.0.8:9001", "tag": "gray"},
                      {"address": "10.0.0.9:9001"}],
    }],
}
ONLY_BASE = {
    "lanes": [{"tag": "gray"}],
    "services": [{"name": "pricing", "authorities": ["pricing:8080"], "instances": [{"address": "10.0.0.7:9001"}]}],
}
ONLY_GRAY = {
    "lanes": [{"tag": "gray"}],
    "services": [{"name": "pricing", "authorities": ["pricing:8080"],
                  "instances": [{"address": "10.0.0.8:9001", "tag": "gray"}]}],
}
STRICT_SERVICE = {
    "lanes": [{"tag": "gray"}],
    "services": [{"name": "pricing", "authorities": ["pricing:8080"], "instances": [{"address": "10.0.0.7:9001"}],
                  "fallback": {"noinstances": "none"}}],
}
IPV6 = {
    "lanes": [{"tag": "gray"}],
    "services": [{"name": "pricing", "authorities": ["[::1]:8080"],
                  "instances": [{"address": "[2001:db8::7]:9001"}, {"address": "[2001:db8::8]:9001", "tag": "gray"}]}],
}
AUTH = "§6.2 and the rule file: a dialled authority has the list of its service's instances"
ADDR = "§3: then the rule file by address"
TWO = ["10.0.0.7:9001", "10.0.0.8:9001"]

# (id, rules, authority, tag, case or None = the rules do not name it, indices, why)
AUTHORITIES = [
    ("untagged", PRICING, "pricing:8080", "", "own", [0, 2], AUTH),
    ("gray", PRICING, "pricing:8080", "gray", "own", [1], AUTH),
    ("second-name", PRICING, "127.0.0.1:9001", "gray", "own", [1], AUTH + "; each of its authorities"),
    ("unknown-tag", PRICING, "pricing:8080", "who", "noinstances", [0, 2], AUTH),
    ("upper-case", PRICING, "PRICING:8080", "gray", "own", [1], "decision D8: host names know no case"),
    ("other-port", PRICING, "pricing:8081", "gray", None, [], AUTH + "; another port is another authority"),
    ("other-host", PRICING, "order:8080", "gray", None, [], AUTH + "; not named"),
    ("service-name", PRICING, "pricing", "gray", None, [], AUTH + "; a service's name is not an authority"),
    ("instance", PRICING, "10.0.0.8:9001", "gray", None, [], AUTH + "; an instance's address is not an authority"),
    ("prefix", PRICING, "pricing:80", "gray", None, [], AUTH + "; the whole authority"),
    ("empty", PRICING, "", "gray", None, [], AUTH + "; nothing dialled"),
    ("fallback", ONLY_BASE, "pricing:8080", "gray", "noinstances", [0], DEFAULT),
    ("strict", STRICT_SERVICE, "pricing:8080", "gray", "fail", [], "§6.5: none = stay and fail"),
    ("only-gray", ONLY_GRAY, "pricing:8080", "", "fail", [], "§6.5 baseline_missing: reject is the default"),
    ("only-gray-tagged", ONLY_GRAY, "pricing:8080", "gray", "own", [0], DEFAULT),
    ("ipv6", IPV6, "[::1]:8080", "gray", "own", [1], AUTH + "; IPv6"),
]


def authority_case(name, rules, authority, tag, kind, usable, why):
    service = rules["services"][0]
    named = authority.lower() in service["authorities"]
    assert named == (kind is not None), name
    listed = [{"address": i["address"], "healthy": True, "metadata": {}} for i in service["instances"]]
    out = case(f"authority-{name}", rules, listed, tag, (kind, usable) if named else None, why)
    out.update(authority=authority, names=None, instances=None)
    if not named:
        out.update(case=None, subset=None, indices=[])
    out["addresses"] = [i["address"] for i in service["instances"]] if named else []
    return out


# a registry's list whose tags come from the rule file: (id, list, addresses, tag, case, indices, why)
BY_ADDRESS = [
    ("gray", "b b", TWO, "gray", "own", [1], ADDR),
    ("untagged", "b b", TWO, "", "own", [0], ADDR),
    ("metadata-first", "b u", TWO, "gray", "noinstances", [0], "§3: metadata come before the rule file"),
    ("metadata-stays", "g b", TWO, "gray", "own", [0, 1], "§3: metadata and the rule file together"),
    ("not-added", "b", TWO[:1], "gray", "noinstances", [0],
     "§6: the rule file tags a registry's instances by address, it adds none to their list"),
    ("not-listed", "b b b", TWO + ["10.0.0.77:9001"], "", "own", [0, 2], ADDR),
]


def mode_case(name, top, service, option, mode, why, names=("pricing",)):
    rules = {"mode": top} if top else {}
    rules = {**rules, **GRAY}
    if service:
        rules["services"] = [{"name": "pricing", "mode": service}]
    out = case(f"mode-{name}", rules, instances("b g"), "gray", ("own", [1]), why, names,
               options=[("mode", option)] if option else [])
    out["mode"] = mode
    return out


TAKE = "§3 taking part: setting and rule file, the more cautious wins"
OVER = "§6 rule file: a service may override the mode"
MODES = [
    ("default", None, None, None, "on", "§3 taking part: an explicit start is on"),
    ("on", "on", None, None, "on", "§6 rule file: mode"),
    ("observe", "observe", None, None, "observe", "§6 rule file: mode"),
    ("off", "off", None, None, "off", "§6 rule file: mode"),
    ("option-observe", "on", None, "observe", "observe", TAKE),
    ("option-off", "on", None, "off", "off", TAKE),
    ("option-on-file-observe", "observe", None, "on", "observe", TAKE),
    ("option-on-file-off", "off", None, "on", "off", TAKE),
    ("option-observe-file-off", "off", None, "observe", "off", TAKE),
    ("option-alone", None, None, "observe", "observe", "§3: the setting alone"),
    ("service-observe", "on", "observe", None, "observe", OVER),
    ("service-off", "on", "off", None, "off", OVER),
    ("service-on", "observe", "on", None, "observe", "decision D9: a service can lower the file's mode, not raise it"),
    ("service-on-option-observe", "observe", "on", "observe", "observe", TAKE),
    ("service-observe-option-on", "on", "observe", "on", "observe", OVER),
    ("service-off-option-observe", "on", "off", "observe", "off", TAKE),
]
DESIGN_FILE = """# lanes.yaml: the native rule file
apiVersion: trilane/v1
mode: on                       # off | observe | on
hooks: {okhttp: off}           # one switch per hooked library
lanes:
  - {tag: gray}
  - {tag: dev-x, fallback: gray}
services:
  - name: pricing
    authorities: ["pricing:8080", "127.0.0.1:9001"]
    instances:
      - {address: "10.0.0.7:9001"}
      - {address: "10.0.0.8:9001", tag: gray}
    fallback: {noinstances: baseline, noavailabled: baseline}
    baseline_missing: reject
entry:
  - service: shop
    rules:
      - {when: {header: {x-tester: "yes"}}, lane: gray}
      - {lane: gray, percent: 10, from: 0, key: {header: x-user-id}, salt: "autumn"}
"""
CRLF = rules_text({"lanes": [{"tag": "gray", "fallback": "none"}]}).replace("\n", "\r\n")
BLOCK = """apiVersion: trilane/v1

lanes:
- tag: "gray"      # a comment
  fallback: none
"""
JSON_TEXT = '{"apiVersion": "trilane/v1", "lanes": [{"tag": "gray", "fallback": "none"}]}'
UNICODE = "# \u7070\u5ea6 rules \U0001f600\napiVersion: trilane/v1\nlanes:\n  - {tag: gray, fallback: none}\n"
ORDER = "lanes: [{fallback: none, tag: gray}]\napiVersion: trilane/v1\n"
STRICT = {"lanes": [{"tag": "gray", "fallback": "none"}]}
DOC = {"lanes": [{"tag": "gray"}, {"tag": "dev-x", "fallback": "gray"}], "services": [
    {"name": "pricing", "fallback": {"noinstances": "baseline", "noavailabled": "baseline"}}]}
# (id, text, the same as a dict, list, tag, case, indices, why)
TEXTS = [
    ("design", DESIGN_FILE, DOC, "b g", "gray", "own", [1], "§6: the file of the design is accepted"),
    ("design-fallback", DESIGN_FILE, DOC, "b g", "dev-x", "noinstances", [0], "§6.5: the service's word first"),
    ("crlf", CRLF, STRICT, "b", "gray", "fail", [], "§6.9: line ends of Windows are no mistake"),
    ("block", BLOCK, STRICT, "b", "gray", "fail", [], "§6: block style is the same file"),
    ("json", JSON_TEXT, STRICT, "b", "gray", "fail", [], "§6: JSON is YAML"),
    ("unicode", UNICODE, STRICT, "b", "gray", "fail", [], "§6.3: bytes are UTF-8"),
    ("order", ORDER, STRICT, "b", "gray", "fail", [], "§6: the order of keys does not matter"),
    ("no-newline", BLOCK.rstrip("\n"), STRICT, "b", "gray", "fail", [], "§6: the last line may lack its end"),
]


def cases():
    out = [authority_case(*row) for row in AUTHORITIES]
    for name, spec, addresses, tag, kind, usable, why in BY_ADDRESS:
        out.append(case(f"address-{name}", PRICING, instances(spec, addresses), tag, (kind, usable), why))
    out += [mode_case(*row) for row in MODES]
    out.append(mode_case("other-service", "on", "off", None, "on", OVER + ", of this service only", ("order",)))
    for name, text, rules, spec, tag, kind, usable, why in TEXTS:
        out.append(case(f"text-{name}", rules, instances(spec), tag, (kind, usable), why, text=text))
    return out
