//! Small values: string matches, durations, shares.

use crate::model::Test;
use crate::rules::walk::Value;

/// What kind of value a [`string_match`] is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A URI: an empty prefix is every path; `true` knows no case with `exact` and `prefix`.
    Uri(bool),
    /// A header, a query parameter: `{}` asks whether it is there.
    Keyed,
    /// A header that must not be: the regex `*` asks so, too.
    Without,
    /// Method, scheme, authority, label.
    Word,
}

/// `{exact: …}`, `{prefix: …}`, `{regex: …}`.
pub(crate) fn string_match(value: Value<'_>, of: Of) -> Option<Test> {
    let keyed = matches!(of, Of::Keyed | Of::Without);
    if keyed && value.node().is_null() {
        return Some(Test::Present);
    }
    if value.is_text() && !value.node().is_null() {
        value.problem("a match without its kind", "{exact: …}, {prefix: …} or {regex: …}");
        return None;
    }
    let fields = value.fields(&["exact", "prefix", "regex"], &[])?;
    let written = value.entries();
    let (kind, text) = match written[..] {
        [] if keyed => return Some(Test::Present),
        [(kind, value)] => (kind, value.text()?),
        _ => {
            value.problem("a match has exactly one kind", "one of exact, prefix, regex");
            return None;
        }
    };
    let no_case = of == Of::Uri(true);
    match kind {
        "exact" if no_case => Some(Test::ExactNoCase(text.into())),
        "exact" => Some(Test::Exact(text.into())),
        "prefix" if text.is_empty() && !matches!(of, Of::Uri(_)) => {
            fields.get("prefix").unwrap_or(value).problem("an empty prefix", "some characters; `{}` asks for presence");
            None
        }
        "prefix" if no_case => Some(Test::PrefixNoCase(text.into())),
        "prefix" => Some(Test::Prefix(text.into())),
        "regex" if text == "*" && of == Of::Without => Some(Test::Present),
        "regex" => regex(fields.get("regex").unwrap_or(value), text),
        _ => None,
    }
}

fn regex(value: Value<'_>, text: &str) -> Option<Test> {
    if text == "*" {
        value.problem("`*` is no regex", "`{}` for presence, `.*` for any value");
        return None;
    }
    if text.is_empty() {
        value.problem("an empty regex", "RE2 syntax: it must match the whole value");
        return None;
    }
    value
        .pattern(text)
        .map_err(|why| value.problem(format!("this regex cannot be used: {why}"), "RE2 syntax, whole value"))
        .ok()
        .map(Test::Regex)
}

/// `4s`, `100ms`, `1m30s`: milliseconds.
pub(crate) fn duration(value: Value<'_>) -> Option<u32> {
    let text = value.text()?;
    let told = parse_duration(text).filter(|ms| *ms >= 0.0 && *ms <= f64::from(u32::MAX));
    if told.is_none() {
        value.problem(format!("`{text}` is no duration"), "a number and its unit: 250ms, 4s, 1.5s, 1m30s, 1h");
    }
    told.map(|ms| ms as u32)
}

fn parse_duration(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |n| digits + n);
        sum += number
            * match &rest[digits..unit] {
                "ns" => 1e-6,
                "us" | "µs" => 1e-3,
                "ms" => 1.0,
                "s" => 1e3,
                "m" => 6e4,
                "h" => 3.6e6,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(sum)
}

/// A per cent number as a share: 1,000,000 is all.
pub(crate) fn per_cent(value: Value<'_>) -> Option<u32> {
    value.number(0.0, 100.0).map(|number: f64| (number * 10_000.0).round() as u32)
}

/// `{value: 12.5}`; all where it is not written.
pub(crate) fn percentage(value: Option<Value<'_>>) -> Option<u32> {
    let Some(value) = value else { return Some(1_000_000) };
    match value.fields(&["value"], &[])?.get("value") {
        Some(number) => per_cent(number),
        None => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(parse_duration("1m30s"), Some(90_000.0));
        assert_eq!(parse_duration("1.5s"), Some(1_500.0));
        for wrong in ["", "4", "s", "4x", "4 s", "-1s", "1.s.2"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
