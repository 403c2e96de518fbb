"""CPU per request of one warm shop, its mode switched by the rule file."""

import time

from . import machine, shop

MOST_PERCENT, MOST_OBSERVED = 3.0, 1.2
SECONDS, LEAST = 390, 30
OBSERVED_SECONDS = 90
# Short: the machine's speed drifts within seconds. docs/figures.md tells what was tried.
WINDOW, SETTLE = 1000, 200


def prepare(run):
    shop.prepare(run)


def window(child, users, count):
    """CPU per request of the shop, in µs, and the same beside what this process took for asking."""
    begin, beside = child.cpu(), time.process_time()
    asked = users.ask(count)
    own, beside = child.cpu() - begin, time.process_time() - beside
    return 1e6 * own / asked, own / beside


def warm_up(run, child, users, switch):
    """In both modes: both ways are compiled before anything counts."""
    def step(number):
        switch.to(child, "on" if number // 2 % 2 else "off")
        return window(child, users, run.pick(5000, 300))[0] / 1e6

    machine.settle(step, run.pick(12, 5), run.pick(24, 5))


def by_turn(windows):
    """How much more the two windows of a turn with the mode on took than the two with it off, in per cent."""
    pairs = zip(windows["on"][::2], windows["on"][1::2], windows["off"][::2], windows["off"][1::2])
    return [100 * ((a + b) / (c + d) - 1) for a, b, c, d in pairs]


def measure(run):
    table = run.table("shop-request", "CPU per request of one warm shop, mode off and on in alternated windows")
    count = run.pick(WINDOW, 200)
    answering, pricing = shop.stub()
    second, beside = shop.stub("second-stub.log")
    switch = shop.rules()
    with answering, second, shop.with_agent(port := machine.free_port(), pricing, switch) as child:
        child.wait_line(shop.READY)
        users = shop.Users(port)
        users.ask_too(beside)
        warm_up(run, child, users, switch)
        took = {"off": [], "on": [], "observe": []}
        asking = {"off": [], "on": [], "observe": []}

        def measured():
            own, ratio = window(child, users, count)
            took[switch.mode].append(own)
            asking[switch.mode].append(own / ratio)
            return ratio

        seen, switched = {"off": [], "on": []}, []
        for _ in machine.turns(run, "shop-request", SECONDS, LEAST, 2):
            switched += machine.abba(seen, switch, child, lambda: users.ask(SETTLE), measured)
        off, on = took["off"].copy(), took["on"].copy()
        undivided, asker = by_turn(took), by_turn(asking)
        watched = {"on": [], "observe": []}
        for _ in machine.turns(run, "shop-request, observe", OBSERVED_SECONDS, 6, 2):
            machine.abba(watched, switch, child, lambda: users.ask(SETTLE), measured)
        users.close()
    table.add("mode off", "µs", off)
    table.add("mode on", "µs", on)
    more = [100 * (on / off - 1) for on, off in zip(seen["on"], seen["off"])]
    table.add("mode on adds", "+%", more, MOST_PERCENT, 100.0)
    table.add("the same of each turn, not in relation to the asking process", "+%", undivided)
    table.add("the asking process itself: mode on beside off", "+%", asker)
    ratio = [observe / on for observe, on in zip(watched["observe"], watched["on"])]
    table.add("mode observe beside on", "x", ratio, MOST_OBSERVED, 1.0)
    table.add("seconds until a switch is in force", "s", switched, 2.0)
    table.note(f"Each request is a call in (Tomcat) and one out (RestTemplate or Feign, LoadBalancer), half of them "
               f"tagged; 4 connections. A turn is four windows, on, off, off, on, of {count:,} requests each; {SETTLE} "
               "requests after each switch do not count. The two modes are compared by a window's CPU in relation "
               "to that of the process that asks: docs/figures.md.")
    table.show()
