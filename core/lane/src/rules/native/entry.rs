//! `entry:`: which requests a service colours. The first rule that holds wins, in file order; blue-green steps stand
//! before the rules.

use super::lanes::known_lane;
use super::values::{header_name, hundredths, shown};
use super::{Names, Value};
use crate::model::{Condition, Field, Test};
use crate::rules::tree::{Kind, Node};
use crate::rules::walk::Fields;
use crate::rules::{Entry, EntryRule, Share, Warmup};

pub(super) fn entry(value: Value, names: &mut Names) -> Option<Entry> {
    let fields = value.fields(&["service", "rules", "blue_green"], &[])?;
    let service = fields.need("service");
    let mut rules = fields.get("blue_green").map(|b| blue_green(b, names)).unwrap_or_default();
    if rules.is_empty() && fields.get("rules").is_none_or(|r| r.quiet_items().is_empty() && !r.is_text()) {
        let missing = fields.get("rules").is_none();
        if missing {
            fields.need("rules");
        } else if let Some(service) = service {
            service.problem("the entry has no rule", "`rules:` with at least one rule");
        }
    }
    let items = fields.list("rules");
    let written: Vec<(EntryRule, Value)> = items.iter().filter_map(|r| Some((rule(*r, names)?, *r))).collect();
    overlaps(&written);
    rules.extend(written.into_iter().map(|(rule, _)| rule));
    Some(Entry { service: service?.text()?.to_string(), rules })
}

fn rule(value: Value, names: &Names) -> Option<EntryRule> {
    let known = ["when", "lane", "percent", "from", "key", "salt", "random", "warmup"];
    let fields = value.fields(&known, &[])?;
    let lane_value = fields.need("lane")?;
    let lane = lane(lane_value, names);
    let condition = fields.get("when").map(when);
    let share = share(fields, lane_value, condition.as_ref().is_some_and(|c| *c != Condition::ALWAYS));
    let line = lane_value.line();
    Some(EntryRule { lane: lane?, when: condition.unwrap_or(Condition::ALWAYS), share, line })
}

/// A lane's tag, or `baseline`: no tag, and no later rule is asked.
fn lane(value: Value, names: &Names) -> Option<Option<String>> {
    if value.text()? == "baseline" {
        return Some(None);
    }
    known_lane(value, names).map(Some)
}

/// `percent` with `key`, or with `random: true`.
fn share(fields: Fields, lane: Value, has_when: bool) -> Option<Share> {
    let random = fields.boolean("random", false);
    let key = fields.get("key").map(key);
    let Some(percent) = fields.get("percent") else {
        let orphan = ["from", "key", "salt", "random", "warmup"].into_iter().find(|f| fields.get(f).is_some());
        match orphan {
            Some(name) => lane.problem(format!("`{name}` needs `percent`"), "`percent` with `key`"),
            None if !has_when => {
                lane.problem("the rule colours by nothing", "`when: {header: …}`, or `percent` with `key`");
            }
            None => {}
        }
        return None;
    };
    let from = fields.get("from").and_then(hundredths).unwrap_or(0);
    let width = hundredths(percent).unwrap_or(0);
    if from + width > 10_000 {
        percent.problem(format!("from + percent is {}", shown(from + width)), "at most 100");
    }
    let key = match (key, random) {
        (Some(_), true) => {
            percent.problem("`random` and `key` exclude each other", "`key` for a stable share, or `random: true`");
            None
        }
        (None, false) => {
            fields.value().problem_below("key", "`percent` needs a key", "key: {header: x-user-id}, or random: true");
            None
        }
        (key, _) => key.flatten(),
    };
    if random && fields.get("from").is_some() {
        percent.problem("`from` has no meaning by chance", "`percent` alone");
    }
    let salt = fields.text("salt").unwrap_or("").to_string();
    let warmup = fields.get("warmup").and_then(warmup);
    Some(Share { from, to: (from + width).min(10_000), key, salt, from_written: fields.get("from").is_some(), warmup })
}

fn warmup(value: Value) -> Option<Warmup> {
    let fields = value.fields(&["start", "seconds", "curve"], &[])?;
    let start = fields.need("start")?.number(0u64, u64::from(u32::MAX) * 16)?;
    let seconds = fields.need("seconds")?.number(1u32, 366 * 86_400)?;
    let curve = fields.get("curve").map_or(Some(1.0), |c| c.number(0.1f64, 10.0))?;
    Some(Warmup { start, seconds, curve })
}

/// `{header: x-user-id}`: one source of the key.
fn key(value: Value) -> Option<Field> {
    let fields = value.fields(&["header", "cookie", "query", "argument", "attachment"], &[])?;
    let mut found = None;
    for kind in ["header", "cookie", "query", "argument", "attachment"] {
        let Some(name) = fields.get(kind) else { continue };
        if found.is_some() {
            name.problem("two keys", "one");
        }
        found = match kind {
            "argument" => name.number(0u16, 255).map(Field::Argument),
            _ => name.text().and_then(|text| named(kind, text, name)),
        };
    }
    if found.is_none() && value.entries().is_empty() {
        value.problem("the key names nothing", "{header: x-user-id}");
    }
    found
}

fn named(kind: &str, name: &str, place: Value) -> Option<Field> {
    Some(match kind {
        "header" => Field::Header(header_name(name, place).into()),
        "cookie" => Field::Cookie(name.into()),
        "query" => Field::Query(name.into()),
        "attachment" => Field::Attachment(name.into()),
        _ => {
            let position = name.parse::<u16>().ok().filter(|n| *n <= 255);
            if position.is_none() {
                place.problem(format!("`{name}` is no position of an argument"), "0 to 255");
            }
            Field::Argument(position?)
        }
    })
}

/// A condition that chooses some: one that asks for nothing would open to everybody what is meant for a few.
pub(super) fn some(value: Value) -> Condition {
    let empty = |part: &Node| part.is_null() || matches!(&part.kind, Kind::Mapping(names) if names.is_empty());
    if matches!(&value.node().kind, Kind::Mapping(parts) if parts.iter().all(|(_, part)| empty(part))) {
        value.problem(
            "the condition asks for nothing: it would hold for everybody",
            "header: {x-user-id: ann}, or another",
        );
    }
    when(value)
}

/// `when:`, all of whose parts hold together.
pub(super) fn when(value: Value) -> Condition {
    let known = ["header", "cookie", "query", "argument", "attachment", "path", "method", "http_method", "caller"];
    let Some(fields) = value.fields(&known, &[]) else { return Condition::ALWAYS };
    let mut parts = Vec::new();
    for kind in ["header", "cookie", "query", "argument", "attachment"] {
        for (name, wanted) in fields.get(kind).map(Value::entries).unwrap_or_default() {
            if let (Some(field), Some(test)) = (named(kind, name, wanted), test(wanted)) {
                parts.push(Condition::Is(field, test));
            }
        }
    }
    let plain = [
        ("path", Field::Path),
        ("method", Field::Method),
        ("http_method", Field::HttpMethod),
        ("caller", Field::CallerOfRequest),
    ];
    for (name, field) in plain {
        if let Some(test) = fields.get(name).and_then(test) {
            parts.push(Condition::Is(field, test));
        }
    }
    Condition::All(parts)
}

/// A value's test: the text itself, or `{prefix: …}` and the like.
fn test(value: Value) -> Option<Test> {
    if value.is_text() {
        return Some(Test::Exact(value.text()?.into()));
    }
    let known = ["exact", "prefix", "suffix", "contains", "regex", "in", "range", "present", "not"];
    let fields = value.fields(&known, &[])?;
    let mut tests = Vec::new();
    for (name, part) in value.entries() {
        tests.push(match name {
            "exact" => part.text().map(|t| Test::Exact(t.into())),
            "prefix" => part.text().map(|t| Test::Prefix(t.into())),
            "suffix" => part.text().map(|t| Test::Suffix(t.into())),
            "contains" => part.text().map(|t| Test::Contains(t.into())),
            "regex" => part.regex().map(Test::Regex),
            "in" => Some(Test::one_of(part.items().into_iter().filter_map(Value::text))),
            "range" => range(part),
            "present" => part.boolean().map(|there| if there { Test::Present } else { Test::Absent }),
            "not" => test(part).map(|t| Test::Not(Box::new(t))),
            _ => None,
        });
    }
    if tests.len() != 1 {
        fields
            .value()
            .problem(format!("{} tests of one value", tests.len()), "one of exact, prefix, suffix, in, range …");
        return None;
    }
    tests.pop().flatten()
}

/// `1000-1999`, both ends included; an end may be left out.
fn range(value: Value) -> Option<Test> {
    let text = value.text()?;
    let end = |t: &str, open: f64| if t.trim().is_empty() { Some(open) } else { t.trim().parse::<f64>().ok() };
    let parsed = text.split_once('-').and_then(|(from, to)| {
        let (from, to) = (end(from, f64::NEG_INFINITY)?, end(to, f64::INFINITY)?);
        (from <= to && (from.is_finite() || to.is_finite())).then_some(Test::Range(from, to))
    });
    if parsed.is_none() {
        value.problem(format!("`{text}` is no range"), "1000-1999, or 1000- without an end");
    }
    parsed
}

/// The four steps of a blue-green release, walked by changing one word:
/// `try` (testers meet the new lane), `move` (everybody does), `renew` (testers meet the renewed baseline),
/// `return` (everybody does).
fn blue_green(value: Value, names: &Names) -> Vec<EntryRule> {
    let Some(fields) = value.fields(&["lane", "step", "testers"], &[]) else { return Vec::new() };
    let (Some(lane_value), Some(step), Some(testers)) =
        (fields.need("lane"), fields.need("step"), fields.need("testers"))
    else {
        return Vec::new();
    };
    let (lane, testers, line) = (known_lane(lane_value, names), some(testers), step.line());
    let rule = |lane: &Option<String>, when: Condition| EntryRule { lane: lane.clone(), when, share: None, line };
    let steps = [("try", 0u8), ("move", 1), ("renew", 2), ("return", 3)];
    match step.word("step", &steps) {
        Some(0) => vec![rule(&lane, testers)],
        Some(1) => vec![rule(&lane, Condition::ALWAYS)],
        Some(2) => vec![rule(&None, testers), rule(&lane, Condition::ALWAYS)],
        Some(_) => vec![rule(&None, Condition::ALWAYS)],
        None => Vec::new(),
    }
}

/// Shares of one key and salt: each says where it begins, and none meets another (design §6.7).
fn overlaps(rules: &[(EntryRule, Value)]) {
    let shares: Vec<(&Share, u32, Value)> = rules
        .iter()
        .filter_map(|(rule, value)| Some((rule.share.as_ref()?, rule.line, value.quiet_field("percent")?)))
        .filter(|(share, ..)| share.key.is_some())
        .collect();
    for (i, (share, _, percent)) in shares.iter().enumerate() {
        let mut same = shares.iter().enumerate().filter(|(_, (s, ..))| s.key == share.key && s.salt == share.salt);
        if let Some((_, (_, line, _))) = same.clone().find(|(j, _)| *j != i)
            && !share.from_written
        {
            let message = format!("another rule, line {line}, has the same key and salt, and `from` is not written");
            percent.problem(message, "`from` in both, or another salt");
        } else if let Some((_, (s, line, _))) =
            same.find(|(j, (s, ..))| *j < i && s.from.max(share.from) < s.to.min(share.to))
        {
            let (a, b) = (shown(s.from.max(share.from)), shown(s.to.min(share.to)));
            percent.problem(format!("overlaps the rule in line {line} from {a} to {b} %"), "shares that do not meet");
        }
    }
}
