"""The rule text of a case's `spec`, and the case as one line for `trilane explain --batch` and the real routers."""

import json


def line(case, settings=None):
    """One line of batch input."""
    asked = {name: value for name, value in case.items() if name != "spec"}
    asked["rules"] = rules(case["dialect"], case["spec"])
    if settings:
        asked["settings"] = settings
        # To us no rule is our own default policy; to Dubbo it is what a rule is that is switched off.
        asked["rules"] = asked["rules"] or "enabled: false\n"
    return json.dumps(asked, ensure_ascii=False)


def rules(dialect, spec):
    if spec is None:
        return ""
    if dialect == "dubbo-condition":
        spec = dict(spec, conditions=[condition(c) for c in spec["conditions"]])
    if dialect == "dubbo-mesh":
        return mesh(spec)
    return block(spec)


def condition(made):
    if "from" not in made:
        return f"{terms(made['when'])} => {terms(made['then'])}"
    written = {"from": None if made["from"] is None else {"match": terms(made["from"]["match"])}}
    if "to" in made:
        written["to"] = [dict(to, match=terms(to["match"])) for to in made["to"]]
    return written


def terms(some):
    written = []
    for term in some:
        written.append(f"{term['key']}{term['op']}{','.join(term['values'])}")
        if "not" in term:
            written.append(f"{term['key']}{'=' if term['op'] == '!=' else '!='}{','.join(term['not'])}")
    return " & ".join(written)


def mesh(spec):
    rule = {"apiVersion": "service.dubbo.apache.org/v1alpha1", "kind": "DestinationRule",
            "metadata": {"name": "provider"}, "spec": {"host": "provider", "subsets": spec["subsets"]}}
    route = {"routedetail": [detail(d) for d in spec["details"]]}
    if spec["services"]:
        route["services"] = spec["services"]
    service = {"apiVersion": "service.dubbo.apache.org/v1alpha1", "kind": "VirtualService",
               "metadata": {"name": "provider"}, "spec": {"hosts": ["demo.Greeting"], "dubbo": [route]}}
    return f"{block(rule)}---\n{block(service)}"


def detail(made):
    written = {"route": [destination(r) for r in made["route"]]}
    if made["match"]:
        written["match"] = made["match"]
    return written


def destination(made):
    """A fallback is a whole route destination again."""
    inner = dict(made["destination"])
    if "fallback" in inner:
        inner["fallback"] = destination(inner["fallback"])
    return dict(made, destination=inner)


def block(value, indent=0):
    """YAML in lines; texts in double quotes, so that they stay texts."""
    pad = " " * indent
    lines = ""
    if isinstance(value, dict):
        for name, inner in value.items():
            lines += f"{pad}{scalar(name)}:{nested(inner, indent)}"
    else:
        for inner in value:
            if isinstance(inner, dict) and inner:
                lines += f"{pad}- {block(inner, indent + 2)[indent + 2:]}"
            else:
                lines += f"{pad}-{nested(inner, indent)}"
    return lines


def nested(inner, indent):
    if isinstance(inner, (dict, list)) and inner:
        return f"\n{block(inner, indent + 2)}"
    if inner is None:
        return "\n"
    return f" {json.dumps(inner, ensure_ascii=False)}\n" if inner in ({}, []) else f" {scalar(inner)}\n"


def scalar(value):
    if isinstance(value, str) and value.replace("_", "").replace(".", "").isalpha() and value not in ("true", "false"):
        return value
    return json.dumps(value, ensure_ascii=False)
