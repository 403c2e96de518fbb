//! Where a tag rides: headers, attachments, message properties, W3C baggage (design §3).
//!
//! Reading allocates nothing. A malformed value is absent in that carrier.

use crate::json::{self, Name};
use crate::tag;
use std::ops::Range;

/// Name of the plain header and metadata carrier.
pub const HEADER: &str = "x-mse-tag";
/// Name of the Dubbo attachment, message property and baggage member.
pub const MEMBER: &str = "__microservice_tag__";
/// Name of the W3C header that may hold our member.
pub const BAGGAGE: &str = "baggage";
/// Dubbo's own attachment.
pub const DUBBO_TAG: &str = "dubbo.tag";
/// Longer values are not looked at: no sender of ours writes them, and positions must fit 16 bits.
pub const MAX_VALUE: usize = 8192;

/// How a carrier spells its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The tag itself.
    Plain,
    /// `[{"name":"gray"}]`
    Json,
    /// The JSON form, percent-encoded, as one member of a `baggage` header.
    Baggage,
}

/// What one carrier says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing: no such member, an empty value.
    Absent,
    /// Something that is no tag.
    Malformed,
    /// The tag is at these bytes of the value.
    Tag(Range<usize>),
}

/// Reads one carrier's value.
#[inline]
pub fn read(form: Form, value: &[u8]) -> Reading {
    if value.len() > MAX_VALUE {
        return Reading::Malformed;
    }
    match form {
        Form::Plain => plain(value),
        Form::Json => json(value),
        Form::Baggage => baggage(value),
    }
}

#[inline]
fn plain(value: &[u8]) -> Reading {
    // RFC 9110 5.5: optional white space around a field value is not part of it.
    let start = value.iter().position(|b| !is_space(*b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !is_space(*b)).map_or(start, |p| p + 1);
    match &value[start..end] {
        [] => Reading::Absent,
        text if tag::parse(text).is_some() => Reading::Tag(start..end),
        _ => Reading::Malformed,
    }
}

/// `[{"name":"gray", …}, …]`: element 0 is read; more fields and elements are tolerated.
#[inline(never)]
fn json(value: &[u8]) -> Reading {
    match json::name(value) {
        Name::At(range) if tag::parse(&value[range.clone()]).is_some() => Reading::Tag(range),
        Name::At(range) if !range.is_empty() => Reading::Malformed,
        Name::Malformed => Reading::Malformed,
        Name::None | Name::At(_) => Reading::Absent,
    }
}

/// Finds our member among others; the first one counts. Properties after `;` are not part of the value.
#[inline(never)]
fn baggage(header: &[u8]) -> Reading {
    let Some(member) = members(header).find(|m| is_ours(&header[m.clone()])) else { return Reading::Absent };
    let text = &header[member.clone()];
    let Some(equals) = text.iter().position(|b| *b == b'=') else { return Reading::Malformed };
    let value = &text[equals + 1..];
    let value = &value[..value.iter().position(|b| *b == b';').unwrap_or(value.len())];
    // Our form needs at most 77 bytes; peers may add fields. What does not fit is malformed.
    let mut decoded = [0u8; 2048];
    let Some(length) = percent_decode(value, &mut decoded) else { return Reading::Malformed };
    match json(&decoded[..length]) {
        Reading::Tag(inner) => {
            // A tag has only unreserved characters, so no encoder escapes them: it stands there literally.
            let name = &decoded[inner];
            let found = value.windows(name.len()).rposition(|w| w == name);
            found.map_or(Reading::Malformed, |at| {
                let start = member.start + equals + 1 + at;
                Reading::Tag(start..start + name.len())
            })
        }
        other => other,
    }
}

/// The list members of a baggage header, each without the white space around it.
fn members(header: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut next = 0;
    std::iter::from_fn(move || {
        if next > header.len() {
            return None;
        }
        let end = header[next..].iter().position(|b| *b == b',').map_or(header.len(), |p| next + p);
        let (mut start, mut stop) = (next, end);
        while start < stop && is_space(header[start]) {
            start += 1;
        }
        while stop > start && is_space(header[stop - 1]) {
            stop -= 1;
        }
        next = end + 1;
        Some(start..stop)
    })
}

fn is_ours(member: &[u8]) -> bool {
    member.strip_prefix(MEMBER.as_bytes()).is_some_and(|rest| {
        let rest = rest.trim_ascii_start();
        rest.is_empty() || matches!(rest[0], b'=' | b';')
    })
}

fn percent_decode(value: &[u8], out: &mut [u8]) -> Option<usize> {
    let hex = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    let (mut read, mut written) = (0, 0);
    while read < value.len() {
        let byte = match value[read] {
            b'%' => {
                let (high, low) = (*value.get(read + 1)?, *value.get(read + 2)?);
                read += 2;
                hex(high)? << 4 | hex(low)?
            }
            byte => byte,
        };
        *out.get_mut(written)? = byte;
        written += 1;
        read += 1;
    }
    Some(written)
}

/// The JSON form of a tag, as written into attachments and message properties.
pub fn json_form(tag: &str) -> String {
    format!("[{{\"name\":\"{tag}\"}}]")
}

/// An existing `baggage` header with our member set to `tag`, or without it when `tag` is `None`.
/// Other members keep their bytes and their order.
pub fn baggage_set(old: &[u8], tag: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(old.len() + 160);
    for member in members(old).map(|m| &old[m]).filter(|m| !m.is_empty() && !is_ours(m)) {
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(member);
    }
    if let Some(tag) = tag {
        if !out.is_empty() {
            out.push(b',');
        }
        // Percent-encoded `[{"name":"…"}]` (W3C Baggage 3.3.1: the value is percent-encoded).
        out.extend_from_slice(MEMBER.as_bytes());
        out.extend_from_slice(b"=%5B%7B%22name%22%3A%22");
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(b"%22%7D%5D");
    }
    out
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag_of(form: Form, value: &str) -> Option<&str> {
        match read(form, value.as_bytes()) {
            Reading::Tag(range) => Some(&value[range]),
            _ => None,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(tag_of(Form::Json, &json_form("gray")), Some("gray"));
        let set = String::from_utf8(baggage_set(b"user=ann;p=1 , other=x", Some("gray"))).unwrap();
        assert_eq!(set, "user=ann;p=1,other=x,__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D");
        assert_eq!(tag_of(Form::Baggage, &set), Some("gray"));
        assert_eq!(baggage_set(set.as_bytes(), None), b"user=ann;p=1,other=x");
        assert_eq!(read(Form::Baggage, b"__microservice_tag__x=1"), Reading::Absent);
    }

    #[test]
    fn a_hostile_value_is_malformed_and_never_a_panic() {
        for value in
            ["[", "[{", "[{\"name\":\"", "[{\"name\":\"gr\ray\"}]", "[{\"name\":\"gray\"", "{}", "[{\"name\":\"g\"}"]
        {
            assert_eq!(read(Form::Json, value.as_bytes()), Reading::Malformed, "{value:?}");
        }
        for value in
            ["__microservice_tag__", "__microservice_tag__=%", "__microservice_tag__=%5", "__microservice_tag__=%zz"]
        {
            assert_eq!(read(Form::Baggage, value.as_bytes()), Reading::Malformed, "{value:?}");
        }
        assert_eq!(read(Form::Plain, &[b'a'; MAX_VALUE + 1]), Reading::Malformed);
    }
}
