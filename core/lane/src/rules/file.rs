//! The rule file's YAML, field by field, each value with its place. No meaning yet: that is `check`'s work.

use super::{MAX_FILE, Problem};
use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(rename = "apiVersion")]
    pub api_version: Option<Spanned<String>>,
    pub mode: Option<Spanned<String>>,
    #[serde(default)]
    pub hooks: std::collections::BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub lanes: Vec<RawLane>,
    #[serde(default)]
    pub services: Vec<RawService>,
    #[serde(default)]
    pub entry: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLane {
    pub tag: Spanned<String>,
    pub fallback: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    pub name: Spanned<String>,
    pub mode: Option<Spanned<String>>,
    #[serde(default)]
    pub authorities: Vec<Spanned<String>>,
    #[serde(default)]
    pub instances: Vec<RawInstance>,
    #[serde(default)]
    pub fallback: RawFallback,
    pub baseline_missing: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInstance {
    pub address: Spanned<String>,
    pub tag: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFallback {
    pub noinstances: Option<Spanned<String>>,
    pub noavailabled: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntry {
    pub service: Spanned<String>,
    pub rules: Vec<Spanned<RawEntryRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntryRule {
    pub when: Option<RawWhen>,
    pub lane: Spanned<String>,
    pub percent: Option<Spanned<String>>,
    pub from: Option<Spanned<String>>,
    pub key: Option<RawKey>,
    pub salt: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWhen {
    #[serde(default)]
    pub header: std::collections::BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKey {
    pub header: Spanned<String>,
}

/// The 1-based place of a value.
pub(super) fn place<T>(value: &Spanned<T>) -> (u32, u32) {
    (value.referenced.line() as u32, value.referenced.column() as u32)
}

// The one error ends the reading: its size does not matter.
#[allow(clippy::result_large_err)]
pub(super) fn parse(name: &str, text: &str) -> Result<RawFile, Problem> {
    let refuse = |message: &str, expected: &str| {
        Err(Problem::at(name, text, (1, 1), "", message.to_string(), expected.to_string()))
    };
    if text.len() > MAX_FILE {
        return refuse(&format!("the file has {} bytes", text.len()), &format!("at most {MAX_FILE}"));
    }
    // An empty file is a half-written one: it must not switch every lane off.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return refuse("the file is empty", "`apiVersion: trilane/v1` and `lanes:`");
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 400_000, max_depth: 32, max_aliases: 1_000, max_anchors: 100 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map_or((1, 1), |l| (l.line() as u32, l.column() as u32));
        let message = error.without_snippet().to_string();
        // The library's own text repeats the place; ours stands in front already.
        let message = message.split(" at line ").next().unwrap_or(&message).to_string();
        let (message, expected) = plain(message);
        Problem::at(name, text, at, &field_at(text, at), message, expected)
    })
}

/// The reader's words for a value of the wrong type, in ours.
fn plain(message: String) -> (String, String) {
    let expected = match message.as_str() {
        "expected sequence start" => "a list: `[…]`, or lines that start with `- `",
        "expected mapping start" => "fields: `{name: value}`, or lines of their own",
        "expected string scalar" => "one word or text, no list and no fields",
        _ => return (message.clone(), suggestion(&message)),
    };
    ("a value of the wrong type".into(), expected.into())
}

/// The key that the value at this place belongs to; empty where the text is too broken to say.
fn field_at(text: &str, (line, column): (u32, u32)) -> String {
    let above: Vec<&str> = text.lines().take(line as usize).collect();
    let Some(here) = above.last() else { return String::new() };
    let before: String = here.chars().take((column as usize).saturating_sub(1)).collect();
    if let Some(key) = key_at_end(&before) {
        return key.into();
    }
    let indent = |l: &str| l.len() - l.trim_start().len();
    let parent = above.iter().rev().skip(1).find(|l| !l.trim().is_empty() && indent(l) < indent(here));
    parent.and_then(|l| key_at_end(l)).unwrap_or("").into()
}

fn key_at_end(text: &str) -> Option<&str> {
    let text = text.trim_end().strip_suffix(':')?;
    text.rsplit([' ', '{', ',', '[']).next().map(|key| key.trim_matches(['"', '\'']))
}

/// "unknown field `fallbak`, expected one of `a`, `b`" → "did you mean `fallback`?"
fn suggestion(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field") else { return String::new() };
    let mut words = rest.split('`').skip(1).step_by(2);
    let Some(word) = words.next() else { return String::new() };
    super::problem::did_you_mean(word, words).map_or(String::new(), |w| format!("did you mean `{w}`?"))
}
