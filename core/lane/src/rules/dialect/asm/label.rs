//! TrafficLabel: where a request's label comes from, at three levels.

use crate::model::{Condition, Field, TagRule, TagSource, Test};
use crate::rules::dialect::istio::{ASM_TAG_LABEL, Document, LabelSources, Scope};
use crate::rules::tree::{Kind, Node};
use crate::rules::walk::Value;

/// One label at one level.
pub(super) struct Label<'a> {
    name: &'a str,
    /// 0: every workload; 1: a namespace's; 2: those that a selector names. The highest one that applies has the word.
    level: u8,
    /// Which callers.
    when: Condition,
    sources: Vec<TagSource>,
    line: u32,
}

/// The namespace whose rules are for everybody.
const ROOT: &str = "istio-system";
/// The label that is the request's tag, where several are defined.
const TAG: &str = "trafficLabel";

/// The labels for this caller; those of the tag first, then by level, the highest first, then as written.
pub(super) fn read<'a>(documents: &[Document<'a>], scope: &Scope<'a>) -> Vec<Label<'a>> {
    let mut labels = Vec::new();
    for document in documents.iter().filter(|d| d.kind == "TrafficLabel") {
        one(document, scope, &mut labels);
    }
    let mut used = None;
    for document in documents.iter().filter(|d| d.kind == "VirtualService") {
        placeholder(document.spec.node(), &mut used);
    }
    let named = |name: &str| labels.iter().map(|l| l.name).find(|n| *n == name);
    let tag = named(TAG).or_else(|| named(used?)).or_else(|| labels.first().map(|l| l.name));
    labels.sort_by_key(|label| (Some(label.name) != tag, std::cmp::Reverse(label.level)));
    labels
}

/// The first `$name` of a text.
fn placeholder<'a>(node: &'a Node, found: &mut Option<&'a str>) {
    match &node.kind {
        Kind::Scalar { text, .. } => *found = found.or(text.strip_prefix('$').filter(|name| !name.contains('('))),
        Kind::Sequence(items) => items.iter().for_each(|item| placeholder(item, found)),
        Kind::Mapping(fields) => fields.iter().for_each(|(_, value)| placeholder(value, found)),
    }
}

fn one<'a>(document: &Document<'a>, scope: &Scope<'a>, labels: &mut Vec<Label<'a>>) -> Option<()> {
    let fields = document.spec.fields(&["workloadSelector", "rules"], &[])?;
    let everywhere = !document.placed || document.namespace == ROOT;
    let here = everywhere || scope.caller.is_empty() || document.namespace == scope.caller;
    let mut level = u8::from(!everywhere);
    let mut when = Condition::ALWAYS;
    if let Some(selector) = fields.get("workloadSelector").and_then(|s| s.fields(&["labels"], &[])) {
        let wanted = selector.get("labels").map_or_else(Vec::new, Value::entries);
        if !wanted.is_empty() {
            level = 2;
        }
        let test = |(name, value): (&str, Value<'a>)| {
            Some(Condition::Is(Field::CallerLabel(name.into()), Test::Exact(value.text()?.into())))
        };
        when = Condition::All(wanted.into_iter().filter_map(test).collect());
    }
    for rule in fields.need("rules")?.items() {
        let rule = rule.fields(&["labels", "protocols"], &[("attachTo", CARRIERS)])?;
        let on = protocols(rule.even_null("protocols"));
        for value in rule.need("labels")?.items() {
            let label = value.fields(&["name", "valueFrom", "protocols"], &[("attachTo", CARRIERS)])?;
            let name = label.need("name")?.text()?;
            let on = on && protocols(label.even_null("protocols"));
            let sources = label.need("valueFrom")?.items().into_iter().flat_map(source).collect();
            if on && here {
                labels.push(Label { name, level, when: when.clone(), sources, line: value.line() });
            }
        }
    }
    Some(())
}

const CARRIERS: &str = "which carriers are written is a setting, trilane.carriers.write";

/// Empty is off, `*` is every protocol.
fn protocols(value: Option<Value<'_>>) -> bool {
    let Some(value) = value else { return true };
    match value.node().scalar() {
        Some("") => false,
        Some("*") => true,
        _ => {
            value.note("protocols are not told apart: the label is in force for all of them");
            true
        }
    }
}

const SOURCES: &[(&str, usize, &str)] = &[
    ("getContext", 1, "$getContext(traceIdHeader)"),
    ("getInboundRequestHeader", 1, "$getInboundRequestHeader(header)"),
    ("getExternalInboundRequestHeader", 2, "$getExternalInboundRequestHeader(contextId, header)"),
    ("getLocalOutboundRequestHeader", 1, "$getLocalOutboundRequestHeader(header)"),
    ("getLabel", 1, "$getLabel(label)"),
    ("", 1, "$(localLabel)"),
];

/// One value source; several ways to the same value, asked in order.
fn source(value: Value<'_>) -> Vec<TagSource> {
    let Some(text) = value.node().scalar() else {
        value.problem("a value source is one text", "`$getContext(…)` and others; `//` begins no comment in YAML");
        return Vec::new();
    };
    let all = || SOURCES.iter().map(|(_, _, form)| *form).collect::<Vec<_>>();
    if text.contains(" //") || text.contains(" #") {
        value.problem(
            format!("`{text}` is a value and more: `//` begins no comment in YAML"),
            "comments begin with ` #`",
        );
        return Vec::new();
    }
    let parts = text.strip_prefix('$').and_then(|t| t.strip_suffix(')')).and_then(|t| t.split_once('('));
    let Some((name, arguments)) = parts else {
        value.problem(format!("`{text}` is no value source"), all().join(", "));
        return Vec::new();
    };
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let Some((_, count, form)) = SOURCES.iter().find(|(known, _, _)| *known == name) else {
        value.unknown("value source", name, &SOURCES.map_names());
        return Vec::new();
    };
    if arguments.len() != *count || arguments.iter().any(|a| a.is_empty()) {
        value.problem(format!("`{text}` has the wrong arguments"), *form);
        return Vec::new();
    }
    let header = |name: &str| Field::Header(name.to_ascii_lowercase().into());
    let label = |name: &str| TagSource::Field(Field::CallerLabel(name.into()));
    match (name, &arguments[..]) {
        ("getContext", [id]) => vec![TagSource::Field(Field::Tag), TagSource::Table(header(id))],
        ("getExternalInboundRequestHeader", [id, name]) => {
            vec![TagSource::Field(header(name)), TagSource::Table(header(id))]
        }
        ("getLabel", [name]) => vec![label(name)],
        ("", ["localLabel"]) => vec![label(ASM_TAG_LABEL), label("alicloud.service.tag")],
        ("", [other]) => {
            value.unknown("value", other, &["localLabel"]);
            Vec::new()
        }
        (_, [name]) => vec![TagSource::Field(header(name))],
        _ => Vec::new(),
    }
}

trait Names {
    fn map_names(&self) -> Vec<&'static str>;
}

impl Names for [(&'static str, usize, &'static str)] {
    fn map_names(&self) -> Vec<&'static str> {
        self.iter().map(|(name, _, _)| *name).filter(|name| !name.is_empty()).collect()
    }
}

/// What conditions on headers must know of the labels: the tag's first.
pub(super) fn sources(labels: &[Label<'_>]) -> Vec<LabelSources> {
    let mut known: Vec<LabelSources> = Vec::new();
    for label in labels {
        let name = label.name.to_ascii_lowercase();
        let fields = label.sources.iter().filter_map(|source| match source {
            TagSource::Field(field) => Some((label.when.clone(), field.clone())),
            _ => None,
        });
        match known.iter_mut().find(|k| k.name == name) {
            Some(known) => known.sources.extend(fields),
            None => known.push(LabelSources { name, written: label.name.into(), sources: fields.collect() }),
        }
    }
    known
}

/// The rules that give the tag. A level that speaks of the label has the last word.
pub(super) fn tags(labels: &[Label<'_>]) -> Vec<TagRule> {
    let Some(first) = labels.first() else { return Vec::new() };
    let mut rules = Vec::new();
    let mine: Vec<&Label<'_>> = labels.iter().filter(|l| l.name == first.name).collect();
    for (at, label) in mine.iter().enumerate() {
        let rule = |from: TagSource| TagRule { when: label.when.clone(), from, line: label.line };
        rules.extend(label.sources.iter().cloned().map(rule));
        let last = mine.get(at + 1).is_none_or(|next| next.level != label.level || next.when != label.when);
        if last {
            rules.push(rule(TagSource::Nothing));
        }
    }
    rules
}
