//! Metadata: what an application may put into headers, and binary values.

use crate::Headers;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether a key's values are binary.
pub fn is_binary(key: &[u8]) -> bool {
    key.ends_with(b"-bin")
}

/// Base64 without padding, as every gRPC implementation sends it.
pub fn encode_bin(value: &[u8]) -> String {
    BASE64.encode(value)
}

/// Base64 with or without padding; `None` if it is none.
pub fn decode_bin(value: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(value.trim_ascii()).ok()
}

/// The values in one `-bin` header: intermediaries may join several with commas. A piece that is no base64 is
/// left out.
pub fn decode_bin_list(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    value.split(|b| *b == b',').filter_map(decode_bin)
}

/// What a value of that key means to the application: bytes of a `-bin` key are decoded (the first of a joined list),
/// others are as they are.
pub fn value<'a>(key: &[u8], wire: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if is_binary(key) {
        let first = wire.split(|b| *b == b',').next().unwrap_or(wire);
        decode_bin(first).map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(wire))
    }
}

/// Why an application's key cannot go onto the wire; `None` if it can.
pub fn key_problem(key: &[u8]) -> Option<&'static str> {
    let good = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    if key.is_empty() {
        Some("it is empty")
    } else if !key.iter().all(good) {
        Some("it has other characters than a-z 0-9 - _ .")
    } else if key.starts_with(b"grpc-") && !matches!(key, b"grpc-trace-bin" | b"grpc-tags-bin") {
        // Those two are OpenCensus's, which other implementations send as they send any.
        Some("names that start with grpc- belong to the protocol")
    } else if matches!(key, b"te" | b"content-type" | b"connection" | b"host" | b"transfer-encoding" | b"upgrade")
        || matches!(key, b"keep-alive" | b"proxy-connection")
    {
        Some("it belongs to HTTP")
    } else {
        None
    }
}

/// Why an application's value of a key that is not `-bin` cannot go onto the wire; `None` if it can.
pub fn value_problem(value: &[u8]) -> Option<&'static str> {
    if !value.iter().all(|b| (0x20..=0x7e).contains(b)) {
        Some("it is not printable ASCII; use a key that ends in -bin")
    } else if value.first() == Some(&b' ') || value.last() == Some(&b' ') {
        Some("it starts or ends with a space, which receivers remove")
    } else {
        None
    }
}

/// Adds an application's header: bytes of a `-bin` key as they are, others must be printable ASCII. Says why not.
pub fn push(headers: &mut Headers, key: &str, value: &[u8]) -> Result<(), String> {
    if let Some(why) = key_problem(key.as_bytes()) {
        return Err(format!("metadata key {key:?}: {why}"));
    }
    if is_binary(key.as_bytes()) {
        headers.push(key.as_bytes(), encode_bin(value).as_bytes());
        return Ok(());
    }
    match value_problem(value) {
        Some(why) => Err(format!("the value of metadata key {key:?}: {why}")),
        None => {
            headers.push(key.as_bytes(), value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_15_base64_with_and_without_padding() {
        assert_eq!(encode_bin(b"\xab\xab\xab\xab"), "q6urqw");
        assert_eq!(decode_bin(b"q6urqw"), Some(vec![0xab; 4]));
        assert_eq!(decode_bin(b"q6urqw=="), Some(vec![0xab; 4]));
        assert_eq!(decode_bin(b""), Some(vec![]));
        for bad in ["q", "q6u=r", "q6_r", "a b"] {
            assert_eq!(decode_bin(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn joined_values_come_apart() {
        let all: Vec<_> = decode_bin_list(b"YQ==,Yg, Yw,?").collect();
        assert_eq!(all, [b"a", b"b", b"c"]);
        assert_eq!(value(b"x-bin", b"YQ,Yg").unwrap().as_ref(), b"a");
        assert_eq!(value(b"x", b"YQ,Yg").unwrap().as_ref(), b"YQ,Yg");
        assert_eq!(value(b"x-bin", b"?"), None);
    }

    #[test]
    fn every_length_comes_back() {
        for n in 0..70 {
            let bytes: Vec<u8> = (0..n).map(|i| (i * 37 + n) as u8).collect();
            assert_eq!(decode_bin(encode_bin(&bytes).as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn keys_and_values_that_may_not_go() {
        for good in ["x-user", "dubbo.tag", "a_b", "trace-bin", "__microservice_tag__"] {
            assert_eq!(key_problem(good.as_bytes()), None, "{good}");
        }
        for good in ["grpc-trace-bin", "grpc-tags-bin"] {
            assert_eq!(key_problem(good.as_bytes()), None, "{good}");
        }
        for bad in ["", "X-User", "a b", ":path", "grpc-timeout", "te", "content-type", "connection", "é"] {
            assert!(key_problem(bad.as_bytes()).is_some(), "{bad}");
        }
        for bad in ["a\nb", "é", " a", "a ", "\x7f", "\t"] {
            assert!(value_problem(bad.as_bytes()).is_some(), "{bad:?}");
        }
        assert_eq!(value_problem(b"[{\"name\":\"gray\"}]"), None);
    }
}
