//! Pairs of name and value, as metadata and options cross: length of the name, length of the value (little-endian
//! `u32`), name, value.

use trilane_engine::{Engine, Level};
use trilane_net::Status;
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

/// Takes over an application's metadata; spaces around a value, which receivers remove, are removed here. What cannot
/// go onto the wire is left out, as grpc-java does, and told to `left_out`: its name and why.
pub(crate) fn take(
    flat: &[u8],
    mut to: impl FnMut(&str, &[u8]) -> Result<(), String>,
    mut left_out: impl FnMut(&str, &str),
) {
    for (name, value) in each(flat) {
        let Ok(name) = std::str::from_utf8(name) else {
            left_out(&String::from_utf8_lossy(name), "its name is not UTF-8");
            continue;
        };
        let plain = !metadata::is_binary(name.as_bytes());
        // The details go with the status; the agent's name is the channel's.
        if name.as_bytes() != DETAILS
            && name != "user-agent"
            && let Err(why) = to(name, if plain { value.trim_ascii() } else { value })
        {
            left_out(name, &why);
        }
    }
}

/// Says that metadata of this name was left out: at most once a minute for each name.
pub(crate) fn tell_left_out(method: &str, name: &str, why: &str) {
    if let Some(engine) = Engine::default() {
        let advice =
            "send it under a key of a-z 0-9 - _ . that is not the protocol's; any bytes under one that ends in -bin";
        let line = format!("{method}: metadata {name:?} was left out: {why}; {advice}");
        engine.log(Level::Warn, "TRL-601", name, &line);
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
    use trilane_net::Headers;

    #[test]
    fn metadata_goes_out_and_comes_back() {
        let mut flat = Vec::new();
        for (name, value) in [("x-a", " b "), ("x-bin", "\x01"), ("te", "x"), ("grpc-timeout", "1S"), ("x-n", "a\nb")] {
            push(&mut flat, name.as_bytes(), value.as_bytes());
        }
        push(&mut flat, b"grpc-status-details-bin", b"x");
        push(&mut flat, b"x-\xff", b"x");
        let (mut headers, mut left_out) = (Headers::new(), Vec::new());
        let to = |name: &str, value: &[u8]| metadata::push(&mut headers, name, value);
        take(&flat, to, |name, why| left_out.push((name.to_string(), why.to_string())));
        let names: Vec<_> = left_out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["te", "grpc-timeout", "x-n", "x-\u{fffd}"], "each of them is told: {left_out:?}");
        assert!(left_out[2].1.contains("-bin") && !left_out[2].1.contains("a\nb"), "no value: {left_out:?}");
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
