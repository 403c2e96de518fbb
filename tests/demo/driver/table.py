"""The live table."""

import sys
import time

HEAD = f"{'':34}{'requests':>9}{'users on gray':>16}{'kept':>8}{'leaks':>8}{'failed':>8}  fallbacks, by the rules"


def head():
    print("\n" + HEAD + "\n" + "-" * len(HEAD), flush=True)


def _row(title, verdict):
    users = len(verdict.users) or 1
    on_gray = f"{len(verdict.gray_users)} ({100 * len(verdict.gray_users) / users:.1f} %)"
    why = ", ".join(f"{name} {count}" for name, count in sorted(verdict.fallbacks.items()) if count) or "-"
    kept = f"{verdict.kept_percent():.1f} %" if verdict.gray_requests else "-"
    return f"{title:34}{verdict.requests:>9}{on_gray:>16}{kept:>8}{verdict.leaks:>8}{verdict.failed:>8}  {why}"


def row(title, verdict):
    start = "\r\033[K" if sys.stdout.isatty() else ""
    print(start + _row(title, verdict), flush=True)


def watch(title, load, verdict_of):
    """While users buy: the row so far, in place on a terminal."""
    while load.running():
        load.rest(0.5)
        if load.running() and sys.stdout.isatty():
            print("\r\033[K" + _row(title + " ...", verdict_of(load.taken())), end="", flush=True)


def say(text):
    print(("\r\033[K" if sys.stdout.isatty() else "") + f"demo: {time.strftime('%H:%M:%S')} {text}", flush=True)
