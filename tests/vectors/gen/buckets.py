"""buckets.txt: ten thousand user ids and their buckets under one salt (design section 6.7), a line each: bucket, key."""

import hashlib

from .xxh3 import bucket

SALT = "autumn"
NAMES = ["\u5f20\u4e09", "\u674e\u56db", "m\u00fcller", "o'neil", "\u0438\u0432\u0430\u043d", "na\u00efve \u2615", "\U0001f600"]


def keys():
    """The shapes that user ids have."""
    for n in range(1, 4001):
        yield str(n * n + n)
    for n in range(2000):
        digits = hashlib.sha256(str(n).encode()).hexdigest()
        yield f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
    for n in range(2000):
        yield f"user.{n}@mail{n % 13}.example"
    for n in range(1000):
        yield f"+86 138{n * 9973 % 10 ** 8:08d}"
    for n in range(1000):
        yield f"{NAMES[n % len(NAMES)]}{n}"


def text():
    lines = [f"{bucket(SALT.encode(), key.encode())} {key}\n" for key in keys()]
    assert len(set(lines)) == 10000
    return "".join(lines)
