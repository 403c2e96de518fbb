"""Requests to a program's web server, once or until something holds."""

import time

NOTICE_SECONDS = 180


def answers(program, times, path="/chain", **headers):
    """The different answers to so many equal requests."""
    return sorted({program.get(path, **headers)[1] for _ in range(times)})


def until(program, wanted, path="/chain", **headers):
    """Asks until the answer is the wanted one; gives how many requests failed on the way, None if it never comes."""
    failed = 0
    end = time.monotonic() + NOTICE_SECONDS
    while time.monotonic() < end:
        status, body = program.get(path, **headers)
        if body == wanted:
            return failed
        failed += status != 200
        time.sleep(0.1)  # between two looks at the outside world; there is no event to wait for
    return None


def becomes(check):
    """Whether a check that takes no request comes true."""
    end = time.monotonic() + NOTICE_SECONDS
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)  # as above
    return True
