//! joylive-agent's `lanes.json`: lane spaces with lanes, fallbacks and entry rules.

use super::Context;
use super::import::{Import, Lane, Next, Rule};
use crate::model::{Condition, Field, Model, TagRule, TagSource, Test};
use crate::rules::walk::{Fields, Value};

/// The header, attachment and instance label that holds the lane.
const LANE: &str = "x-lane-code";

/// Lowers documents of this dialect. Setting: `joylive.space`, the id of the lane space; else the default one.
pub fn lower(documents: &[Value<'_>], context: &Context<'_>) -> Model {
    read(documents, context).model()
}

/// The same as a native file; `entry` is the service that colours.
pub(super) fn native(documents: &[Value<'_>], context: &Context<'_>, entry: &str) -> (String, Vec<String>) {
    read(documents, context).native(entry)
}

fn read(documents: &[Value<'_>], context: &Context<'_>) -> Import {
    let carried = |from| TagRule { when: Condition::ALWAYS, from: TagSource::Field(from), line: 0 };
    let mut import = Import {
        label: LANE.into(),
        carried: vec![
            carried(Field::Header(LANE.into())),
            carried(Field::Attachment(LANE.into())),
            carried(Field::Tag),
        ],
        ..Import::default()
    };
    let mut spaces = Vec::new();
    for document in documents {
        match &document.node().kind {
            crate::rules::tree::Kind::Sequence(_) => spaces.extend(document.items()),
            _ => spaces.push(*document),
        }
    }
    let unused = [("name", "a text for people"), ("version", "rules are read whole"), ("topics", "messages")];
    let known = ["id", "defaultSpace", "lanes", "rules", "domains"];
    let spaces: Vec<Fields<'_>> = spaces.into_iter().filter_map(|s| s.fields(&known, &unused)).collect();
    let wanted = context.setting("joylive.space");
    let chosen = match wanted {
        Some(id) => spaces.iter().find(|s| s.text("id") == Some(id)),
        None => spaces.iter().find(|s| s.boolean("defaultSpace", false)).or(spaces.first()),
    };
    let Some(space) = chosen else {
        if let (Some(document), Some(id)) = (documents.first(), wanted) {
            document.problem(format!("there is no lane space `{id}`"), "the id of one of them");
        }
        return import;
    };
    for other in spaces.iter().filter(|s| s.value().line() != space.value().line()) {
        other.value().note("one lane space is in force at a time: this one changes nothing (setting joylive.space)");
    }
    lanes(*space, &mut import);
    rules(*space, &mut import);
    import
}

fn lanes(space: Fields<'_>, import: &mut Import) {
    let list = space.need("lanes").map_or_else(Vec::new, Value::items);
    let unused = [("name", "a text for people"), ("locations", "lanes are told by labels")];
    let known = ["code", "defaultLane", "fallbackType", "fallbackLane"];
    let lanes: Vec<Fields<'_>> = list.into_iter().filter_map(|l| l.fields(&known, &unused)).collect();
    let codes: Vec<&str> = lanes.iter().filter_map(|l| l.text("code")).collect();
    for lane in lanes {
        let Some(code) = lane.need("code").and_then(Value::text) else { continue };
        if lane.boolean("defaultLane", false) {
            import.baseline = code.into();
        }
        let words = [("DEFAULT", 0), ("REJECT", 1), ("CUSTOM", 2)];
        let next = match lane.get("fallbackType").and_then(|t| t.word("fallback type", &words)).unwrap_or(0) {
            0 => Next::Baseline,
            1 => Next::Fail,
            _ => match lane.need("fallbackLane").and_then(|to| Some((to, to.text()?))) {
                Some((to, text)) => {
                    if !codes.contains(&text) {
                        to.unknown("lane of this space", text, &codes);
                    }
                    Next::Lane(text.into())
                }
                None => Next::Fail,
            },
        };
        import.lanes.push(Lane { tag: code.into(), next, services: Vec::new(), line: lane.value().line() });
    }
}

fn rules(space: Fields<'_>, import: &mut Import) {
    let codes: Vec<&str> = import.lanes.iter().map(|l| l.tag.as_str()).collect();
    let mut made: Vec<(i64, String, Rule)> = Vec::new();
    let known = ["id", "laneCode", "host", "ratio", "relationType", "order", "conditions"];
    for value in space.list("rules") {
        let Some(rule) = value.fields(&known, &[("name", "a text for people")]) else { continue };
        let Some(code) = rule.need("laneCode") else { continue };
        let Some(lane) = code.text() else { continue };
        if !codes.contains(&lane) {
            code.unknown("lane of this space", lane, &codes);
        }
        let order = rule.get("order").and_then(|o| o.number(i64::MIN, i64::MAX)).unwrap_or(0);
        let any = rule.get("relationType").and_then(|r| r.word("relation", &[("AND", false), ("OR", true)]));
        let parts: Vec<Condition> = rule.list("conditions").into_iter().filter_map(condition).collect();
        let mut all =
            vec![if any == Some(true) && !parts.is_empty() { Condition::Any(parts) } else { Condition::All(parts) }];
        all.extend(
            rule.text("host")
                .filter(|h| !h.is_empty())
                .map(|h| Condition::Is(Field::Host, Test::ExactNoCase(h.into()))),
        );
        let share =
            rule.get("ratio").map_or(Some(10_000), |r| r.number(0.0, 100.0).map(|n: f64| (n * 100.0).round() as u16));
        let rule_made = Rule {
            lane: lane.into(),
            services: Vec::new(),
            when: Condition::All(all),
            share: share.unwrap_or(0),
            line: value.line(),
        };
        made.push((order, rule.text("id").unwrap_or("").into(), rule_made));
    }
    let mut by_path = domains(space, &made);
    made.sort_by_key(|(order, _, _)| *order);
    by_path.extend(made.into_iter().map(|(_, _, rule)| rule));
    import.rules = by_path;
}

/// `domains[].paths[].ruleId`: a rule for one host and path; those are asked before the rules themselves.
fn domains(space: Fields<'_>, rules: &[(i64, String, Rule)]) -> Vec<Rule> {
    let mut made = Vec::new();
    for domain in space.list("domains") {
        let Some(domain) = domain.fields(&["host", "paths"], &[]) else { continue };
        let Some(host) = domain.need("host").and_then(Value::text) else { continue };
        for path in domain.list("paths") {
            let Some(fields) = path.fields(&["path", "ruleId"], &[]) else { continue };
            let Some(id) = fields.need("ruleId") else { continue };
            let found = rules.iter().find(|(_, known, _)| Some(known.as_str()) == id.text());
            let Some((_, _, rule)) = found else {
                let known: Vec<&str> = rules.iter().map(|(_, id, _)| id.as_str()).collect();
                id.unknown("rule of this space", id.text().unwrap_or(""), &known);
                continue;
            };
            let place = [
                Condition::Is(Field::Host, Test::ExactNoCase(host.into())),
                Condition::Is(Field::Path, Test::Prefix(fields.text("path").unwrap_or("/").into())),
                rule.when.clone(),
            ];
            let (lane, share) = (rule.lane.clone(), rule.share);
            made.push(Rule {
                lane,
                services: Vec::new(),
                when: Condition::All(place.to_vec()),
                share,
                line: path.line(),
            });
        }
    }
    made
}

fn condition(value: Value<'_>) -> Option<Condition> {
    let fields = value.fields(&["type", "opType", "key", "values"], &[])?;
    let key = fields.text("key").unwrap_or("");
    let kind = fields.need("type")?;
    let field = match kind.text()?.to_ascii_lowercase().as_str() {
        "header" => Field::Header(key.to_ascii_lowercase().into()),
        "query" => Field::Query(key.into()),
        "cookie" => Field::Cookie(key.into()),
        "attachment" => Field::Attachment(key.into()),
        "method" => Field::HttpMethod,
        "path" => Field::Path,
        "host" => Field::Host,
        "ip" => Field::CallerHost,
        other => {
            kind.unknown(
                "condition",
                other,
                &["header", "query", "cookie", "attachment", "method", "path", "host", "ip"],
            );
            return None;
        }
    };
    let values: Vec<&str> = fields.list("values").into_iter().filter_map(Value::text).collect();
    let first = values.first().copied().unwrap_or("");
    let negated = |test: Test| Test::Not(Box::new(test));
    let test = match fields.need("opType")?.text()? {
        "EQUAL" => Test::Exact(first.into()),
        "NOT_EQUAL" => negated(Test::Exact(first.into())),
        "IN" => Test::one_of(values),
        "NOT_IN" => negated(Test::one_of(values)),
        "PREFIX" => Test::Prefix(first.into()),
        "REGULAR" => match value.pattern(first) {
            Ok(regex) => Test::Regex(regex),
            Err(why) => {
                fields
                    .get("values")
                    .unwrap_or(value)
                    .problem(format!("this regex cannot be used: {why}"), "RE2 syntax");
                return None;
            }
        },
        other => {
            let known = ["EQUAL", "NOT_EQUAL", "IN", "NOT_IN", "PREFIX", "REGULAR"];
            fields.get("opType").unwrap_or(value).unknown("operation", other, &known);
            return None;
        }
    };
    Some(Condition::Is(field, test))
}
