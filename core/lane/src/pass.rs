//! Headers that are passed through: their values ride with the request and are written on its calls.
//!
//! The values come from outside, so their number and size are bounded, and only those ride that every library can put
//! on a call without an error.

use crate::carrier;

/// Most values that one request may take along.
pub const MAX_VALUES: usize = 8;
/// Most bytes that they may have together.
pub const MAX_BYTES: usize = 1024;
/// Most names that may be configured.
pub const MAX_NAMES: usize = 32;

/// Headers that belong to one connection or one message: a copy on another call would break it.
const MESSAGE: [&str; 16] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header of this lower-case name may be passed through: a token of at most 64 bytes, neither a carrier nor
/// a header that describes the message or its connection.
pub fn may_pass(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    let carriers = [carrier::HEADER, carrier::MEMBER, carrier::BAGGAGE, carrier::DUBBO_TAG];
    matches!(name.len(), 1..=64)
        && name.bytes().all(token)
        && !carriers.contains(&name)
        && !MESSAGE.contains(&name)
        && !name.starts_with("grpc-")
}

/// Which values ride on: bit `i` of the first number for value `i`; and how many were left behind. Absent and empty
/// values are neither. In their order, as long as there is room; a value with anything but printable ASCII stays.
pub fn keep(values: &[Option<&[u8]>]) -> (u32, u32) {
    let (mut kept, mut dropped, mut bytes) = (0u32, 0u32, 0usize);
    for (at, value) in values.iter().enumerate().take(MAX_NAMES) {
        let Some(value) = value.filter(|v| !v.is_empty()) else { continue };
        let fits = kept.count_ones() < MAX_VALUES as u32 && bytes + value.len() <= MAX_BYTES;
        if fits && value.iter().all(|b| matches!(b, 0x20..=0x7e)) {
            kept |= 1 << at;
            bytes += value.len();
        } else {
            dropped += 1;
        }
    }
    (kept, dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_size_are_bounded() {
        let ten = [Some(&b"v"[..]); 10];
        assert_eq!(keep(&ten), (0xff, 2));
        let (big, small) = ([b'a'; 1000], [b'b'; 24]);
        assert_eq!(keep(&[Some(&big[..]), Some(&small[..]), Some(b"c")]), (0b011, 1));
        assert_eq!(keep(&[Some(&[b'a'; 1025][..]), None, Some(b""), Some(b"c")]), (0b1000, 1));
    }

    #[test]
    fn what_a_client_would_refuse_stays() {
        assert_eq!(keep(&[Some(b"a\r\nx: y"), Some(b"a\tb"), Some("\u{e9}".as_bytes()), Some(b"a b")]), (0b1000, 3));
    }

    #[test]
    fn names() {
        for good in ["x-tenant", "authorization", "cookie", "x_b.c"] {
            assert!(may_pass(good), "{good}");
        }
        for bad in
            ["", "X-Tenant", "x tenant", "x-mse-tag", "baggage", "content-length", "host", ":path", "grpc-timeout"]
        {
            assert!(!may_pass(bad), "{bad}");
        }
    }
}
