"""What the operator's commands cost: `trilane run` before a JVM starts, `trilane status` of a living one."""

from . import machine
from .machine import DIST, HERE, JAVA_FLAGS, LIBRARY

MOST_RUN_MS, MOST_STATUS_MS, MOST_PAUSE_MS = 150.0, 20.0, 1.0
PROGRAM = DIST / "trilane"
CLASSES = machine.CACHE / "operate"
SECONDS, LEAST = 60, 40
ASKED = 3  # questions in a window of the pause's rows; the process looks for one once a second
RULES = "apiVersion: trilane/v1\nmode: {mode}\nlanes: [{{tag: gray}}]\n"


def prepare(_run):
    machine.need_library()
    if not PROGRAM.exists():
        raise machine.Unusable(f"{PROGRAM.relative_to(machine.ROOT)} is missing: run `make build`")
    machine.javac("operate", [HERE / "java" / f"{name}.java" for name in ("Hello", "Idle", "Busy")])


def cpu(args, env):
    """Milliseconds of a program that ends well, those of the children that it waited for included."""
    seconds, _, code = machine.finished(args, env)
    if code != 0:
        raise machine.Unusable(f"`{' '.join(map(str, args))}` ended with {code}")
    return 1000 * seconds


def starts(run):
    """CPU of a Hello that gets the option from the variable, and of one that gets it from `trilane run`."""
    hello = ["java", *JAVA_FLAGS, "-cp", CLASSES, "Hello"]
    ways = {
        "variable": (hello, machine.environment({"JAVA_TOOL_OPTIONS": f"-agentpath:{LIBRARY}"})),
        "run": ([PROGRAM, "run", "--library", LIBRARY, "--", *hello], machine.environment()),
    }
    seen = {way: [] for way in ways}
    for turn in machine.turns(run, "operate: run", SECONDS, LEAST, 8):
        for way in ways if turn % 2 else reversed(ways):
            spent = cpu(*ways[way])
            if turn > 0:  # the first turn fills the page cache
                seen[way].append(spent)
    return seen


def jvm(name, env):
    args = ["java", *JAVA_FLAGS, f"-agentpath:{LIBRARY}", "-cp", CLASSES, name]
    return machine.Child(args, env, machine.CACHE / f"operate-{name}.log")


def asked(run, env):
    """CPU of `trilane status` of an idle JVM: the program's, and the JVM's meanwhile."""
    seen = []
    with jvm("Idle", env) as child:
        child.wait_line("^ready$", budget=60)
        for turn in range(run.pick(201, 11)):
            before = child.cpu()
            program = cpu([PROGRAM, "status", "--pid", child.popen.pid], env)
            if turn > 0:
                seen.append((program, 1000 * (child.cpu() - before)))
    return seen


def stood(run, env):
    """Milliseconds that a busy thread stood still at most while its process was asked, and while another one was."""
    seen = {"itself": [], "another": []}
    with jvm("Idle", env) as another, jvm("Busy", env) as busy:
        asked_ones = {"itself": busy, "another": another}
        for child in asked_ones.values():
            child.wait_line("^ready$", budget=60)
        for turn in machine.turns(run, "operate: pause", SECONDS, 20, 4):
            for who in seen if turn % 2 else reversed(seen):
                for window in ("cleared", "counts"):
                    mark = busy.mark()
                    for _ in range(ASKED if window == "counts" else 0):
                        cpu([PROGRAM, "status", "--pid", asked_ones[who].popen.pid], env)
                    busy.tell("")
                    line = busy.wait_line("^stood ", mark, budget=60)
                if turn > 0:
                    seen[who].append(int(line.split()[1]) / 1e6)
    return seen


def measure(run):
    table = run.table("operate", "`trilane run` before a Hello program, `trilane status` of an idle JVM")
    seen = starts(run)
    table.add("java with the option in the variable: CPU", "ms", seen["variable"])
    table.add("`trilane run` adds: CPU", "+ms", [a - b for a, b in zip(seen["run"], seen["variable"])], MOST_RUN_MS)
    switch = machine.Switch("operate-lanes.yaml", RULES)
    env = machine.environment({"TRILANE_RULES": str(switch.path)})
    seen = asked(run, env)
    table.add("`trilane status`: CPU of the program", "ms", [program for program, _ in seen])
    table.add("`trilane status`: CPU of the program and of the JVM meanwhile", "ms", [sum(both) for both in seen],
              MOST_STATUS_MS)
    seen = stood(run, env)
    table.add("a busy thread stands still while three statuses of another process are asked: at most", "ms", seen["another"])
    table.add("while they are its own process's: longer by", "+ms",
              [a - b for a, b in zip(seen["itself"], seen["another"])], MOST_PAUSE_MS)
    table.note("`trilane run` starts a JVM of its own first, whose CPU is in the figure.")
    table.show()
