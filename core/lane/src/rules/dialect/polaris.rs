//! Polaris' LaneGroup: entries, destinations, lane rules. Names in camel or snake case.

use super::Context;
use super::import::{Import, Lane, Next, Rule};
use crate::model::{Condition, Field, Model, TagRule, TagSource, Test};
use crate::rules::walk::{Fields, Value};

/// Lowers documents of this dialect. Setting: `polaris.baseLaneMode`, `ONLY_UNTAGGED_INSTANCE` (default) or
/// `EXCLUDE_ENABLED_LANE_INSTANCE`.
pub fn lower(documents: &[Value<'_>], context: &Context<'_>) -> Model {
    read(documents, context).model()
}

/// The same as a native file; `entry` colours where a group names no service.
pub(super) fn native(documents: &[Value<'_>], context: &Context<'_>, entry: &str) -> (String, Vec<String>) {
    read(documents, context).native(entry)
}

const TEXT: &str = "a text for people, or the server's own";

fn read(documents: &[Value<'_>], context: &Context<'_>) -> Import {
    let strangers_serve = context.setting("polaris.baseLaneMode") == Some("EXCLUDE_ENABLED_LANE_INSTANCE");
    let mut import = Import { label: "lane".into(), strangers_serve, ..Import::default() };
    let mut rules: Vec<(u32, Rule)> = Vec::new();
    for document in documents {
        match &document.node().kind {
            crate::rules::tree::Kind::Sequence(_) => {
                document.items().into_iter().for_each(|group| self::group(group, &mut import, &mut rules));
            }
            _ => group(*document, &mut import, &mut rules),
        }
    }
    rules.sort_by_key(|(priority, _)| *priority);
    import.rules = rules.into_iter().map(|(_, rule)| rule).collect();
    import.carried.push(TagRule { when: Condition::ALWAYS, from: TagSource::Field(Field::Tag), line: 0 });
    import
}

/// A field under either of its spellings.
fn either<'a>(fields: Fields<'a>, camel: &str, snake: &str) -> Option<Value<'a>> {
    fields.get(camel).or_else(|| fields.get(snake))
}

fn group(value: Value<'_>, import: &mut Import, rules: &mut Vec<(u32, Rule)>) {
    let unused =
        ["id", "revision", "description", "ctime", "mtime", "metadata", "kind", "apiVersion"].map(|n| (n, TEXT));
    let Some(fields) = value.fields(&["name", "entries", "destinations", "rules"], &unused) else { return };
    let name = fields.need("name").and_then(Value::text).unwrap_or("");
    let entries: Vec<String> = fields.list("entries").into_iter().filter_map(entry).collect();
    let mut services = Vec::new();
    for destination in fields.list("destinations") {
        let told = "lanes are told by the rule's label";
        let unused = [
            ("labels", told),
            ("priority", told),
            ("weight", told),
            ("transfer", told),
            ("isolate", told),
            ("name", TEXT),
        ];
        let Some(fields) = destination.fields(&["service", "namespace"], &unused) else { continue };
        services.extend(fields.need("service").and_then(Value::text).filter(|s| *s != "*").map(str::to_string));
    }
    for rule in fields.list("rules") {
        if let Some((priority, made)) = lane_rule(rule, (name, &entries, &services), import) {
            rules.push((priority, made));
        }
    }
}

/// The service that an entry names; a gateway is one, too.
fn entry(value: Value<'_>) -> Option<String> {
    let fields = value.fields(&["type", "selector"], &[])?;
    let kind = fields.need("type")?;
    let known = ["polarismesh.cn/service", "polarismesh.cn/gateway/spring-cloud-gateway"];
    if !known.contains(&kind.text()?) {
        kind.unknown("kind of entry", kind.text()?, &known);
    }
    let told = "entries are told by the service";
    let unused = [("@type", told), ("labels", told), ("uri", told), ("arguments", told)];
    let selector = fields.need("selector")?.fields(&["service", "namespace"], &unused)?;
    selector.text("service").filter(|s| *s != "*").map(str::to_string)
}

fn lane_rule(value: Value<'_>, group: (&str, &[String], &[String]), import: &mut Import) -> Option<(u32, Rule)> {
    let known = [
        "name",
        "enable",
        "matchMode",
        "match_mode",
        "defaultLabelValue",
        "default_label_value",
        "labelKey",
        "label_key",
        "trafficMatchRule",
        "traffic_match_rule",
        "trafficGray",
        "traffic_gray",
        "priority",
    ];
    let unused =
        ["id", "groupName", "group_name", "revision", "description", "ctime", "mtime", "etime"].map(|n| (n, TEXT));
    let fields = value.fields(&known, &unused)?;
    let name = fields.need("name")?.text()?;
    if !fields.boolean("enable", false) {
        value.note("`enable` is not true: this rule is not in force");
        return None;
    }
    let Some(label) = either(fields, "defaultLabelValue", "default_label_value") else {
        fields.need("defaultLabelValue");
        return None;
    };
    let tag = label.text()?.to_string();
    let words = [("STRICT", Next::Fail), ("PERMISSIVE", Next::Baseline), ("0", Next::Fail), ("1", Next::Baseline)];
    let mode = either(fields, "matchMode", "match_mode").and_then(|m| Some((m, m.text()?)));
    let next = match mode {
        None => Next::Fail,
        Some((at, text)) => match words.iter().find(|(word, _)| *word == text) {
            Some((_, next)) => next.clone(),
            None => {
                at.unknown("match mode", text, &["STRICT", "PERMISSIVE"]);
                return None;
            }
        },
    };
    if let Some(key) = either(fields, "labelKey", "label_key") {
        let text = key.text()?;
        if !import.lanes.is_empty() && import.label != text {
            key.problem(
                "another label than the rules before",
                format!("`{}`: one label tells all lanes", import.label),
            );
        }
        import.label = text.into();
    }
    // On the wire a lane is `group/rule`.
    let carried =
        Condition::Is(Field::Header("service-lane".into()), Test::Exact(format!("{}/{name}", group.0).into()));
    let fixed = |when| TagRule { when, from: TagSource::Fixed(tag.as_str().into()), line: value.line() };
    import.carried.push(fixed(carried));
    import.lanes.push(Lane { tag: tag.clone(), next, services: group.2.to_vec(), line: value.line() });
    let priority = fields.get("priority").and_then(|p| p.number(0, u32::MAX)).unwrap_or(0);
    let when = either(fields, "trafficMatchRule", "traffic_match_rule").map_or(Condition::ALWAYS, matches);
    let share = either(fields, "trafficGray", "traffic_gray").map_or(Some(10_000), gray)?;
    Some((priority, Rule { lane: tag, services: group.1.to_vec(), when, share, line: value.line() }))
}

fn matches(value: Value<'_>) -> Condition {
    let Some(fields) = value.fields(&["arguments", "matchMode", "match_mode"], &[]) else { return Condition::ALWAYS };
    let words = [("AND", false), ("OR", true), ("0", false), ("1", true)];
    let any = either(fields, "matchMode", "match_mode").and_then(|m| m.word("match mode", &words)).unwrap_or(false);
    let parts: Vec<Condition> = fields.list("arguments").into_iter().filter_map(argument).collect();
    if any && !parts.is_empty() { Condition::Any(parts) } else { Condition::All(parts) }
}

fn argument(value: Value<'_>) -> Option<Condition> {
    let fields = value.fields(&["type", "key", "value"], &[])?;
    let key = fields.text("key").unwrap_or("").trim_start_matches("$header.").trim_start_matches("$query.");
    let kind = fields.need("type")?;
    let field = match kind.text()? {
        "HEADER" => Field::Header(key.to_ascii_lowercase().into()),
        "QUERY" => Field::Query(key.into()),
        "COOKIE" => Field::Cookie(key.into()),
        "PATH" => Field::Path,
        "METHOD" => Field::Method,
        "CALLER_IP" => Field::CallerHost,
        "CUSTOM" => Field::Attachment(key.into()),
        other => {
            kind.unknown(
                "kind of argument",
                other,
                &["HEADER", "QUERY", "COOKIE", "PATH", "METHOD", "CALLER_IP", "CUSTOM"],
            );
            return None;
        }
    };
    Some(Condition::Is(field, match_string(fields.need("value")?)?))
}

/// `{type, value, valueType}`, the value plain or wrapped as `{value: …}`.
fn match_string(value: Value<'_>) -> Option<Test> {
    let fields = value.fields(&["type", "value", "valueType", "value_type"], &[])?;
    if let Some(kind) = either(fields, "valueType", "value_type").filter(|k| k.text() != Some("TEXT")) {
        kind.problem("values are texts here: variables of the client are not known", "TEXT");
    }
    let inner = fields.need("value")?;
    let text = if inner.is_text() { inner.text()? } else { inner.fields(&["value"], &[])?.need("value")?.text()? };
    let list = || text.split(',').map(str::trim);
    let kind = fields.text("type").unwrap_or("EXACT");
    match kind {
        "EXACT" => Some(Test::Exact(text.into())),
        "NOT_EQUALS" => Some(Test::Not(Box::new(Test::Exact(text.into())))),
        "IN" => Some(Test::one_of(list())),
        "NOT_IN" => Some(Test::Not(Box::new(Test::one_of(list())))),
        "REGEX" => inner
            .pattern(text)
            .map_err(|why| inner.problem(format!("this regex cannot be used: {why}"), "RE2 syntax"))
            .ok()
            .map(Test::Regex),
        "RANGE" => {
            let bounds = text.split_once('~').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
            if bounds.is_none() {
                inner.problem(format!("`{text}` is no range"), "100~200");
            }
            bounds.map(|(from, to)| Test::Range(from, to))
        }
        other => {
            let known = ["EXACT", "REGEX", "NOT_EQUALS", "IN", "NOT_IN", "RANGE"];
            fields.get("type").unwrap_or(value).unknown("kind of match", other, &known);
            None
        }
    }
}

/// The share that is coloured. A warm-up has no end that a text could tell: it is taken as finished.
fn gray(value: Value<'_>) -> Option<u16> {
    let fields = value.fields(&["mode", "percentage", "warmup"], &[])?;
    if let Some(warmup) = fields.get("warmup").filter(|_| fields.text("mode") == Some("WARMUP")) {
        warmup.note("when the warm-up began is not in this text: it counts as finished");
        return Some(10_000);
    }
    let Some(percentage) = fields.get("percentage") else { return Some(10_000) };
    percentage.fields(&["percent"], &[])?.get("percent").map_or(Some(0), |p| p.number(0, 100u16).map(|n| n * 100))
}
