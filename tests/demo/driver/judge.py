"""Says of every answer whether it was what the rules ask for."""

import re
from collections import Counter
from dataclasses import dataclass, field

SHOP, PRICING, ORDER, STOCK = range(4)
YES, UNSURE, NO = "yes", "unsure", "no"


@dataclass
class Expected:
    """What holds while a request runs.

    `gray` are gray for sure, `maybe` may be gray already (a new rule file is being taken up),
    `stock` says whether the gray copy of stock is usable, `case` which fallback of the rules applies if not.
    """

    gray: set
    maybe: set = field(default_factory=set)
    stock: str = YES
    case: str = "noinstances"
    may_fail: bool = False


@dataclass
class Verdict:
    """Counts over some answers."""

    requests: int = 0
    gray_requests: int = 0
    kept: int = 0
    leaks: int = 0
    failed: int = 0
    wrong: list = field(default_factory=list)
    fallbacks: Counter = field(default_factory=Counter)
    users: set = field(default_factory=set)
    gray_users: set = field(default_factory=set)

    def add(self, other):
        for name in ("requests", "gray_requests", "kept", "leaks", "failed", "wrong"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.fallbacks += other.fallbacks
        self.users |= other.users
        self.gray_users |= other.gray_users

    def kept_percent(self):
        """Rounded down: one lost request in a million must not read as 100."""
        return 1000 * self.kept // self.gray_requests / 10 if self.gray_requests else 100.0


def _wrong(verdict, record, why):
    if len(verdict.wrong) < 5:
        verdict.wrong.append(f"{record.user}: {why}")


def _gray(verdict, record, expected):
    """A request of a gray user: the lane wherever it has a usable copy, the baseline elsewhere."""
    copies = record.copies
    verdict.gray_requests += 1
    verdict.fallbacks["pricing noinstances"] += copies[PRICING] == "base"
    lost = copies[ORDER] != "gray" or (copies[STOCK] != "gray" and expected.stock == YES)
    if lost:
        verdict.leaks += 1
        _wrong(verdict, record, f"gray user left the lane: {copies}")
        return
    if copies[STOCK] == "base":
        verdict.fallbacks[f"stock {expected.case}"] += 1
    verdict.kept += 1


def _base(verdict, record):
    if "gray" in record.copies:
        verdict.leaks += 1
        _wrong(verdict, record, f"untagged user on a gray copy: {record.copies}")


def judge(records, expected_at):
    """`expected_at(record)` gives what held for that record."""
    verdict = Verdict()
    for record in records:
        expected = expected_at(record)
        verdict.requests += 1
        verdict.users.add(record.user)
        if record.copies is None:
            verdict.failed += 1
            if not expected.may_fail:
                _wrong(verdict, record, "failed: " + record.text)
            continue
        if "gray" in record.copies:
            verdict.gray_users.add(record.user)
        if record.user in expected.gray:
            _gray(verdict, record, expected)
        elif record.user in expected.maybe and record.copies[ORDER] == "gray":
            _gray(verdict, record, expected)
        else:
            _base(verdict, record)
    return verdict


def mixture(records, gray):
    """Without the library: how often the chain of a user, who should be gray, was wholly gray, and others' not."""
    verdict = Verdict()
    for record in records:
        verdict.requests += 1
        verdict.users.add(record.user)
        if record.copies is None:
            verdict.failed += 1
            _wrong(verdict, record, "failed: " + record.text)
            continue
        copies = record.copies[ORDER:]
        if "gray" in copies:
            verdict.gray_users.add(record.user)
        if record.user in gray:
            verdict.gray_requests += 1
            verdict.kept += copies == ("gray", "gray")
            verdict.leaks += copies != ("gray", "gray")
        else:
            verdict.leaks += "gray" in copies
    return verdict


def told(lines, users):
    """Lines that hold a user's id, or lines of the library's that hold what is bought.

    A user's id is in a header alone, which no program here says by itself; what is bought is an argument, and an
    application's own errors hold it.
    """
    names = set(users)
    ours = re.compile("^trilane: |TRL-")
    return [
        line for line in lines
        if names.intersection(re.findall(r"[\w-]+", line)) or (ours.search(line) and re.search(r"\bitem-\d", line))
    ]  # fmt: skip


def flips(records):
    """How often a user, once gray, was answered outside the lane by order later."""
    seen, count = set(), 0
    for record in sorted((r for r in records if r.copies), key=lambda r: r.begin):
        if record.copies[ORDER] == "gray":
            seen.add(record.user)
        elif record.user in seen:
            count += 1
    return count
