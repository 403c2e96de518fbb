"""Who is gray, worked out here by hand, and the rule file that says so to the library.

The share of a percent rule is fixed in the documents: xxh3_64(salt, 0x00, key) modulo 10,000. It is
written a second time here on purpose, so that the demo does not ask the library whether the library is right.
"""

import os

SALT = "autumn"
HEADER = "x-user-id"
MASK = (1 << 64) - 1
# The first 64 bytes of XXH3's published default secret: all that inputs of 9 to 32 bytes need.
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
)
PRIME64_1 = 0x9E3779B185EBCA87


def _word(data, at):
    return int.from_bytes(data[at : at + 8], "little")


def _fold(left, right):
    product = left * right
    return (product & MASK) ^ (product >> 64)


def _avalanche(value):
    value &= MASK
    value ^= value >> 37
    value = value * 0x165667919E3779F9 & MASK
    return value ^ value >> 32


def xxh3_64(data):
    """XXH3, 64 bits, seed 0, for 9 to 32 bytes."""
    size = len(data)
    if not 9 <= size <= 32:
        raise ValueError(f"{size} bytes; the demo's keys are made so that 9 to 32 are hashed")
    if size <= 16:
        low = _word(data, 0) ^ _word(SECRET, 24) ^ _word(SECRET, 32)
        high = _word(data, size - 8) ^ _word(SECRET, 40) ^ _word(SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche(size + swapped + high + _fold(low, high))
    total = size * PRIME64_1
    for at, secret in ((0, 0), (size - 16, 16)):
        total += _fold(_word(data, at) ^ _word(SECRET, secret), _word(data, at + 8) ^ _word(SECRET, secret + 8))
    return _avalanche(total)


def user_name(number):
    return f"user-{number:04d}"


def gray_users(users, percent):
    """The users whom `percent` colours gray."""
    prefix = SALT.encode() + b"\0"
    return {u for u in users if xxh3_64(prefix + u.encode()) % 10_000 < percent * 100}


RULES = """\
# Written by tests/demo/demo.py
apiVersion: trilane/v1
mode: on
lanes:
  - {{tag: gray}}
services:
  - name: order
    authorities: ["127.0.0.1:{balancer}"]
    instances:
      - {{address: "127.0.0.1:{base}"}}
      - {{address: "127.0.0.1:{gray}", tag: gray}}
entry:
  - service: shop
    rules:
      - {{lane: gray, percent: {percent}, key: {{header: {header}}}, salt: "{salt}"}}
"""


def write_rules(path, percent, ports):
    """Replaces the rule file whole, as a ConfigMap update does."""
    text = RULES.format(
        balancer=ports["balancer"],
        base=ports["order-base"],
        gray=ports["order-gray"],
        percent=percent,
        header=HEADER,
        salt=SALT,
    )
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)
