//! Percent-encoding of `grpc-message`.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Encodes a text for `grpc-message`. What gRPC demands is encoded (`%` and all but printable ASCII), and so are the
/// space and `+`: dubbo-java decodes the value as a query string, in which `+` means a space.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for &b in text.as_bytes() {
        if (0x21..=0x7e).contains(&b) && b != b'%' && b != b'+' {
            out.push(b as char);
        } else {
            out.push('%');
            out.push(HEX[(b >> 4) as usize] as char);
            out.push(HEX[(b & 15) as usize] as char);
        }
    }
    out
}

/// Decodes; never fails: a `%` that no two hexadecimal digits follow stays as it is, bytes that are not UTF-8 become
/// U+FFFD. dubbo-java 3.3 sends messages that are not encoded at all.
pub fn decode(value: &[u8]) -> String {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&b, tail)) = rest.split_first() {
        let pair = if b == b'%' { tail.get(..2) } else { None };
        match pair.and_then(|p| Some(hex(p[0])? << 4 | hex(p[1])?)) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(b);
                rest = tail;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    }
}

pub(crate) fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|d| d as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_status_message_of_the_interop_suite() {
        let text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
        let sent = encode(text);
        assert!(sent.bytes().all(|b| (0x21..=0x7e).contains(&b)), "{sent}");
        assert_eq!(decode(sent.as_bytes()), text);
    }

    #[test]
    fn plus_and_percent_survive_readers_of_query_strings() {
        assert_eq!(encode("1 + 1 = 100%"), "1%20%2B%201%20=%20100%25");
    }

    #[test]
    fn bad_encoding_is_kept() {
        for text in ["100%", "%", "%4", "%zz", "a%2", "plain + text"] {
            assert_eq!(decode(text.as_bytes()), text);
        }
        assert_eq!(decode(b"%E4%B8"), "\u{fffd}");
        assert_eq!(decode(b"caf\xe9"), "caf\u{fffd}");
        assert_eq!(decode(b"%e4%BD%a0"), "你");
    }
}
