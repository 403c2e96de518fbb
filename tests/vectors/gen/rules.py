"""Rule files as text, and marks in text."""

import json
import re

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*$")
WORDS_TO_QUOTE = {"yes", "no", "y", "n", "true", "false", "null"}


def scalar(value):
    """One YAML 1.2 scalar; what could be read as anything but text is quoted."""
    if isinstance(value, Percent):
        return value.text
    if isinstance(value, (bool, int)):
        return json.dumps(value)
    if PLAIN.match(value) and value.lower() not in WORDS_TO_QUOTE:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Percent:
    """A share in hundredths of a percent, written with as few digits as it needs."""

    def __init__(self, hundredths):
        whole, part = divmod(hundredths, 100)
        self.text = f"{whole}.{part:02d}".rstrip("0").rstrip(".") if part else str(whole)


def flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    return scalar(value)


def rules_text(rules):
    """The rule file of design section 6 for a dict of the same shape."""
    lines = ["apiVersion: trilane/v1"]
    for key, value in rules.items():
        if isinstance(value, list):
            lines.append(f"{key}:")
            lines += [f"  - {flow(item)}" for item in value]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


MARK = "\u2039"


def marked(text):
    """(text without the mark, line, column) of the place that MARK points at, counted from 1."""
    if MARK not in text:
        return text, None, None
    before = text[: text.index(MARK)]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return text.replace(MARK, ""), line, column


def numbered(prefix, cases):
    """Adds ids where a case brings none, and refuses two cases with one id."""
    seen = set()
    for n, case in enumerate(cases, 1):
        case.setdefault("id", f"{prefix}-{n:03d}")
        assert case["id"] not in seen, case["id"]
        assert case["why"].startswith("§") or case["why"].startswith("decision "), case["why"]
        seen.add(case["id"])
    return cases
