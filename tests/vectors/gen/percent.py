"""percent.json: key and salt -> bucket, and who is in a share (design section 6.7)."""

from .rules import Percent, rules_text
from .xxh3 import bucket

WORD = "§6.7: xxh3_64(salt, 0x00, key) seed 0 modulo 10,000"
SHARE = "§6.7: a percent rule owns buckets [from*100, (from+percent)*100)"

KEYS = ["1", "2", "42", "1000", "10001", "alice", "bob", "Alice", "user-1", "user-2", "user-1000000",
        "a@example.com", "13800000000", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "0"]
SALTS = ["", "autumn", "spring", "shop.gray", "\u79cb"]
ODD = [
    ("", "\u5f20\u4e09"), ("", "\u5f20"), ("autumn", "m\u00fcller"), ("autumn", "\U0001f600"),
    ("autumn", "\U0001f468\u200d\U0001f469\u200d\U0001f467"), ("\U0001f341", "\u79cb\u5929"),
    ("autumn", "e\u0301"), ("autumn", "\u00e9"), ("a\"b", "x"), ("a\\b", "x"), ("a b", "x y"),
    ("a: b", "x"), ("#no comment", "x"), ("'", "'"), ("{}", "[]"), ("null", "null"), ("1", "1"), ("true", "yes"),
]
# lengths at which the hash changes its way of working (salt, one zero byte, key)
LENGTHS = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 159, 160, 239, 240, 241,
           255, 256, 511, 512, 513, 1023, 1024, 1025, 1088, 2047]


def rule(salt, start, percent):
    keyed = {"lane": "gray", "percent": Percent(percent), "from": Percent(start)}
    keyed.update({"key": {"header": "x-user-id"}, "salt": salt})
    return rules_text({"lanes": [{"tag": "gray"}], "entry": [{"service": "shop", "rules": [keyed]}]})


def case(name, why, salt, key, start, percent):
    at = bucket(salt.encode(), key.encode())
    return {
        "id": f"percent-{name}", "why": why + ".", "rules": rule(salt, start, percent),
        "options": [["service", "shop"]], "salt": salt, "key": key, "bucket": at,
        "from": Percent(start).text, "percent": Percent(percent).text, "match": start <= at < start + percent,
    }


def buckets():
    """One hundredth of a percent exactly at the key's bucket: matches there and nowhere else."""
    pairs = [(salt, key) for salt in SALTS for key in KEYS] + ODD
    for n, (salt, key) in enumerate(pairs, 1):
        yield case(f"bucket-{n:03d}", WORD, salt, key, bucket(salt.encode(), key.encode()), 1)
    for length in LENGTHS:
        key = "".join(chr(97 + i * 7 % 26) for i in range(length - 1)) if length > 1 else ""
        if key:
            yield case(f"length-{length}", f"{WORD}; {length} bytes in all", "", key, bucket(b"", key.encode()), 1)


def edges():
    """Each key at the first and last bucket of a share and just outside of it."""
    for n, key in enumerate(["alice", "bob", "42"], 1):
        at = bucket(b"autumn", key.encode())
        assert 20 < at < 9980
        for name, start, percent in [
            ("first", at, 10), ("last", at - 9, 10), ("before", at + 1, 10), ("after", at - 10, 10),
            ("from-0-in", 0, at + 1), ("from-0-out", 0, at), ("to-100-in", at, 10000 - at),
            ("to-100-out", at + 1, 9999 - at), ("just-below", at - 1, 1), ("just-above", at + 1, 1),
        ]:
            yield case(f"edge-{n}-{name}", SHARE, "autumn", key, start, percent)
    yield case("all", SHARE + "; 100 is everybody", "autumn", "alice", 0, 10000)
    yield case("nobody", "§6.6: zero means zero", "autumn", "alice", 0, 0)
    yield case("nobody-there", "§6.6: zero means zero, also at the key's bucket", "autumn", "alice",
               bucket(b"autumn", b"alice"), 0)


def key_at(hundredths, salt="steps"):
    """The first of user-0, user-1, ... whose bucket it is."""
    n = 0
    while bucket(salt.encode(), f"user-{n}".encode()) != hundredths:
        n += 1
    return f"user-{n}"


# as floating point these times 100 fall beside the whole number
STEPS = [1, 7, 14, 28, 29, 55, 57, 58, 113, 114, 115, 201, 402, 1001, 1999, 3333, 5728, 6410, 8187, 9999]


def steps():
    for end in STEPS:
        last, first_out = key_at(end - 1), key_at(end % 10000)
        note = SHARE + "; steps of 0.01 are exact"
        yield case(f"step-{end}-in", note, "steps", last, 0, end)
        yield case(f"step-{end}-out", note, "steps", first_out, 0, end)
    for start, percent in [(29, 29), (57, 58), (1999, 1), (3333, 3333), (6666, 3334), (9999, 1)]:
        note = SHARE + "; from and percent add up exactly"
        yield case(f"sum-{start}-{percent}-in", note, "steps", key_at(start + percent - 1), start, percent)
        if start + percent < 10000:
            yield case(f"sum-{start}-{percent}-out", note, "steps", key_at(start + percent), start, percent)


def grow():
    """Raising percent moves nobody out: the same keys under 10, 50 and 100."""
    for n in range(8):
        key = f"customer-{n}"
        before = False
        for percent in (1000, 5000, 10000):
            why = "§6.7: raising percent grows the end only"
            out = case(f"grow-{n}-{percent // 100}", why, "autumn", key, 0, percent)
            assert out["match"] or not before
            before = out["match"]
            yield out


def cases():
    return list(buckets()) + list(edges()) + list(steps()) + list(grow())
