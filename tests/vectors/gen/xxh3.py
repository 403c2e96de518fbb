"""XXH3, 64 bits, seed 0, written from the published description of the algorithm.

Slow and plain on purpose: it is the second opinion beside the library's own hash.
`self_check` holds it against values that others have published.
"""

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
MASK = (1 << 64) - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
PRIME_MX1, PRIME_MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25


def u32(b, at):
    return int.from_bytes(b[at : at + 4], "little")


def u64(b, at):
    return int.from_bytes(b[at : at + 8], "little")


def rotl(x, n):
    return ((x << n) | (x >> (64 - n))) & MASK


def swap64(x):
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def fold(a, b):
    """The 128-bit product of a and b, its halves combined by xor."""
    p = a * b
    return (p & MASK) ^ (p >> 64)


def avalanche(h):
    h ^= h >> 37
    h = h * PRIME_MX1 & MASK
    return h ^ (h >> 32)


def avalanche64(h):
    """The final step of XXH64, used by XXH3 for the shortest inputs."""
    h ^= h >> 33
    h = h * P64_2 & MASK
    h ^= h >> 29
    h = h * P64_3 & MASK
    return h ^ (h >> 32)


def up_to_16(d):
    n = len(d)
    if n == 0:
        return avalanche64(u64(SECRET, 56) ^ u64(SECRET, 64))
    if n <= 3:
        combined = d[n - 1] | (n << 8) | (d[0] << 16) | (d[n >> 1] << 24)
        return avalanche64(combined ^ u32(SECRET, 0) ^ u32(SECRET, 4))
    if n <= 8:
        joined = u32(d, n - 4) + (u32(d, 0) << 32)
        h = joined ^ u64(SECRET, 8) ^ u64(SECRET, 16)
        h ^= rotl(h, 49) ^ rotl(h, 24)
        h = h * PRIME_MX2 & MASK
        h ^= (h >> 35) + n
        h = h * PRIME_MX2 & MASK
        return h ^ (h >> 28)
    low = u64(d, 0) ^ u64(SECRET, 24) ^ u64(SECRET, 32)
    high = u64(d, n - 8) ^ u64(SECRET, 40) ^ u64(SECRET, 48)
    return avalanche((n + swap64(low) + high + fold(low, high)) & MASK)


def mix16(d, at, secret_at):
    return fold(u64(d, at) ^ u64(SECRET, secret_at), u64(d, at + 8) ^ u64(SECRET, secret_at + 8))


def up_to_240(d):
    n = len(d)
    acc = n * P64_1 & MASK
    if n <= 128:
        for i in range((n - 1) // 32 + 1):
            acc += mix16(d, 16 * i, 32 * i) + mix16(d, n - 16 * (i + 1), 32 * i + 16)
        return avalanche(acc & MASK)
    for i in range(8):
        acc += mix16(d, 16 * i, 16 * i)
    acc = avalanche(acc & MASK)
    for i in range(8, n // 16):
        acc += mix16(d, 16 * i, 16 * (i - 8) + 3)
    return avalanche((acc + mix16(d, n - 16, 136 - 17)) & MASK)


def accumulate(acc, d, at, secret_at):
    for lane in range(8):
        value = u64(d, at + 8 * lane)
        key = value ^ u64(SECRET, secret_at + 8 * lane)
        acc[lane ^ 1] = (acc[lane ^ 1] + value) & MASK
        acc[lane] = (acc[lane] + (key & 0xFFFFFFFF) * (key >> 32)) & MASK


def scramble(acc):
    for lane in range(8):
        a = acc[lane]
        a ^= a >> 47
        a ^= u64(SECRET, len(SECRET) - 64 + 8 * lane)
        acc[lane] = a * P32_1 & MASK


def long_input(d):
    acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    per_block = (len(SECRET) - 64) // 8
    stripes = (len(d) - 1) // 64
    for stripe in range(stripes):
        accumulate(acc, d, 64 * stripe, 8 * (stripe % per_block))
        if stripe % per_block == per_block - 1:
            scramble(acc)
    accumulate(acc, d, len(d) - 64, len(SECRET) - 64 - 7)
    total = len(d) * P64_1 & MASK
    for i in range(4):
        total += fold(acc[2 * i] ^ u64(SECRET, 11 + 16 * i), acc[2 * i + 1] ^ u64(SECRET, 11 + 16 * i + 8))
    return avalanche(total & MASK)


def xxh3_64(data):
    if len(data) <= 16:
        return up_to_16(data)
    if len(data) <= 240:
        return up_to_240(data)
    return long_input(data)


def bucket(salt, key):
    """Design 6.7: xxh3_64(salt, 0x00, key), seed 0, modulo 10,000."""
    return xxh3_64(salt + b"\0" + key) % 10000


def self_check():
    assert len(SECRET) == 192
    assert xxh3_64(b"") == 0x2D06800538D394C2
    assert xxh3_64(b"a") == 0xE6C632B61E964E1F
    assert xxh3_64(b"abc") == 0x78AF5F94892F3950
