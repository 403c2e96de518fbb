"""metadata.json: an instance's registered metadata -> its tag (design section 3)."""

from .model import UNKNOWN, instance_tag
from .rules import rules_text

LANES = [{"tag": "gray"}, {"tag": "blue"}]
PLAIN = {"lanes": LANES}
BY_ADDRESS = {
    "lanes": LANES,
    "services": [{"name": "pricing", "instances": [
        {"address": "10.0.0.7:9001"},
        {"address": "10.0.0.8:9001", "tag": "gray"},
        {"address": "[2001:db8::8]:9001", "tag": "gray"},
        {"address": "pricing-gray:9001", "tag": "gray"},
    ]}],
}
MSE, OLD, DUBBO = "alicloud.service.tag", "__micro.service.env__", "dubbo.tag"
CANARY = "opensergo.io/canary-"
REG = "§3 registered metadata"
D5 = "decision D5: a tag that cannot be read is nobody's lane and not baseline"
FILE = REG + ": then the rule file by address"
AT = "10.9.9.9:9001"

# (id, metadata, address, extra key by setting, tag or UNKNOWN, why)
CASES = [
    ("none", {}, AT, None, "", REG + ": nothing there is baseline"),
    ("foreign", {"zone": "z1", "weight": "100"}, AT, None, "", REG + ": other keys say nothing"),
    ("mse", {MSE: "gray"}, AT, None, "gray", REG + ", first key"),
    ("opensergo", {CANARY + "gray": "gray"}, AT, None, "gray", REG + ", second key: the tag is in the key"),
    ("opensergo-dash", {CANARY + "dev-x": "dev-x"}, AT, None, "dev-x", REG + ": a tag with a dash in the key"),
    ("opensergo-base", {"opensergo.io/canary": ""}, AT, None, "", REG + ": the key without a tag is the base"),
    ("old", {OLD: "gray"}, AT, None, "gray", REG + ", third key"),
    ("dubbo", {DUBBO: "gray"}, AT, None, "gray", REG + ", fourth key"),
    ("published-only", {MSE: "pub-1"}, AT, None, "pub-1", "§6.3: the tags of published instances are interned"),
    ("value-63", {MSE: "p" * 63}, AT, None, "p" * 63, "§2: the longest tag"),
    ("case", {MSE: "GRAY"}, AT, None, "GRAY", "§2: tags know case"),
    ("order-mse-opensergo", {MSE: "gray", CANARY + "blue": "blue"}, AT, None, "gray", REG + ": first before second"),
    ("order-opensergo-old", {CANARY + "gray": "gray", OLD: "blue"}, AT, None, "gray", REG + ": second before third"),
    ("order-old-dubbo", {OLD: "gray", DUBBO: "blue"}, AT, None, "gray", REG + ": third before fourth"),
    ("order-mse-dubbo", {DUBBO: "blue", MSE: "gray"}, AT, None, "gray", REG + ": first before fourth"),
    ("both-ours", {DUBBO: "gray", MSE: "gray"}, AT, None, "gray", REG + ": what we write for Dubbo ourselves"),
    ("empty-mse", {MSE: ""}, AT, None, "", "decision D2: an empty value is no tag"),
    ("empty-then-dubbo", {MSE: "", DUBBO: "gray"}, AT, None, "gray", "decision D2: the next key is read"),
    ("malformed-then-dubbo", {MSE: "gr ay", DUBBO: "gray"}, AT, None, "gray",
     "§3: the first key that holds a tag wins"),
    ("malformed-mse", {MSE: "gr ay"}, AT, None, UNKNOWN, D5),
    ("malformed-long", {MSE: "a" * 64}, AT, None, UNKNOWN, D5),
    ("malformed-dubbo", {DUBBO: "\u7070\u5ea6"}, AT, None, UNKNOWN, D5 + "; plain Dubbo would keep others away too"),
    ("malformed-opensergo", {CANARY + "gr ay": "gr ay"}, AT, None, UNKNOWN, D5),
    ("malformed-old", {OLD: '[{"desc":"k8s-pod-label","tag":"x"}]'}, AT, None, "",
     "decision D5: what cannot be read under the old key says nothing"),
    ("tag-off", {"tag": "gray"}, AT, None, "", REG + ": tag only by setting"),
    ("lane-off", {"lane": "gray"}, AT, None, "", REG + ": lane only by setting"),
    ("version-off", {"version": "gray"}, AT, None, "", REG + ": version only by setting"),
    ("tag-on", {"tag": "gray"}, AT, "tag", "gray", REG + ": tag by setting"),
    ("lane-on", {"lane": "gray"}, AT, "lane", "gray", REG + ": lane by setting"),
    ("version-on", {"version": "gray"}, AT, "version", "gray", REG + ": version by setting"),
    ("version-on-other", {"lane": "gray"}, AT, "version", "", REG + ": only the one that was set"),
    ("version-after-dubbo", {"version": "blue", DUBBO: "gray"}, AT, "version", "gray",
     REG + ": a set key comes after the built-in ones"),
    ("version-after-mse", {"version": "blue", MSE: "gray"}, AT, "version", "gray",
     REG + ": a set key does not replace the built-in ones"),
]
FILE_CASES = [
    ("tagged", {}, "10.0.0.8:9001", None, "gray", FILE),
    ("untagged", {}, "10.0.0.7:9001", None, "", FILE + ": listed without a tag"),
    ("absent", {}, "10.0.0.9:9001", None, "", FILE + ": not listed"),
    ("other-port", {}, "10.0.0.8:9002", None, "", FILE + ": host and port must both be equal"),
    ("prefix", {}, "10.0.0.8:90010", None, "", FILE + ": the whole address"),
    ("ipv6", {}, "[2001:db8::8]:9001", None, "gray", FILE + ": IPv6"),
    ("host-name", {}, "pricing-gray:9001", None, "gray", FILE + ": a host name"),
    ("metadata-first", {MSE: "blue"}, "10.0.0.8:9001", None, "blue", FILE + ": metadata come first"),
    ("dubbo-first", {DUBBO: "blue"}, "10.0.0.8:9001", None, "blue", FILE + ": metadata come first, the last key too"),
    ("set-first", {"version": "blue"}, "10.0.0.8:9001", "version", "blue", FILE + ": a set key comes first too"),
    ("not-untagged-by-file", {MSE: "gray"}, "10.0.0.7:9001", None, "gray",
     FILE + ": an entry without a tag takes nothing away"),
    ("malformed-then-file", {MSE: "gr ay"}, "10.0.0.8:9001", None, "gray", FILE + ": the first that holds a tag wins"),
]


def case(name, rules, row):
    metadata, address, extra, expected, why = row
    service = rules.get("services", [{}])[0]
    found = instance_tag(metadata, address, service, [extra] if extra else [])
    assert found is expected or found == expected, name
    return {
        "id": f"metadata-{name}", "why": why + ".", "rules": rules_text(rules), "name": "pricing",
        "options": [["metadata.read", extra]] if extra else [],
        "address": address, "metadata": metadata,
        "tag": None if expected is UNKNOWN else expected,
    }


def cases():
    out = [case(row[0], PLAIN, row[1:]) for row in CASES]
    return out + [case("file-" + row[0], BY_ADDRESS, row[1:]) for row in FILE_CASES]
