"""CPU per request of one warm shop, its mode switched by the rule file."""

import time

from . import machine, shop
from .machine import RULES_WORD

MOST_PERCENT = 3.0
SETTLE = 400


def prepare(run):
    shop.prepare(run)


def switch(child, mode):
    mark, begin = child.mark(), time.monotonic()
    shop.rules(mode)
    child.wait_line(RULES_WORD, since=mark, budget=30)
    return time.monotonic() - begin


def window(child, users, count):
    begin = child.cpu()
    asked = users.ask(count)
    return 1e6 * (child.cpu() - begin) / asked


def measure(run):
    table = run.table("shop-request", "CPU per request of one warm shop, mode off and on in alternated windows")
    pairs, count, warm = run.pick(31, 4), run.pick(2000, 200), run.pick(40_000, 1500)
    answering, pricing = shop.stub()
    with answering, shop.with_agent(port := machine.free_port(), pricing, shop.rules("on")) as child:
        child.wait_line(shop.READY)
        users = shop.Users(port)
        for mode in ("off", "on"):  # both ways are compiled before anything counts
            switch(child, mode)
            users.ask(warm // 2)
        mode, seen, switched = "on", {"off": [], "on": []}, []
        for pair in range(pairs):
            # on off, off on, ...: a window after a switch is as often of one mode as of the other.
            for wanted in ("on", "off") if pair % 2 == 0 else ("off", "on"):
                if wanted != mode:
                    switched.append(switch(child, wanted))
                    users.ask(SETTLE)
                    mode = wanted
                seen[mode].append(window(child, users, count))
        users.close()
    table.add("mode off", "µs", seen["off"])
    table.add("mode on", "µs", seen["on"])
    more = [100 * (on / off - 1) for on, off in zip(seen["on"], seen["off"])]
    table.add("mode on adds", "+%", more, MOST_PERCENT, 100.0)
    table.add("seconds until a switch is in force", "s", switched, 2.0)
    table.note(f"Each request is a call in (Tomcat) and one out (RestTemplate or Feign, LoadBalancer), half of them "
               f"tagged; 4 connections, {count:,} requests a window.")
    table.show()
