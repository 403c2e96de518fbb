"""What design sections 3 and 6 say, as the shortest program that says it. Only for expectations."""

BUILT_IN_KEYS = ["alicloud.service.tag", "opensergo.io/canary-", "__micro.service.env__", "dubbo.tag"]
CHARSET = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
UNKNOWN = object()  # carries something that is no tag: neither baseline nor anybody's lane


def tag_valid(raw):
    return 1 <= len(raw) <= 63 and all(b in CHARSET for b in raw)


def instance_tag(metadata, address="", service=None, extra=()):
    """Section 3, registered metadata: keys in order, then the rule file by address."""
    broken = False
    for key in BUILT_IN_KEYS + list(extra):
        if key.endswith("-"):
            values = [k[len(key) :] for k in metadata if k.startswith(key)]
        else:
            values = [metadata[key]] if key in metadata else []
        for value in values:
            if tag_valid(value.encode()):
                return value
            # the old key has had forms of its own, so what cannot be read there says nothing (decision D5)
            broken = broken or (value != "" and key != "__micro.service.env__")
    for known in (service or {}).get("instances", []):
        if known["address"] == address and "tag" in known:
            return known["tag"]
    return UNKNOWN if broken else ""


def service_of(rules, names):
    """Section 6.2: any name matches, the first service in file order wins."""
    for service in rules.get("services", []):
        if service["name"] in names:
            return service
    return {}


def decide(rules, service, instances, tag):
    """Section 6.5. `instances` are (tag, healthy); answers (case, subset, usable indices)."""

    def usable(wanted):
        members = [i for i, (t, _) in enumerate(instances) if t is not UNKNOWN and t == wanted]
        return members, [i for i in members if instances[i][1]]

    if tag == "":
        members, good = usable("")
        if good:
            return "own", "", good
        everyone = [i for i, (_, healthy) in enumerate(instances) if healthy]
        if not members and everyone and service.get("baseline_missing") == "all":
            return "all", "*", everyone
        return "fail", None, []

    at, tried, cases = tag, [], []
    while True:
        if at in tried:
            return "fail", None, []
        tried.append(at)
        members, good = usable(at)
        if good:
            kind = "own" if not cases else cases[0] if len(set(cases)) == 1 else "fallback"
            return kind, at, good
        if at == "":
            return "fail", None, []
        case = "noavailabled" if members else "noinstances"
        cases.append(case)
        lane = next((x for x in rules.get("lanes", []) if x["tag"] == at), {})
        target = service.get("fallback", {}).get(case) or lane.get("fallback") or "baseline"
        if target == "none":
            return "fail", None, []
        at = "" if target == "baseline" else target


def pick(usable, entropy):
    return usable[(entropy * len(usable)) >> 64]
