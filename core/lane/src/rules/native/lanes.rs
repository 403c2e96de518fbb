//! `lanes:`, `groups:`, and where fallbacks lead.

use super::{Names, values};
use crate::rules::problem::did_you_mean;
use crate::rules::walk::{Fields, Value};
use crate::rules::{Address, BaselineMissing, Group, Lane, Target};

/// All tags, for references from anywhere in the file.
pub(super) fn tags(fields: Fields) -> Vec<String> {
    let lanes = fields.get("lanes").map(Value::quiet_items).unwrap_or_default();
    lanes.into_iter().filter_map(|l| l.quiet_field("tag")?.node().scalar().map(str::to_string)).collect()
}

pub(super) fn groups(fields: Fields) -> Vec<Group> {
    let group = |value: Value| {
        let fields = value.fields(&["name", "services"], &[])?;
        let services: Vec<String> =
            fields.list("services").into_iter().filter_map(|s| s.text().map(str::to_string)).collect();
        if services.is_empty() {
            value.problem("the group has no services", "services: [the names of those that have its lanes]");
        }
        Some(Group { name: fields.need("name")?.text()?.to_string(), services })
    };
    let groups = fields.list("groups").into_iter().filter_map(group).collect();
    super::unique(fields.list("groups").into_iter().filter_map(|g| super::field_of(g, "name")));
    groups
}

pub(super) fn lanes(fields: Fields, names: &Names) -> Vec<Lane> {
    let items = fields.list("lanes");
    let lanes: Vec<(Lane, Option<Value>)> = items.iter().filter_map(|l| lane(*l, names)).collect();
    super::unique(items.iter().filter_map(|l| super::field_of(*l, "tag")));
    circles(&lanes);
    lanes.into_iter().map(|(lane, _)| lane).collect()
}

fn lane<'a>(value: Value<'a>, names: &Names) -> Option<(Lane, Option<Value<'a>>)> {
    let fields = value.fields(&["tag", "fallback", "group"], &[])?;
    let tag_value = fields.need("tag");
    let written = fields.get("fallback");
    let fallback = written.and_then(|f| target(f, names)).unwrap_or(Target::Baseline);
    let group = fields.get("group").and_then(|g| {
        let text = g.text()?;
        if !names.groups.iter().any(|known| known == text) {
            let known: Vec<&str> = names.groups.iter().map(String::as_str).collect();
            g.unknown("group", text, &known);
        }
        Some(text.to_string())
    });
    let tag_value = tag_value?;
    let tag = values::tag(tag_value)?;
    if matches!(tag.as_str(), "baseline" | "none" | "all" | "reject") {
        tag_value.problem(format!("`{tag}` is a reserved word"), "another tag");
    }
    Some((Lane { tag, fallback, group, line: tag_value.line() }, written))
}

/// A circle of lane fallbacks; told once, at its first lane in file order.
fn circles(lanes: &[(Lane, Option<Value>)]) {
    let next = |at: usize| match &lanes[at].0.fallback {
        Target::Tag(tag) => lanes.iter().position(|(l, _)| l.tag == *tag),
        _ => None,
    };
    let mut told = vec![false; lanes.len()];
    for start in 0..lanes.len() {
        let mut way = vec![start];
        while let Some(at) = next(way[way.len() - 1]) {
            if at == start && !told[start] {
                way.iter().for_each(|&w| told[w] = true);
                let names: Vec<&str> = way.iter().chain([&start]).map(|&w| lanes[w].0.tag.as_str()).collect();
                if let Some(fallback) = lanes[start].1 {
                    let message = format!("the fallbacks run in a circle: {}", names.join(" -> "));
                    fallback.problem(message, "a way that ends");
                }
            }
            if way.contains(&at) {
                break;
            }
            way.push(at);
        }
    }
}

/// Where a fallback leads: a word, a tag, or a list that is walked in its order.
pub(super) fn target(value: Value, names: &Names) -> Option<Target> {
    if !value.is_text() {
        let steps: Vec<Target> = value.items().into_iter().filter_map(|v| step(v, names)).collect();
        if steps.is_empty() && value.quiet_items().is_empty() {
            value.problem("the chain is empty", "[a tag, another tag, baseline]");
        }
        return Some(Target::Chain(steps));
    }
    step(value, names)
}

fn step(value: Value, names: &Names) -> Option<Target> {
    Some(match value.text()? {
        "baseline" => Target::Baseline,
        "none" | "reject" => Target::None,
        "all" => Target::All,
        tag => {
            known_lane(value, names);
            Target::Tag(tag.to_string())
        }
    })
}

/// The value must be a tag of `lanes`.
pub(super) fn known_lane(value: Value, names: &Names) -> Option<String> {
    let text = value.text()?;
    if !names.lanes.iter().any(|l| l == text) {
        let hint = did_you_mean(text, names.lanes.iter().map(String::as_str));
        let hint = hint.map_or(String::new(), |h| format!("; did you mean `{h}`?"));
        let expected = format!("a tag from `lanes` ({}){hint}", names.lanes.join(", "));
        value.problem(format!("no lane is called `{text}`"), expected);
    }
    Some(text.to_string())
}

pub(super) fn instance(value: Value, names: &Names) -> Option<Address> {
    let fields = value.fields(&["address", "tag"], &[])?;
    let tag = fields.get("tag").and_then(|t| known_lane(t, names));
    Some(Address { address: values::address(fields.need("address")?)?, tag })
}

pub(super) fn baseline_missing(value: Value) -> Option<BaselineMissing> {
    match value.text()? {
        "reject" => Some(BaselineMissing::Reject),
        "all" => Some(BaselineMissing::All),
        other => {
            value.problem(format!("`{other}` is not known"), "reject or all");
            None
        }
    }
}
