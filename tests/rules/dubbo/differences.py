"""Where the real routers do something else than their rules say, on purpose listed here and in docs/dialects.md.

A difference is known by a repair: the case as it would have to be written so that the real router does what the
original says. A disagreement is a documented one when some repairs make the real router's answer ours. A repair
changes a copy of the case's `spec` and request, and says nothing (`None`) where it has nothing to do.
"""

import copy
import itertools

NOTHING = {"key": "no-such-key", "op": "=", "values": ["x"]}


class Difference:
    def __init__(self, name, flavors, dialects, repair):
        self.name, self.flavors, self.dialects, self.repair = name, flavors, dialects, repair


ALL = []


def difference(name, flavors, *dialects):
    def keep(function):
        def repair(case):
            changed = copy.deepcopy(case)
            function(changed)
            return None if repr(changed) == repr(case) else changed
        ALL.append(Difference(name, flavors.split(), [f"dubbo-{d}" for d in dialects], repair))
        return function
    return keep


def recognised(case, flavor, agree):
    """Names of the differences that explain a disagreement; `agree(repaired)` asks the real router again."""
    usable = [d for d in ALL if flavor in d.flavors and case["dialect"] in d.dialects]
    for count in range(1, 5):
        for some in itertools.combinations(usable, count):
            repaired = case
            for one in some:
                repaired = repaired and one.repair(repaired)
            if repaired and agree(repaired):
                return [one.name for one in some]
    return None


# Conditions.


def conditions(case):
    return (case["spec"] or {}).get("conditions", [])


def asked(case):
    """The terms about requests, each with the list that holds it."""
    for condition in conditions(case):
        for terms in (condition.get("when"), (condition.get("from") or {}).get("match")):
            for at, term in enumerate(terms or []):
                yield terms, at, term


def index_of(term):
    key = term["key"]
    return int(key[10:-1]) if key.startswith("arguments[") else None


@difference("argument-missing", "java go", "condition")
def argument_missing(case):
    """dubbo-java compares a text of its own, dubbo-go panics or compares the empty text."""
    for terms, at, term in asked(case):
        index = index_of(term)
        if index is not None and index >= len(case["request"].get("args", [])):
            terms[at] = dict(NOTHING)


@difference("range-not-a-number", "java", "condition")
def range_not_a_number(case):
    """A value that is no number counts as 0."""
    request = case["request"]
    for terms, at, term in asked(case):
        index = index_of(term)
        value = request.get("attachments", {}).get(term["key"].removeprefix("attachments[").removesuffix("]"))
        if index is not None:
            value = request["args"][index] if index < len(request.get("args", [])) else None
            value = str(value).lower() if isinstance(value, bool) else value
        if value is None or str(value).isdigit():
            continue
        for name in ("values", "not"):
            words = term.get(name, [])
            if any("~" in word for word in words):
                terms[at][name] = [word for word in words if "~" not in word] or ["no-such-word"]


@difference("range-open-end", "java", "condition")
def range_open_end(case):
    """`100~` is split into one part and then not read."""
    for condition in conditions(case):
        sides = [condition.get("when"), condition.get("then"), (condition.get("from") or {}).get("match")]
        sides += [to["match"] for to in condition.get("to", [])]
        for term in itertools.chain(*(side or [] for side in sides)):
            for name in ("values", "not"):
                if name in term:
                    term[name] = [w + "2147483647" if w.endswith("~") else w for w in term[name]]


@difference("attachment-name", "java go", "condition")
def attachment_name(case):
    """dubbo-java cuts the key at a dot, dubbo-go reads letters, digits and `_` alone."""
    attachments = case["request"].get("attachments", {})
    plain = lambda name: name.replace(".", "_").replace("-", "_")
    for _, _, term in asked(case):
        if term["key"].startswith("attachments["):
            term["key"] = plain(term["key"])
    for name in list(attachments):
        attachments[plain(name)] = attachments.pop(name)


@difference("weight-zero", "java go", "condition")
def weight_zero(case):
    """0 counts as 100."""
    for condition in conditions(case):
        if "to" in condition:
            left = [to for to in condition["to"] if to.get("weight") != 0]
            condition["to"] = left or ([{"match": [dict(NOTHING)]}] if condition["to"] else [])


@difference("draw-off-by-one", "java go", "condition", "mesh")
def draw_off_by_one(case):
    """The first destination is drawn once in the sum of weights too often, the last one too seldom."""
    for condition in conditions(case):
        for to in condition.get("to", []):
            to["weight"] = scaled(to.get("weight", 100))
    for detail in (case["spec"] or {}).get("details", []):
        if all(route.get("weight", 1) for route in detail["route"]):
            for route in detail["route"]:
                route["weight"] = scaled(route.get("weight", 1))


def scaled(weight):
    return weight if weight > 100_000 else weight * 1_000


@difference("force-enabled-swapped", "go", "condition")
def force_enabled_swapped(case):
    """Up to v3.0 dubbo-go reads `force` as `enabled` and `enabled` as `force`."""
    spec = case["spec"]
    if spec and spec.get("configVersion") != "v3.1" and spec["force"] != spec["enabled"]:
        spec["force"], spec["enabled"] = spec["enabled"], spec["force"]


@difference("version-missing", "go", "condition")
def version_missing(case):
    """dubbo-go refuses a rule without `configVersion`."""
    if case["spec"] and "configVersion" not in case["spec"]:
        case["spec"]["configVersion"] = "v3.0"


@difference("address-key", "go", "condition")
def address_key(case):
    """dubbo-go's URLs have no key `address`: it stands for a label that the instances have."""
    for condition in conditions(case):
        for terms in [condition.get("then")] + [to["match"] for to in condition.get("to", [])]:
            for term in terms or []:
                if term["key"] == "address":
                    term["key"] = "label-address"
                    for instance in case["instances"]:
                        instance["labels"]["label-address"] = f"{instance['host']}:{instance['port']}"


# Tags.


@difference("loopback", "java", "tag")
def loopback(case):
    """A loopback or link-local address is taken for no IPv4 address and fits no pattern."""
    change = lambda text: text.replace("127.0.0.1", "10.77.0.1")
    for instance in case["instances"]:
        instance["host"] = change(instance["host"])
    for tag in (case["spec"] or {}).get("tags", []):
        if "addresses" in tag:
            tag["addresses"] = [change(address) for address in tag["addresses"]]


@difference("tag-without-members", "java", "tag")
def tag_without_members(case):
    """A tag of v3.0 with neither `addresses` nor `match` ends the reading of the whole rule."""
    if case["spec"]:
        case["spec"]["tags"] = [t for t in case["spec"]["tags"] if t.get("addresses") or "match" in t]


# Mesh.


def details(case):
    return case["spec"].get("details", [])


@difference("mesh-weight-zero", "java", "mesh")
def mesh_weight_zero(case):
    """0 counts as 1."""
    for detail in details(case):
        route = detail["route"]
        if any(r.get("weight") == 0 for r in route):
            drawn = [r for r in route if r.get("weight") != 0] or route[:1]
            for r in drawn:
                r["weight"] = max(r.get("weight", 1), 1) * 100_000


@difference("mesh-no-subset", "java", "mesh")
def mesh_no_subset(case):
    """A destination without `subset` has no instances."""
    open_ones = [route["destination"] for detail in details(case) for route in detail["route"]]
    for destination in open_ones:
        if "subset" not in destination:
            destination["subset"] = "every-instance"
        open_ones += [destination["fallback"]["destination"]] if "destination" in destination.get("fallback", {}) else []
    if any(destination["subset"] == "every-instance" for destination in open_ones):
        case["spec"]["subsets"].append({"name": "every-instance", "labels": {}})


@difference("mesh-headers", "java", "mesh")
def mesh_headers(case):
    """`headers` of a match are not asked."""
    for detail in details(case):
        for match in detail["match"]:
            for name, test in match.pop("headers", {}).items():
                if case["request"].get("headers", {}).get(name) != test.get("exact"):
                    match["sourceLabels"] = {"no-such-label": "x"}


@difference("mesh-argument", "java", "mesh")
def mesh_argument(case):
    """A missing argument, and a text where a number is asked, end the call with an exception."""
    given = case["request"].get("args", [])
    for detail in details(case):
        for match in detail["match"]:
            for asked_of in (match.get("method") or {}).get("args", []):
                known = asked_of["index"] < len(given)
                if not known or "num_value" in asked_of and not number(given[asked_of["index"]]):
                    match["method"].pop("args")
                    match["sourceLabels"] = {"no-such-label": "x"}
                    break


def number(value):
    try:
        float(str(value))
        return not isinstance(value, bool)
    except ValueError:
        return False


@difference("mesh-argument-type", "java", "mesh")
def mesh_argument_type(case):
    """A text is asked of a value that is no text, or true of the text `true`: by value here, by type in dubbo-java."""
    given = case["request"].get("args", [])
    text = lambda value: str(value).lower() if isinstance(value, bool) else str(value)
    for detail in details(case):
        for match in detail["match"]:
            for asked_of in (match.get("method") or {}).get("args", []):
                index = asked_of["index"]
                if index < len(given) and "str_value" in asked_of:
                    given[index] = text(given[index])
                elif index < len(given) and "bool_value" in asked_of and given[index] in ("true", "false"):
                    given[index] = given[index] == "true"


@difference("mesh-whole-number", "java", "mesh")
def mesh_whole_number(case):
    """A number without a point is not read in `num_value`: nothing equals it, and a range has no such end."""
    point = lambda value: float(value) if isinstance(value, int) else value
    for detail in details(case):
        for match in detail["match"]:
            for asked_of in (match.get("method") or {}).get("args", []):
                for test in asked_of.get("num_value", {}).get("oneof", []):
                    inside = test.get("range", {})
                    test.update({name: point(test[name]) for name in ("exact", "mod") if name in test})
                    inside.update({name: point(inside[name]) for name in inside})


# Affinity.


@difference("affinity-caller-unknown", "java", "affinity")
def affinity_caller_unknown(case):
    """A caller without the key is near to none, or the router fails inside, by what the instances have."""
    if case["spec"]["affinityAware"]["key"] not in case["caller"]["labels"]:
        case["spec"]["enabled"] = False
