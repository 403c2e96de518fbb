"""CPU per request of one warm shop, its mode switched by the rule file."""

from . import machine, shop

MOST_PERCENT, MOST_OBSERVED = 3.0, 1.2
SECONDS, LEAST = 420, 30
OBSERVED_SECONDS = 90
WINDOW, SETTLE = 2000, 800


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

    machine.settle(step, run.pick(12, 5), run.pick(24, 5))


def measure(run):
    table = run.table("shop-request", "CPU per request of one warm shop, mode off and on in alternated windows")
    count = run.pick(WINDOW, 200)
    answering, pricing = shop.stub()
    switch = shop.rules()
    with answering, shop.with_agent(port := machine.free_port(), pricing, switch) as child:
        child.wait_line(shop.READY)
        users = shop.Users(port)
        warm_up(run, child, users, switch)
        seen, switched = {"off": [], "on": []}, []
        for _ in machine.turns(run, "shop-request", SECONDS, LEAST, 2):
            switched += machine.abba(seen, switch, child, lambda: users.ask(SETTLE),
                                     lambda: window(child, users, count))
        watched = {"on": [], "observe": []}
        for _ in machine.turns(run, "shop-request, observe", OBSERVED_SECONDS, 6, 2):
            machine.abba(watched, switch, child, lambda: users.ask(SETTLE), lambda: window(child, users, count))
        users.close()
    table.add("mode off", "µs", seen["off"])
    table.add("mode on", "µs", seen["on"])
    more = [100 * (on / off - 1) for on, off in zip(seen["on"], seen["off"])]
    table.add("mode on adds", "+%", more, MOST_PERCENT, 100.0)
    ratio = [observe / on for observe, on in zip(watched["observe"], watched["on"])]
    table.add("mode observe beside on", "x", ratio, MOST_OBSERVED, 1.0)
    table.add("seconds until a switch is in force", "s", switched, 2.0)
    table.note(f"Each request is a call in (Tomcat) and one out (RestTemplate or Feign, LoadBalancer), half of them "
               f"tagged; 4 connections. A turn is four windows, on, off, off, on, of {count:,} requests each; {SETTLE} "
               "requests after each switch do not count.")
    table.show()
