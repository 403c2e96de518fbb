"""tags.json: which bytes are a tag (design section 2)."""

from .model import tag_valid

WORD = "§2: a tag is 1..63 bytes of [A-Za-z0-9._-]"

# (id, bytes, valid, why), every expectation written by hand and held against the model below
CASES = [
    ("letters", b"gray", True, "lower-case letters"),
    ("upper", b"GRAY", True, "upper-case letters"),
    ("digits", b"2024", True, "digits alone are a tag"),
    ("all-kinds", b"dev-x_1.0", True, "every kind of character at once"),
    ("one-letter", b"a", True, "the shortest tag"),
    ("one-dot", b".", True, "one dot is in the charset"),
    ("two-dots", b"..", True, "dots are in the charset; a tag is never used as a path"),
    ("one-dash", b"-", True, "one dash is in the charset"),
    ("one-underscore", b"_", True, "one underscore is in the charset"),
    ("leading-dash", b"-gray", True, "no character is special at the start"),
    ("trailing-dot", b"gray.", True, "no character is special at the end"),
    ("len-62", b"a" * 62, True, "62 bytes"),
    ("len-63", b"a" * 63, True, "63 bytes, the longest tag"),
    ("len-64", b"a" * 64, False, "64 bytes is one too long"),
    ("len-65", b"a" * 65, False, "65 bytes"),
    ("len-256", b"a" * 256, False, "256 bytes: a length kept in one byte would read 0"),
    ("len-257", b"a" * 257, False, "257 bytes: a length kept in one byte would read 1"),
    ("len-65537", b"a" * 65537, False, "65,537 bytes: a length kept in two bytes would read 1"),
    ("empty", b"", False, "nothing is no tag"),
    ("space", b" ", False, "a space"),
    ("leading-space", b" gray", False, "a space before"),
    ("trailing-space", b"gray ", False, "a space after"),
    ("inner-space", b"gr ay", False, "a space inside"),
    ("tab", b"gr\tay", False, "a tab"),
    ("lf", b"gray\n", False, "a line feed"),
    ("cr", b"gray\r", False, "a carriage return"),
    ("crlf-header", b"gray\r\nx-evil: 1", False, "a second header hidden behind CRLF"),
    ("nul-end", b"gray\0", False, "a NUL at the end, as a C string would drop it"),
    ("nul-alone", b"\0", False, "a NUL alone"),
    ("slash", b"a/b", False, "a slash, as in a path"),
    ("backslash", b"a\\b", False, "a backslash"),
    ("comma", b"gray,blue", False, "a comma, as in a joined header"),
    ("semicolon", b"gray;q=1", False, "a semicolon"),
    ("colon", b"a:b", False, "a colon"),
    ("equals", b"a=b", False, "an equals sign"),
    ("star", b"*", False, "a star"),
    ("quote", b'"gray"', False, "quotes"),
    ("percent", b"gr%61y", False, "a percent sign: nothing is decoded here"),
    ("plus", b"a+b", False, "a plus sign"),
    ("at", b"a@b", False, "0x40, the byte before A"),
    ("bracket", b"a[b", False, "0x5b, the byte after Z"),
    ("backtick", b"a`b", False, "0x60, the byte before a"),
    ("brace", b"a{b", False, "0x7b, the byte after z"),
    ("del", b"a\x7f", False, "0x7f"),
    ("utf8-2", "gr\u00e4y".encode(), False, "a letter outside ASCII"),
    ("utf8-3", "\u7070\u5ea6".encode(), False, "Chinese"),
    ("utf8-4", "\U0001f600".encode(), False, "an emoji"),
    ("lone-continuation", b"\x80", False, "a lone continuation byte"),
    ("lone-lead", b"gray\xc3", False, "a lone lead byte"),
    ("lone-surrogate", b"\xed\xa0\x80", False, "a lone surrogate as three bytes"),
    ("latin1", b"gr\xe4y", False, "a Latin-1 byte that is not UTF-8"),
    ("ff", b"\xff", False, "0xff"),
    ("overlong", b"\xc1\xa1", False, "an overlong form of the letter a"),
    ("fullwidth", "\uff47ray".encode(), False, "a full-width letter that only looks like g"),
]


def cases():
    out = []
    for name, raw, valid, note in CASES:
        assert tag_valid(raw) == valid, name
        out.append({"id": f"tag-{name}", "why": f"{WORD}; {note}.", "hex": raw.hex(), "valid": valid})
    return out
