"""route.json: list + rules + tag -> case and subset (design section 6.5); pick.json: one of the subset."""

from .model import UNKNOWN, decide, instance_tag, pick, service_of, tag_valid
from .rules import rules_text

LETTERS = {
    "b": {}, "g": {"alicloud.service.tag": "gray"}, "x": {"alicloud.service.tag": "dev-x"},
    "y": {"alicloud.service.tag": "dev-y"}, "u": {"alicloud.service.tag": "blue"},
    "w": {"alicloud.service.tag": "w" * 63}, "?": {"alicloud.service.tag": "no tag"},
}


def instances(spec, addresses=None):
    """"b g- x": one letter per instance, a minus for "not healthy"."""
    out = []
    for n, word in enumerate(spec.split()):
        address = addresses[n] if addresses else f"10.0.{n // 200}.{n % 200 + 1}:8080"
        out.append({"address": address, "healthy": not word.endswith("-"), "metadata": LETTERS[word[0]]})
    return out


GRAY = {"lanes": [{"tag": "gray"}]}
NOTHING = {}
CHAIN = {"lanes": [{"tag": "gray"}, {"tag": "dev-x", "fallback": "gray"}, {"tag": "dev-y", "fallback": "dev-x"}]}
STRICT = {"lanes": [{"tag": "gray", "fallback": "none"}, {"tag": "dev-x", "fallback": "gray"}]}
LANES = [{"tag": "gray"}, {"tag": "dev-x", "fallback": "gray"}]


def service(lanes=None, **fields):
    return {"lanes": lanes or LANES, "services": [{"name": "pricing", **fields}]}


NO_INST, NO_AVAIL = service(fallback={"noinstances": "none"}), service(fallback={"noavailabled": "none"})
NEITHER = service(fallback={"noinstances": "none", "noavailabled": "none"})
TO_X = service(fallback={"noinstances": "dev-x"})
TO_X_BASE = service([{"tag": "gray"}, {"tag": "dev-x"}], fallback={"noinstances": "dev-x"})
TO_GRAY = service(fallback={"noinstances": "gray"})
BACK_TO_X = service(fallback={"noavailabled": "dev-x"})
LENIENT = service([{"tag": "gray", "fallback": "none"}],
                  fallback={"noinstances": "baseline", "noavailabled": "baseline"})
SKIP_GRAY = service(fallback={"noinstances": "baseline"})
ALL, REJECT = service(baseline_missing="all"), service(baseline_missing="reject")
DEFAULT, STEP = "§6.5 default lane policy", "§6.5 order: service, else lane, else baseline"
LEAK, MISSING = "§6.5: untagged traffic never enters a tagged instance", "§6.5 baseline_missing"
LOOP = "§6.5: a subset already tried = fail"

# (id, rules, list, tag, case, usable indices, why)
CASES = [
    ("own", GRAY, "b g", "gray", "own", [1], DEFAULT + ": a tagged call goes to its lane"),
    ("own-many", GRAY, "b g b g g", "gray", "own", [1, 3, 4], DEFAULT + ": all of its lane, ascending"),
    ("own-part", GRAY, "g- g b", "gray", "own", [1], DEFAULT + ": a lane with one healthy copy is no fallback"),
    ("own-no-rules", NOTHING, "b g", "gray", "own", [1], "§6.3: the tags of published instances need no rule"),
    ("own-published", GRAY, "b u", "blue", "own", [1], "§6.3: a tag only an instance names is a lane too"),
    ("own-63", GRAY, "b w", "w" * 63, "own", [1], "§2: the longest tag"),
    ("untagged", GRAY, "b g b", "", "own", [0, 2], LEAK),
    ("untagged-one", GRAY, "g b", "", "own", [1], LEAK),
    ("untagged-part", GRAY, "b- g b", "", "own", [2], LEAK + ", nor an unhealthy one"),
    ("untagged-no-lanes", NOTHING, "b b", "", "own", [0, 1], DEFAULT + ": nobody is tagged"),
    ("untagged-strict", STRICT, "b g", "", "own", [0], "§6.5: a strict lane does not concern untagged calls"),
    ("untagged-only-tagged", GRAY, "g g", "", "fail", [], MISSING + ": reject is the default"),
    ("untagged-sick-base", GRAY, "b- g", "", "fail", [], LEAK + ", not even when the baseline is sick"),
    ("untagged-empty", GRAY, "", "", "fail", [], "§6.5: an empty list serves nobody"),
    ("gray-empty", GRAY, "", "gray", "fail", [], "§6.5: an empty list serves nobody"),
    ("case-of-tag", GRAY, "b g", "GRAY", "noinstances", [0], "§2: GRAY is another tag than gray"),
    ("malformed", GRAY, "b g", "gr ay", "own", [0], "§3: a malformed tag is no tag"),
    ("malformed-64", GRAY, "b g", "a" * 64, "own", [0], "§3: a malformed tag is no tag"),
    ("prefix", GRAY, "b g", "gra", "noinstances", [0], "§2: the whole tag counts"),
    ("noinstances", GRAY, "b b", "gray", "noinstances", [0, 1], DEFAULT + ": else baseline"),
    ("noavailabled", GRAY, "b g-", "gray", "noavailabled", [0], DEFAULT + ": else baseline, in both cases"),
    ("base-part", GRAY, "b- b", "gray", "noinstances", [1], DEFAULT + ": the healthy part of the baseline"),
    ("base-absent", GRAY, "u", "gray", "fail", [], DEFAULT + ": somebody else's lane is not the baseline"),
    ("base-sick", GRAY, "b- g-", "gray", "fail", [], DEFAULT + ": the chain ends at a baseline with nobody healthy"),
    ("unknown", GRAY, "b g", "who", "noinstances", [0], "§6.3: an unknown tag is decided as a lane with no instance"),
    ("unknown-base-absent", GRAY, "g", "who", "fail", [], "§6.5: a chain that ends at an empty baseline fails"),
    ("unknown-named-baseline", GRAY, "b g", "baseline", "noinstances", [0],
     "§2: as a tag, this word is any other tag"),
    ("lane-strict", STRICT, "b", "gray", "fail", [], "§6.5: none = stay and fail, noinstances"),
    ("lane-strict-sick", STRICT, "b g-", "gray", "fail", [], "§6.5: none = stay and fail, noavailabled"),
    ("lane-strict-own", STRICT, "b g", "gray", "own", [1], "§6.5: a strict lane that is there serves"),
    ("lane-to-strict", STRICT, "b", "dev-x", "fail", [], "§6.5: the chain goes on with the target lane's own rule"),
    ("lane-to-strict-there", STRICT, "b g", "dev-x", "noinstances", [1], "§6.5: targets chain"),
    ("chain-1", CHAIN, "b g x", "dev-y", "noinstances", [2], "§6.5: targets chain, one step"),
    ("chain-2", CHAIN, "b g", "dev-y", "noinstances", [1], "§6.5: targets chain, two steps"),
    ("chain-3", CHAIN, "b", "dev-y", "noinstances", [0], "§6.5: targets chain down to the baseline"),
    ("chain-sick", CHAIN, "b g x- y-", "dev-y", "noavailabled", [1], "§6.5: targets chain over sick lanes"),
    ("chain-mixed", CHAIN, "b g x-", "dev-y", "fallback", [1], "§6.5: targets chain, each step by its own case"),
    ("chain-mixed-base", CHAIN, "b g- x-", "dev-y", "fallback", [0], "§6.5: targets chain, each step by its own case"),
    ("chain-base-absent", CHAIN, "u", "dev-y", "fail", [], "§6.5: a chain that ends at an empty baseline fails"),
    ("chain-base-sick", CHAIN, "b- x-", "dev-y", "fail", [], "§6.5: a chain that ends at a sick baseline fails"),
    ("chain-own", CHAIN, "b g x y", "dev-y", "own", [3], "§6.5: no fallback while the lane is there"),
    ("chain-not-back", CHAIN, "b x y", "gray", "noinstances", [0], "§6.5: fallbacks have one direction"),
    ("svc-noinst-none", NO_INST, "b", "gray", "fail", [], STEP),
    ("svc-noinst-none-sick", NO_INST, "b g-", "gray", "noavailabled", [0], STEP + "; the other case is unwritten"),
    ("svc-noavail-none", NO_AVAIL, "b g-", "gray", "fail", [], STEP),
    ("svc-noavail-none-absent", NO_AVAIL, "b", "gray", "noinstances", [0], STEP + "; the other case is unwritten"),
    ("svc-neither-absent", NEITHER, "b", "gray", "fail", [], STEP),
    ("svc-neither-sick", NEITHER, "b g-", "gray", "fail", [], STEP),
    ("svc-neither-own", NEITHER, "b g", "gray", "own", [1], STEP + "; nothing falls back"),
    ("svc-neither-untagged", NEITHER, "b g", "", "own", [0], "§6.5: a fallback does not concern untagged calls"),
    ("svc-over-lane", LENIENT, "b", "gray", "noinstances", [0], STEP + ": the service's word beats the lane's none"),
    ("svc-over-lane-sick", LENIENT, "b g-", "gray", "noavailabled", [0], STEP),
    ("svc-skips-lane", SKIP_GRAY, "b g", "dev-x", "noinstances", [0], STEP + ": baseline although the lane says gray"),
    ("svc-case-lane", SKIP_GRAY, "b g x-", "dev-x", "noavailabled", [1], STEP + ": unwritten case, the lane's gray"),
    ("svc-to-lane", TO_X, "b x", "gray", "noinstances", [1], "§6.5: a target is a tag"),
    ("svc-to-lane-unknown", TO_GRAY, "b g", "who", "noinstances", [1],
     "§6.5: an unknown tag obeys the service's rule"),
    ("svc-none-unknown", NO_INST, "b g", "who", "fail", [], "§6.5: an unknown tag obeys the service's rule"),
    ("svc-chain-on", TO_X_BASE, "b x-", "gray", "fallback", [0], "§6.5: the chain goes on with the target's rule"),
    ("loop-back", TO_X, "b x-", "gray", "fail", [], LOOP + ": gray, dev-x, gray"),
    ("loop-back-2", BACK_TO_X, "b g-", "dev-x", "fail", [], LOOP + ": dev-x, gray, dev-x"),
    ("loop-self", TO_GRAY, "b", "gray", "fail", [], LOOP + ": gray, gray"),
    ("loop-service", TO_X_BASE, "b", "gray", "fail", [], LOOP + ": gray, dev-x, dev-x"),
    ("all", ALL, "g x", "", "all", [0, 1], MISSING + ": all serves untagged calls where only tagged copies exist"),
    ("all-healthy", ALL, "g- x", "", "all", [1], MISSING + ": all of the healthy"),
    ("all-sick", ALL, "g- x-", "", "fail", [], MISSING + ": nobody healthy"),
    ("all-empty", ALL, "", "", "fail", [], MISSING + ": nobody there"),
    ("all-unused", ALL, "b g", "", "own", [0], MISSING + ": the baseline is not missing"),
    ("all-base-sick", ALL, "b- g", "", "fail", [], "decision D6: a sick baseline is not a missing one"),
    ("all-tagged", ALL, "x", "gray", "fail", [], MISSING + ": concerns untagged calls only"),
    ("all-unknown", ALL, "g", "who", "fail", [], MISSING + ": concerns untagged calls only"),
    ("all-tagged-own", ALL, "g x", "gray", "own", [0], MISSING + ": concerns untagged calls only"),
    ("reject", REJECT, "g x", "", "fail", [], MISSING + ": reject"),
    ("odd-untagged", GRAY, "b ?", "", "own", [0], "decision D5: an unreadable tag is not baseline"),
    ("odd-untagged-only", GRAY, "?", "", "fail", [], "decision D5: an unreadable tag is not baseline"),
    ("odd-gray", GRAY, "? b", "gray", "noinstances", [1], "decision D5: an unreadable tag is nobody's lane"),
    ("odd-all", ALL, "? g", "", "all", [0, 1], MISSING + ": all is all"),
]


def expected(rules, names, listed, tag):
    """By the model: (case, subset, indices)."""
    service_rule = service_of(rules, names)
    tags = [(instance_tag(i["metadata"], i["address"], service_rule), i["healthy"]) for i in listed]
    return decide(rules, service_rule, tags, tag if tag_valid(tag.encode()) else "")


def case(name, rules, listed, tag, want, why, names=("pricing",), text=None, options=()):
    kind, subset, usable = expected(rules, names, listed, tag)
    if want is not None:
        assert (kind, usable) == want, (name, kind, usable)
    return {
        "id": f"route-{name}", "why": why + ".", "rules": text or rules_text(rules), "names": list(names),
        "options": [list(o) for o in options], "authority": None, "instances": listed, "tag": tag,
        "mode": "on", "case": kind, "subset": subset, "indices": usable,
    }


# which service's rule speaks: (id, services in file order, names, list, tag, case, indices, why)
NONE = {"noinstances": "none", "noavailabled": "none"}
FIRST = "§6.2: any name matches, first in file order wins"
APP, IFACE = {"name": "stock-app", "fallback": NONE}, {"name": "com.acme.Stock", "baseline_missing": "all"}
NAMES = [
    ("app-first", [APP, IFACE], ["com.acme.Stock", "stock-app"], "b", "gray", "fail", [], FIRST),
    ("iface-first", [IFACE, APP], ["com.acme.Stock", "stock-app"], "b", "gray", "noinstances", [0], FIRST),
    ("names-order", [APP, IFACE], ["stock-app", "com.acme.Stock"], "b", "gray", "fail", [],
     FIRST + "; the order of the list's names does not matter"),
    ("not-merged", [APP, IFACE], ["com.acme.Stock", "stock-app"], "g", "", "fail", [],
     FIRST + "; a later match adds nothing"),
    ("iface-all", [IFACE, APP], ["com.acme.Stock", "stock-app"], "g", "", "all", [0], FIRST),
    ("one-name", [APP, IFACE], ["com.acme.Stock"], "b", "gray", "noinstances", [0], FIRST),
    ("no-match", [APP, IFACE], ["other"], "b", "gray", "noinstances", [0], FIRST + "; else the default lane policy"),
    ("prefix", [APP], ["stock"], "b", "gray", "noinstances", [0], "§6.2: a name matches whole"),
    ("longer", [APP], ["stock-app-2"], "b", "gray", "noinstances", [0], "§6.2: a name matches whole"),
    ("group-version", [{"name": "blue/com.acme.Stock:1.0", "fallback": NONE}],
     ["com.acme.Stock", "blue/com.acme.Stock:1.0"], "b", "gray", "fail", [], "§6.2: also with group and version"),
    ("no-names", [APP], [], "b", "gray", "noinstances", [0], "§6.2: a list without a name meets no service rule"),
]


def matrix():
    """Every state of the own lane, of gray and of the baseline under four rule sets, by the model."""
    states = {"absent": "", "sick": "{}-", "well": "{}"}
    sets = {"default": GRAY, "chain": CHAIN, "strict": STRICT, "to-x": TO_X}
    for set_name, rules in sets.items():
        for own, own_spec in states.items():
            for middle, middle_spec in states.items():
                for base, base_spec in states.items():
                    words = [base_spec.format("b"), middle_spec.format("g"), own_spec.format("x")]
                    listed = instances(" ".join(w for w in words if w))
                    name = f"matrix-{set_name}-x-{own}-gray-{middle}-base-{base}"
                    yield case(name, rules, listed, "dev-x", None, f"{STEP}; rules {set_name}")


def cases():
    out = [case(c[0], c[1], instances(c[2]), c[3], (c[4], c[5]), c[6]) for c in CASES]
    for name, services, names, spec, tag, kind, usable, why in NAMES:
        rules = {"lanes": LANES, "services": services}
        out.append(case(f"names-{name}", rules, instances(spec), tag, (kind, usable), why, names))
    return out + list(matrix())


TOP, HALF = 2**64 - 1, 2**63
# (id, list, tag, entropy, index, why)
PICKS = [
    ("one-low", "b", "", 0, 0, "one instance, lowest entropy"),
    ("one-high", "b", "", TOP, 0, "one instance, highest entropy"),
    ("two-low", "b b", "", 0, 0, "lowest entropy takes the first"),
    ("two-below-half", "b b", "", HALF - 1, 0, "the last entropy of the first half"),
    ("two-half", "b b", "", HALF, 1, "the first entropy of the second half"),
    ("two-high", "b b", "", TOP, 1, "highest entropy takes the last"),
    ("three-below", "b b b", "", 6148914691236517205, 0, "the last entropy of the first third"),
    ("three-above", "b b b", "", 6148914691236517206, 1, "the first entropy of the second third"),
    ("three-two-below", "b b b", "", 12297829382473034410, 1, "the last entropy of the second third"),
    ("three-two-above", "b b b", "", 12297829382473034411, 2, "the first entropy of the last third"),
    ("not-modulo", "b b b", "", 1, 0, "entropy is not taken modulo the size"),
    ("not-modulo-2", "b b", "", 1, 0, "the lowest bit decides nothing"),
    ("low-32-bits", "b b b b", "", 2**32 - 1, 0, "the low 32 bits alone stay in the first share"),
    ("skip-sick", "b- b b- b", "", HALF, 3, "only usable ones are counted"),
    ("skip-sick-low", "b- b b- b", "", 0, 1, "the first usable, not the first"),
    ("skip-tagged", "g b g b", "", TOP, 3, "only the decided subset is counted"),
    ("lane", "b g b g g", "gray", HALF, 3, "index in the list, not in the subset"),
    ("lane-low", "b g b g g", "gray", 0, 1, "index in the list, not in the subset"),
    ("lane-high", "b g b g g", "gray", TOP, 4, "index in the list, not in the subset"),
    ("fallback", "g- b b", "gray", TOP, 2, "from the subset the fallback gave"),
    ("unknown", "g b b", "who", HALF, 2, "from the subset the fallback gave"),
    ("ten", "b b b b b b b b b b", "", 9 * (2**64 // 10) + 9, 9, "the tenth share of ten"),
    ("ten-below", "b b b b b b b b b b", "", 16602069666338596454, 8, "the last entropy of the ninth share"),
    ("seven", "b b b b b b b", "", 0x6DB6DB6DB6DB6DB7, 3, "the first entropy of the fourth share of seven"),
    ("seven-below", "b b b b b b b", "", 0x6DB6DB6DB6DB6DB6, 2, "the last entropy of the third share of seven"),
]
SEEDS = [0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0x2545F4914F6CDD1D, 0xFFFFFFFF00000000, 0x00000000FFFFFFFF]


def pick_case(name, spec, tag, entropy, index, why):
    listed = instances(spec)
    kind, _, usable = expected(GRAY, ("pricing",), listed, tag)
    found = pick(usable, entropy)
    assert index in (None, found), (name, found)
    return {
        "id": f"pick-{name}", "why": f"§6.2: entropy is an argument; {why}.", "rules": rules_text(GRAY),
        "names": ["pricing"], "instances": listed, "tag": tag, "entropy": str(entropy), "case": kind, "index": found,
    }


def pick_cases():
    out = [pick_case(*row) for row in PICKS]
    for size in (5, 33, 100):
        for n, entropy in enumerate(SEEDS):
            spec = " ".join("b" if i % 3 else "b-" for i in range(size))
            out.append(pick_case(f"size-{size}-{n}", spec, "", entropy, None, f"multiply-shift over {size} instances"))
    return out
