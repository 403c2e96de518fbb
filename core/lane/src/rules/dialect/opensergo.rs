//! OpenSergo's TrafficLane (`traffic.opensergo.io/v1alpha1`): only an import, its specification has no routing.

use super::Context;
use super::import::{Import, Lane, Next, Rule};
use super::istio::{Of, string_match};
use crate::model::{Condition, Field, Model, TagRule, TagSource, Test};
use crate::rules::walk::Value;

/// Lowers documents of this dialect.
pub fn lower(documents: &[Value<'_>], _: &Context<'_>) -> Model {
    read(documents).model()
}

/// The same as a native file; `entry` colours where the selector names no application.
pub(super) fn native(documents: &[Value<'_>], _: &Context<'_>, entry: &str) -> (String, Vec<String>) {
    read(documents).native(entry)
}

fn read(documents: &[Value<'_>]) -> Import {
    let mut import = Import { label: "traffic.opensergo.io/label".into(), ..Import::default() };
    for document in documents {
        lane(*document, &mut import);
    }
    import.carried.push(TagRule { when: Condition::ALWAYS, from: TagSource::Field(Field::Tag), line: 0 });
    import
}

fn lane(value: Value<'_>, import: &mut Import) -> Option<()> {
    let fields = value.fields(&["apiVersion", "kind", "metadata", "spec"], &[])?;
    let kind = fields.need("kind")?;
    if kind.text()? != "TrafficLane" {
        kind.unknown("kind that is imported", kind.text()?, &["TrafficLane"]);
        return None;
    }
    let spec = fields.need("spec")?.fields(&["selector", "rules"], &[])?;
    let unused = [("matchLabels", "as selector.app")];
    let app = spec.get("selector").and_then(|s| s.fields(&["app"], &unused)).and_then(|s| s.text("app"));
    let rules = spec.need("rules")?.fields(&["traffic", "workload", "lane", "traceIdBaggage"], &[])?;
    let tag = rules.need("lane")?.fields(&["name"], &[])?.need("name")?.text()?.to_string();
    if let Some(key) = rules.text("traceIdBaggage") {
        let from = TagSource::Field(Field::Header(key.to_ascii_lowercase().into()));
        import.carried.push(TagRule { when: Condition::ALWAYS, from, line: value.line() });
    }
    let services: Vec<String> = app.map(str::to_string).into_iter().collect();
    let line = value.line();
    let mut add = |when: Condition| {
        import.rules.push(Rule { lane: tag.clone(), services: services.clone(), when, share: 10_000, line });
    };
    if let Some(http) = rules.get("traffic").and_then(|t| t.fields(&["http"], &[])).and_then(|t| t.get("http")) {
        let fields = http.fields(&["headers", "uri"], &[])?;
        let mut all = Vec::new();
        for header in fields.list("headers") {
            all.extend(one_header(header));
        }
        if let Some(test) = fields.get("uri").and_then(|u| string_match(u, Of::Uri(false))) {
            all.push(Condition::Is(Field::Path, test));
        }
        add(Condition::All(all));
    }
    if let Some(workload) = rules.get("workload").and_then(|w| w.fields(&["selector"], &[])) {
        let labels = workload.get("selector").map_or_else(Vec::new, Value::entries);
        let test = |(name, v): (&str, Value<'_>)| {
            Some(Condition::Is(Field::CallerLabel(name.into()), Test::Exact(v.text()?.into())))
        };
        add(Condition::All(labels.into_iter().filter_map(test).collect()));
    }
    import.lanes.push(Lane { tag, next: Next::Baseline, services: Vec::new(), line });
    Some(())
}

/// `- X-User-Id: {exact: 12345}`, or as the specification's text has it, with `exact` beside the name.
fn one_header(value: Value<'_>) -> Option<Condition> {
    let entries = value.entries();
    let name = entries.iter().map(|(name, _)| *name).find(|n| !matches!(*n, "exact" | "prefix" | "regex"))?;
    let inner = entries.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)?;
    let beside = entries.iter().find(|(n, _)| matches!(*n, "exact" | "prefix" | "regex"));
    let test = match beside {
        Some(("exact", word)) => Test::Exact(word.text()?.into()),
        Some(("prefix", word)) => Test::Prefix(word.text()?.into()),
        _ => string_match(inner, Of::Keyed)?,
    };
    Some(Condition::Is(Field::Header(name.to_ascii_lowercase().into()), test))
}
