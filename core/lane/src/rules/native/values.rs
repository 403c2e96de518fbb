//! Values of the native file that are more than a word.

use crate::rules::walk::Value;
use crate::tag;

/// `host:port`.
pub(super) fn address(value: Value) -> Option<String> {
    let text = value.text()?;
    let good = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b'@' | b'?' | b'#');
        !bare.is_empty() && bare.bytes().all(legal) && port.parse::<u16>().is_ok_and(|p| p > 0)
    });
    if !good {
        value.problem(format!("`{text}` is no address"), "host:port, such as 10.0.0.7:9001");
    }
    Some(text.to_string())
}

/// A tag's text.
pub(super) fn tag(value: Value) -> Option<String> {
    let text = value.text()?;
    if tag::parse(text.as_bytes()).is_none() {
        let message = format!("`{}` is no tag", text.chars().take(80).collect::<String>());
        value.problem(message, "1 to 63 of A-Z a-z 0-9 . _ -");
    }
    Some(text.to_string())
}

/// The name of a header; `place` is where it stands.
pub(super) fn header_name(name: &str, place: Value) -> String {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        place.problem(format!("`{name}` is no header name"), "a token of RFC 9110 5.6.2");
    }
    name.to_ascii_lowercase()
}

/// Per cent with at most two decimals → hundredths, 0..=10,000.
pub(super) fn hundredths(value: Value) -> Option<u16> {
    let text = value.text()?;
    let parsed = parse_hundredths(text);
    if parsed.is_none() {
        value.problem(format!("`{text}` is no share"), "0 to 100, in steps of 0.01");
    }
    parsed
}

fn parse_hundredths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let exact = whole.len() <= 3 && digits(whole) && !whole.is_empty() && digits(fraction);
    // Trailing zeros add nothing: 10.500 is 10.5.
    let fraction = fraction.trim_end_matches('0');
    if !exact || fraction.len() > 2 || text.ends_with('.') {
        return None;
    }
    let hundredths: u32 = format!("{fraction:0<2}").parse().ok()?;
    let value = whole.parse::<u32>().ok()? * 100 + hundredths;
    u16::try_from(value).ok().filter(|value| *value <= 10_000)
}

/// Hundredths as the file would write them.
pub(super) fn shown(hundredths: u16) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
