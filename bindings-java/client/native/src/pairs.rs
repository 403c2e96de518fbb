//! Pairs of name and value, as metadata and options cross: length of the name, length of the value (little-endian
//! `u32`), name, value.

use trilane_net::{Headers, Status};
use trilane_wire::metadata;

const DETAILS: &[u8] = b"grpc-status-details-bin";

/// Names and values of a flat run; it ends where the bytes are cut.
pub(crate) fn each(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (lengths, tail) = rest.split_at_checked(8)?;
        let number = |at: usize| Some(u32::from_le_bytes(lengths[at..at + 4].try_into().ok()?) as usize);
        let (name, tail) = tail.split_at_checked(number(0)?)?;
        let (value, tail) = tail.split_at_checked(number(4)?)?;
        rest = tail;
        Some((name, value))
    })
}

/// Adds one pair.
pub(crate) fn push(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for length in [name.len(), value.len()] {
        out.extend((length as u32).to_le_bytes());
    }
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

/// Adds received headers: values of `-bin` names decoded, without the status, which a record has in fields of its own.
pub(crate) fn flatten<'a>(out: &mut Vec<u8>, headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
    for (name, wire) in headers {
        if name == b"grpc-status" || name == b"grpc-message" {
            continue;
        }
        if metadata::is_binary(name) {
            metadata::decode_bin_list(wire).for_each(|value| push(out, name, &value));
        } else {
            push(out, name, wire);
        }
    }
}

/// Takes over an application's metadata. What cannot go onto the wire is left out, as grpc-java does; spaces around a
/// value, which receivers remove, are removed here.
pub(crate) fn to_headers(flat: &[u8], headers: &mut Headers) {
    for (name, value) in each(flat) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let plain = !metadata::is_binary(name.as_bytes());
        if name != "user-agent" {
            let _ = metadata::push(headers, name, if plain { value.trim_ascii() } else { value });
        }
    }
}

/// The status with the details that stand in an application's trailers.
pub(crate) fn with_details(status: Status, trailers: &[u8]) -> Status {
    match each(trailers).find(|(name, _)| *name == DETAILS) {
        Some((_, details)) => status.with_details(details.to_vec().into()),
        None => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_goes_out_and_comes_back() {
        let mut flat = Vec::new();
        for (name, value) in [("x-a", " b "), ("x-bin", "\x01"), ("te", "x"), ("grpc-timeout", "1S"), ("x-n", "a\nb")] {
            push(&mut flat, name.as_bytes(), value.as_bytes());
        }
        let mut headers = Headers::new();
        to_headers(&flat, &mut headers);
        let wire: Vec<_> = headers.iter().collect();
        assert_eq!(wire, [(&b"x-a"[..], &b"b"[..]), (b"x-bin", b"AQ")]);
        let mut back = Vec::new();
        flatten(&mut back, headers.iter());
        let pairs: Vec<_> = each(&back).collect();
        assert_eq!(pairs, [(&b"x-a"[..], &b"b"[..]), (b"x-bin", b"\x01")]);
    }

    #[test]
    fn joined_binary_values_come_apart() {
        let mut out = Vec::new();
        flatten(&mut out, [(&b"x-bin"[..], &b"YQ,Yg"[..]), (b"grpc-status", b"0")].into_iter());
        let pairs: Vec<_> = each(&out).collect();
        assert_eq!(pairs, [(&b"x-bin"[..], &b"a"[..]), (b"x-bin", b"b")]);
    }

    #[test]
    fn a_cut_run_ends() {
        let mut flat = Vec::new();
        push(&mut flat, b"a", b"b");
        assert_eq!(each(&flat[..flat.len() - 1]).count(), 0);
    }
}
