"""The status page of a process, asked as `trilane status` does it; its layout: core/engine/src/page.rs."""

import glob
import json
import os
import struct
import time

LINK = "/memfd:trilane-status (deleted)"
PATIENCE = 120.0


def _target(link):
    try:
        return os.readlink(link)
    except OSError:
        return None  # closed meanwhile


def ask(pid):
    """What the process tells about itself, asked now.

    The thread that answers reads the rules and tells the hooks of them, in turn: what it names as in force acts
    everywhere.
    """
    page = next((p for p in glob.glob(f"/proc/{pid}/fd/*") if _target(p) == LINK), None)
    if page is None:
        raise AssertionError(f"process {pid} has no status page")
    with open(page, "r+b", buffering=0) as file:
        deadline, again = time.monotonic() + PATIENCE, 0.0
        while True:
            if time.monotonic() >= again:
                # Others may ask too, and of several questions only the last is answered: so it is repeated.
                question, again = struct.pack("=Q", time.monotonic_ns()), time.monotonic() + 1.2
                os.pwrite(file.fileno(), question, 8)
            if os.pread(file.fileno(), 8, 16) == question:
                (length,) = struct.unpack("=Q", os.pread(file.fileno(), 8, 24))
                try:
                    return json.loads(os.pread(file.fileno(), length, 64))
                except ValueError:
                    again = 0.0  # somebody else's answer is being written over it
            if time.monotonic() > deadline:
                raise AssertionError(f"process {pid} did not answer on its status page within {PATIENCE:.0f} s")
            time.sleep(0.02)


class RuleFile:
    """A rule file; once `pid` is set, a text that is put there is in force in that process."""

    def __init__(self, path):
        self.path, self.pid = str(path), None
        self.number, self.hash = 0, None

    def put(self, text):
        """Puts a text in place of the last one, whole; returns when the process acts by it."""
        if self.pid and self.hash is None:
            self.hash = ask(self.pid)["rules"]["hash"]
        self.number += 1  # no two texts have the same hash
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(f"# {self.number}\n{text}")
        os.replace(self.path + ".new", self.path)
        if not self.pid:
            return
        deadline = time.monotonic() + PATIENCE
        while (told := ask(self.pid)["rules"])["hash"] == self.hash:
            if told["error"] or time.monotonic() > deadline:
                raise AssertionError(f"the new rules did not come into force within {PATIENCE:.0f} s: {told}")
        self.hash = told["hash"]
