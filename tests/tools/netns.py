"""A network namespace of its own for a test program, so that no other program's ports are in the way."""

import os
import shutil
import socket
import subprocess
import sys

INSIDE = "TRILANE_IN_NAMESPACE"
LOOPBACK = "ip link set lo up"
# dubbo-java looks for an interface that is not lo at every turn, so it gets one if that is allowed.
VETH = (
    "{ ip link add eth0 type veth peer name eth1 && ip addr add 192.0.2.10/24 dev eth0"
    " && ip link set eth0 up && ip link set eth1 up; } 2>/dev/null"
)


def inside():
    """True in the program that `enter` started, and where it could not."""
    return bool(os.environ.get(INSIDE))


def enter(veth=False, say=print):
    """Runs this very program again in a namespace with loopback up; goes on here, and says why, where it is refused.

    `veth`: with an interface beside loopback. What needs the network comes before this call.
    """
    if inside():
        return
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        why = "unshare or ip (util-linux, iproute2) is not there"
    else:
        tried = subprocess.run(["unshare", "-rn", "sh", "-c", LOOPBACK], capture_output=True, text=True)
        why = (tried.stderr.strip() or "unshare -rn was refused") if tried.returncode else ""
    sys.stdout.flush()
    if why:
        say(f"no private network namespace: {why}; using this machine's own ports")
        os.environ[INSIDE] = "no"
        return
    script = f'{LOOPBACK}; {VETH}; exec "$@"' if veth else f'{LOOPBACK}; exec "$@"'
    again = [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]]
    os.execvpe("unshare", ["unshare", "-rn", "sh", "-c", script, "sh", *again], {**os.environ, INSIDE: "yes"})


def free_port():
    """A port to tell a program to listen on.

    In the namespace of `enter` it is one that no connection gets from the kernel by chance before the program has it.
    """
    if os.environ.get(INSIDE) == "yes":
        return next(_ports)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _below_the_kernels():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as said:
        low = int(said.read().split()[0])
    yield from range(low - 1, 1023, -1)


_ports = _below_the_kernels()
