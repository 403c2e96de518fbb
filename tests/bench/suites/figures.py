"""Figures: medians with their 95 % interval, verdicts, Markdown tables and the lines of dist/bench.jsonl."""

import json
import math
import time

# Fewer values have no 95 % interval of their median.
LEAST = 6


def interval(values):
    """(median, low, high): the 95 % interval of the median by order statistics.

    Below LEAST values no pair of them covers 95 %; then it is the whole range.
    """
    ordered = sorted(values)
    n = len(ordered)
    middle = n // 2
    median = ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    below, rank = 0.0, 0
    for k in range(n // 2):
        below += math.comb(n, k) / 2**n
        if below > 0.025:
            break
        rank = k
    return median, ordered[rank], ordered[n - 1 - rank]


def verdict(goal, low, high, base):
    """`base` is what the half width is put in relation to when nothing can be said."""
    if goal is None:
        return "shown"
    if high <= goal:
        return "holds"
    if low > goal:
        return "missed"
    return f"not resolved ± {100 * (high - low) / 2 / abs(base):.1f} %" if base else "not resolved"


def number(value):
    if value is None:
        return ""
    size = abs(value)
    if size == 0 or size >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3g}"


class Table:
    """Rows of one suite; printed as Markdown and appended as JSON when it is complete."""

    def __init__(self, run, suite, title):
        self.run, self.suite, self.title = run, suite, title
        self.rows = []
        self.notes = []

    def add(self, what, unit, values, goal=None, base=None, goal_text=None, exact=False):
        """`values`: one figure per window or pair. `goal`: the most that is allowed. `base`: 100 % of the ±.

        `exact`: a count or a size, the same each time.
        """
        median, low, high = interval(values)
        word = verdict(goal, low, high, median if base is None else base)
        if goal is not None and len(values) < LEAST and not exact:
            word = f"not resolved: fewer than {LEAST} values"
        text = goal_text or ("" if goal is None else f"≤ {'+' if unit.startswith('+') else ''}{number(goal)}")
        self.rows.append((what, unit, text, median, low, high, len(values), word))
        self.run.write(suite=self.suite, what=what, unit=unit, goal=goal, median=median, low=low, high=high,
                       n=len(values), verdict=word)
        return median

    def note(self, text):
        self.notes.append(text)

    def show(self):
        print(f"\n### {self.suite}: {self.title}\n")
        print("| what | unit | goal | median | 95 % interval | n | verdict |\n|---|---|---:|---:|---:|---:|---|")
        for what, unit, goal, median, low, high, n, word in self.rows:
            between = "" if n == 1 else f"{number(low)} to {number(high)}"
            print(f"| {what} | {unit} | {goal} | {number(median)} | {between} | {n} | {word} |")
        if self.notes:
            print()
        for text in self.notes:
            print(f"* {text}")
        print(end="", flush=True)


class Lines:
    """Appends JSON lines; every line says which run it belongs to."""

    def __init__(self, path, about):
        self.path, self.about = path, about
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, fields):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self.path.open("a") as out:
            out.write(json.dumps({"at": stamp, **self.about, **fields}, ensure_ascii=False) + "\n")
