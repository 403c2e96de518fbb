"""Users who buy, each at one connection and one request after the other, and what they were answered."""

import http.client
import re
import threading
import time
from dataclasses import dataclass

ANSWER = re.compile(r"^shop\((\w+)\)>pricing\((\w+)\)>order\((\w+)\)>stock\((\w+)\) (\S+)$")
PATHS = ("/buy", "/buy-feign")
TIMEOUT = 30


@dataclass(slots=True)
class Record:
    """One request: who, when, and which copies answered (None: it failed, `text` says how)."""

    user: str
    begin: float
    end: float
    copies: tuple | None
    text: str


class Load:
    """Runs users on `connections` threads until each made `per_user` requests, or until `stop` is called."""

    def __init__(self, port, users, connections, per_user=None):
        self.port, self.per_user = port, per_user
        self.records = []
        self.stopping = threading.Event()
        self.arrived = threading.Condition()
        # A user always belongs to the same connection, so that the order of a user's answers is known.
        parts = [users[n::connections] for n in range(connections)]
        self.threads = [threading.Thread(target=self._run, args=(part,), daemon=True) for part in parts if part]
        for thread in self.threads:
            thread.start()

    def _run(self, users):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        count = 0
        while True:
            for user in users:
                for _ in range(self.per_user or 1):
                    if self.stopping.is_set():
                        connection.close()
                        return
                    self._note(self._ask(connection, user, count))
                    count += 1
            if self.per_user:
                connection.close()
                return

    def _ask(self, connection, user, count):
        item = f"item-{user.rpartition('-')[2]}.{count}"  # not the user's id: see judge.told
        begin = time.monotonic()
        try:
            path = f"{PATHS[count % len(PATHS)]}?item={item}"
            connection.request("GET", path, headers={"x-user-id": user})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            found = ANSWER.match(text) if response.status == 200 else None
            if not found:
                return Record(user, begin, time.monotonic(), None, f"{response.status} {text[:200]}")
            if found.group(5) != item:
                return Record(user, begin, time.monotonic(), None, f"asked for {item}, got {found.group(5)}")
            return Record(user, begin, time.monotonic(), found.groups()[:4], "")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Record(user, begin, time.monotonic(), None, repr(error))

    def _note(self, record):
        with self.arrived:
            self.records.append(record)
            self.arrived.notify_all()

    def taken(self):
        with self.arrived:
            return list(self.records)

    def wait_for(self, wanted, budget):
        """Waits until a record satisfies `wanted`; returns it, or None when the time is over."""
        deadline, seen = time.monotonic() + budget, 0
        with self.arrived:
            while True:
                for record in self.records[seen:]:
                    if wanted(record):
                        return record
                seen = len(self.records)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self.arrived.wait(left)

    def wait_count(self, count, budget):
        """Waits for `count` more answers."""
        target = len(self.taken()) + count
        deadline = time.monotonic() + budget
        with self.arrived:
            while len(self.records) < target and time.monotonic() < deadline:
                self.arrived.wait(0.5)

    def running(self):
        return any(thread.is_alive() for thread in self.threads)

    def rest(self, seconds):
        """Returns after `seconds`, or when all is done."""
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.taken()

    def stop(self):
        self.stopping.set()
        return self.join()
