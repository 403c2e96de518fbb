"""CPU per request of one warm shop, its mode switched by the rule file."""

from . import machine, shop

MOST_PERCENT = 3.0
SETTLE = 400


def prepare(run):
    shop.prepare(run)


def window(child, users, count):
    begin = child.cpu()
    asked = users.ask(count)
    return 1e6 * (child.cpu() - begin) / asked


def warm_up(run, child, users, switch):
    """In both modes: both ways are compiled before anything counts."""
    def step(number):
        switch.to(child, "on" if number // 2 % 2 else "off")
        return window(child, users, run.pick(5000, 300)) / 1e6

    machine.settle(step, run.pick(8, 5), run.pick(20, 5))


def measure(run):
    table = run.table("shop-request", "CPU per request of one warm shop, mode off and on in alternated windows")
    pairs, count = run.pick(81, 4), run.pick(1200, 200)
    answering, pricing = shop.stub()
    switch = shop.rules()
    with answering, shop.with_agent(port := machine.free_port(), pricing, switch) as child:
        child.wait_line(shop.READY)
        users = shop.Users(port)
        warm_up(run, child, users, switch)
        seen, switched = {"off": [], "on": []}, []
        for pair in range(pairs):
            # on off, off on, ...: a window after a switch is as often of one mode as of the other.
            for mode in ("on", "off") if pair % 2 == 0 else ("off", "on"):
                took = switch.to(child, mode)
                if took:
                    switched.append(took)
                    users.ask(SETTLE)
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
