//! Triple's own headers, and Dubbo's attachments as headers.

use crate::{Headers, metadata, percent};

/// Version of the service; absent where the reference has none.
pub const VERSION: &str = "tri-service-version";
/// Group of the service.
pub const GROUP: &str = "tri-service-group";
/// Name of the calling application.
pub const CONSUMER: &str = "tri-consumer-appname";
/// Set on an answer whose message is a serialized exception (wrapper mode).
pub const EXCEPTION: &str = "tri-exception-code";
/// Percent-encoded JSON from lower-cased to original attachment names.
pub const CONVERT: &str = "tri-header-convert";

/// Names that are never attachments, in either direction (dubbo-java's `TripleHeaderEnum` and what goes with it).
const RESERVED: [&str; 20] = [
    "http-status",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-accept-encoding",
    CONSUMER,
    VERSION,
    GROUP,
    "tri-service-timeout",
    CONVERT,
    EXCEPTION,
    "group",
    "interface",
    "path",
    "remote.application",
    "application",
    "serialization",
    "rest-service-version",
];

/// Whether a header is part of the protocol and so no attachment.
pub fn is_reserved(name: &[u8]) -> bool {
    name.starts_with(b":")
        || matches!(name, b"content-type" | b"te" | b"user-agent" | b"rest-service-group")
        || RESERVED.iter().any(|r| r.as_bytes() == name)
}

/// An attachment: its name in the sender's spelling, its value in bytes.
pub type Attachment = (String, Vec<u8>);

/// Reads attachments: every header that is not reserved; `x-bin` becomes bytes under `x`; the last of repeated names
/// wins; [`CONVERT`] gives names their upper case back. A `-bin` value that is no base64 is left out.
pub fn read_attachments(headers: &Headers) -> Vec<Attachment> {
    let names = headers.get(CONVERT.as_bytes()).map(renames).unwrap_or_default();
    let mut all: Vec<Attachment> = Vec::new();
    for (name, value) in headers.iter().filter(|(n, _)| !is_reserved(n)) {
        let (bare, value) = match name.strip_suffix(b"-bin") {
            Some(bare) => match metadata::decode_bin(value) {
                Some(bytes) => (bare, bytes),
                None => continue,
            },
            None => (name, value.to_vec()),
        };
        let bare = String::from_utf8_lossy(bare).into_owned();
        let key = names.iter().find(|(lower, _)| *lower == bare).map(|(_, original)| original.clone()).unwrap_or(bare);
        match all.iter_mut().find(|(k, _)| *k == key) {
            Some(slot) => slot.1 = value,
            None => all.push((key, value)),
        }
    }
    all
}

/// Writes attachments: names lower-cased, with one [`CONVERT`] header if a name changed by that. Values that are not
/// printable ASCII go as `name-bin`: Java would read `?` (trap 14). Returns the names that could not be written.
pub fn write_attachments(headers: &mut Headers, attachments: &[Attachment]) -> Vec<String> {
    let mut refused = Vec::new();
    let mut changed = Vec::new();
    for (name, value) in attachments {
        let lower = name.to_ascii_lowercase();
        // `grpc` as bytes would become `grpc-bin`, which is the protocol's.
        let binary = metadata::value_problem(value).is_some();
        let sent = if binary { format!("{lower}-bin") } else { lower.clone() };
        let problem = metadata::key_problem(lower.as_bytes()).or_else(|| metadata::key_problem(sent.as_bytes()));
        if problem.is_some() || is_reserved(lower.as_bytes()) {
            refused.push(name.clone());
            continue;
        }
        if binary {
            headers.set(sent.as_bytes(), metadata::encode_bin(value).as_bytes());
        } else {
            headers.set(sent.as_bytes(), value);
        }
        if lower != *name {
            changed.push((lower, name));
        }
    }
    if !changed.is_empty() {
        // The names are [A-Za-z0-9._-]: nothing in them needs an escape in JSON.
        let pairs: Vec<String> = changed.iter().map(|(l, o)| format!("\"{l}\":\"{o}\"")).collect();
        headers.set(CONVERT.as_bytes(), percent::encode(&format!("{{{}}}", pairs.join(","))).as_bytes());
    }
    refused
}

/// Reads the flat JSON object of [`CONVERT`]: strings to strings, no nesting; whatever else it is gives no renames.
fn renames(value: &[u8]) -> Vec<(String, String)> {
    let plus: Vec<u8> = value.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let text = percent::decode(&plus);
    let Some(inner) = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')) else { return Vec::new() };
    let unquote = |s: &str| {
        s.trim().strip_prefix('"')?.strip_suffix('"').filter(|s| !s.contains(['"', '\\'])).map(str::to_string)
    };
    let pair = |p: &str| p.split_once(':').and_then(|(a, b)| Some((unquote(a)?, unquote(b)?)));
    // A name that is not the same letters in another case could rename one header into another.
    inner.split(',').filter_map(pair).filter(|(a, b)| a.eq_ignore_ascii_case(b)).collect()
}

/// The services to try for a call's group and version, in dubbo-java's order: as asked; version `1.0.0` where none,
/// or the reverse; no group and no version. An entry is (group, version), empty for none.
pub fn lookup_order<'a>(group: &'a str, version: &'a str) -> Vec<(&'a str, &'a str)> {
    let version = if version == "0.0.0" { "" } else { version };
    let mut order = vec![(group, version)];
    for candidate in [(group, "1.0.0"), ("", "")] {
        let fits = candidate.1 != "1.0.0" || version.is_empty();
        if fits && !order.contains(&candidate) {
            order.push(candidate);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(name: &str, value: &[u8]) -> Attachment {
        (name.to_string(), value.to_vec())
    }

    #[test]
    fn attachments_come_back_with_their_upper_case() {
        let sent = [attachment("userId", b"42"), attachment("dubbo.tag", b"gray"), attachment("Raw", b"\x00\xff")];
        let mut headers = Headers::new();
        assert!(write_attachments(&mut headers, &sent).is_empty());
        assert_eq!(headers.text("userid"), Some("42"));
        assert_eq!(headers.text("raw-bin"), Some("AP8"));
        assert_eq!(read_attachments(&headers), sent);
    }

    #[test]
    fn trap_14_other_characters_go_as_bin() {
        let mut headers = Headers::new();
        write_attachments(&mut headers, &[attachment("name", "你好".as_bytes())]);
        assert_eq!(headers.get(b"name"), None);
        assert_eq!(read_attachments(&headers), [attachment("name", "你好".as_bytes())]);
    }

    #[test]
    fn what_belongs_to_the_protocol_is_no_attachment() {
        let headers: Headers = [
            (":path", "/a/b"),
            ("te", "trailers"),
            ("tri-service-version", "1"),
            ("k", "1"),
            ("k", "2"),
            ("x-bin", "?"),
        ]
        .into_iter()
        .collect();
        assert_eq!(read_attachments(&headers), [attachment("k", b"2")]);
        let mut out = Headers::new();
        let sent = [attachment("grpc-status", b"0"), attachment("a b", b""), attachment("grpc", b"\xff")];
        assert_eq!(write_attachments(&mut out, &sent), ["grpc-status", "a b", "grpc"]);
        assert!(out.is_empty());
    }

    #[test]
    fn a_convert_header_cannot_make_one_name_another() {
        for bad in ["{\"k\":\"other\"}", "[1]", "{\"k\":{}}", "{\"k\"}", "%7B", "\"k\":\"K\"", "{\"k\\\"\":\"K\"}"] {
            let headers: Headers = [("k", "1"), (CONVERT, bad)].into_iter().collect();
            assert_eq!(read_attachments(&headers), [attachment("k", b"1")], "{bad}");
        }
        let headers: Headers = [("userid", "1"), (CONVERT, "%7B%22userid%22%3A+%22userId%22%7D")].into_iter().collect();
        assert_eq!(read_attachments(&headers), [attachment("userId", b"1")]);
    }

    #[test]
    fn trap_8_versions_are_lenient() {
        assert_eq!(lookup_order("", ""), [("", ""), ("", "1.0.0")]);
        assert_eq!(lookup_order("", "0.0.0"), [("", ""), ("", "1.0.0")]);
        assert_eq!(lookup_order("", "1.0.0"), [("", "1.0.0"), ("", "")]);
        assert_eq!(lookup_order("g", "2"), [("g", "2"), ("", "")]);
        assert_eq!(lookup_order("g", ""), [("g", ""), ("g", "1.0.0"), ("", "")]);
    }
}
