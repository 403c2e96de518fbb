//! The `match` of a route: text → a condition.

use super::values::{Of, string_match};
use crate::model::{Condition, Field, Test};
use crate::rules::walk::{Fields, Value};

/// A label of an ASM TrafficLabel that a condition may name: where its value comes from, first hit wins.
#[derive(Clone, Debug)]
pub(crate) struct LabelSources {
    /// Its name, lower case.
    pub name: String,
    /// Its name.
    pub written: String,
    /// In the order in which they are asked, each with the callers for which it is.
    pub sources: Vec<(Condition, Field)>,
}

/// From where rules are read.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Namespace of the rule.
    pub namespace: &'a str,
    /// Namespace of the calling workload; empty: not known.
    pub caller: &'a str,
    /// The gateway that asks, `namespace/name`; empty: the mesh.
    pub gateway: &'a str,
    /// ASM's fields are known.
    pub asm: bool,
    /// The labels that TrafficLabels define for this caller. The first one is the request's tag.
    pub labels: &'a [LabelSources],
}

impl Scope<'_> {
    /// Whether the asking side is this gateway; `mesh` is every workload.
    pub fn is_gateway(&self, name: &str, namespace: &str) -> bool {
        if name == "mesh" {
            return self.gateway.is_empty();
        }
        let (namespace, name) = name.split_once('/').unwrap_or((namespace, name));
        match self.gateway.split_once('/') {
            Some(gateway) => gateway == (namespace, name),
            None => self.gateway == name,
        }
    }
}

const NEVER: Condition = Condition::Any(Vec::new());

/// A `match`, lowered.
pub(crate) struct Matched {
    /// The whole condition.
    pub when: Condition,
    /// What of it asks for the caller and the dialled port only: where it fails, istiod leaves the route out.
    pub source: Condition,
}

impl Matched {
    /// No `match`.
    pub const ALWAYS: Matched = Matched { when: Condition::ALWAYS, source: Condition::ALWAYS };
}

/// A list of blocks of which one must hold. ASM also writes a single block without the list.
pub(crate) fn matches(value: Value<'_>, scope: &Scope<'_>) -> Matched {
    let blocks = match value.node().scalar().is_none() && !scope.asm || is_list(value) {
        true => value.items(),
        false => vec![value],
    };
    if blocks.is_empty() {
        return Matched::ALWAYS;
    }
    let read: Vec<Matched> = blocks.into_iter().filter_map(|b| block(b, scope)).collect();
    Matched {
        source: Condition::Any(read.iter().map(|m| m.source.clone()).collect()),
        when: Condition::Any(read.into_iter().map(|m| m.when).collect()),
    }
}

fn is_list(value: Value<'_>) -> bool {
    matches!(value.node().kind, crate::rules::tree::Kind::Sequence(_))
}

fn block(value: Value<'_>, scope: &Scope<'_>) -> Option<Matched> {
    let known = [
        "uri",
        "scheme",
        "method",
        "authority",
        "headers",
        "port",
        "sourceLabels",
        "gateways",
        "queryParams",
        "ignoreUriCase",
        "withoutHeaders",
        "sourceNamespace",
        "trafficLabel",
    ];
    let unused = [("name", "it is for access logs"), ("statPrefix", "it is for a proxy's statistics")];
    let fields = value.fields(&known, &unused)?;
    let mut all = Vec::new();
    uri(fields, &mut all);
    let words = [("scheme", Field::Scheme), ("method", Field::HttpMethod), ("authority", Field::Host)];
    for (name, field) in words {
        if let Some(test) = fields.get(name).and_then(|v| string_match(v, Of::Word)) {
            all.push(Condition::Is(field, test));
        }
    }
    for (name, value) in named(fields, "headers") {
        header_names(name, value);
        if let Some(test) = string_match(value, Of::Keyed) {
            all.push(header(name, test, scope));
        }
    }
    for (name, value) in named(fields, "withoutHeaders") {
        if let Some(test) = string_match(value, Of::Without) {
            all.push(Condition::Not(Box::new(without(name, test, scope))));
        }
    }
    for (name, value) in named(fields, "queryParams") {
        if let Some(test) = string_match(value, Of::Keyed) {
            all.push(Condition::Is(Field::Query(name.into()), test));
        }
    }
    match fields.get("trafficLabel") {
        Some(label) if scope.asm => all.push(traffic_label(label)),
        Some(label) => label.problem("traffic labels are ASM's", "`dialect: asm` in the text, or a header"),
        None => {}
    }
    let mut from = Vec::new();
    if let Some(port) = fields.get("port").and_then(|p| p.number(1, 65_535u16)) {
        from.push(port_is(port));
    }
    source(fields, scope, &mut from);
    all.extend(from.iter().cloned());
    Some(Matched { when: Condition::All(all), source: Condition::All(from) })
}

fn named<'a>(fields: Fields<'a>, name: &str) -> Vec<(&'a str, Value<'a>)> {
    fields.get(name).map_or_else(Vec::new, Value::entries)
}

fn uri(fields: Fields<'_>, all: &mut Vec<Condition>) {
    let no_case = fields.boolean("ignoreUriCase", false);
    if let Some(test) = fields.get("uri").and_then(|v| string_match(v, Of::Uri(no_case))) {
        all.push(Condition::Is(Field::Path, test));
    }
}

fn header_names(name: &str, value: Value<'_>) {
    if matches!(name, "uri" | "scheme" | "method" | "authority") {
        value.note(format!("a header called `{name}` is meant; the request's own has a field beside `headers`"));
    }
    if name.starts_with("@request.auth.") {
        value.problem("claims of a token are not known to a caller", "a header of the request");
    }
}

/// A header, or a traffic label that a sidecar would have written as one.
fn header(name: &str, test: Test, scope: &Scope<'_>) -> Condition {
    let name = name.to_ascii_lowercase();
    let itself = |test: Test| Condition::Is(Field::Header(name.as_str().into()), test);
    let Some(at) = scope.labels.iter().position(|l| l.name == name) else { return itself(test) };
    let tag = [(Condition::ALWAYS, Field::Tag)];
    let sources = if at == 0 { &tag[..] } else { &scope.labels[at].sources[..] };
    let mut ways = Vec::new();
    let mut empty = Vec::new();
    for (when, source) in sources {
        let found = vec![when.clone(), Condition::Is(source.clone(), Test::NotEmpty)];
        let mut all: Vec<Condition> = empty.clone();
        all.extend(found.iter().cloned());
        all.push(Condition::Is(source.clone(), test.clone()));
        ways.push(Condition::All(all));
        empty.push(Condition::Not(Box::new(Condition::All(found))));
    }
    empty.push(itself(test));
    ways.push(Condition::All(empty));
    Condition::Any(ways)
}

/// What must not hold. Envoy takes a missing header for an empty one here, unless presence is asked.
fn without(name: &str, test: Test, scope: &Scope<'_>) -> Condition {
    let empty_holds = test != Test::Present && test.holds(Some(""), &|_| None);
    let there = header(name, test, scope);
    match empty_holds {
        true => Condition::Any(vec![there, header(name, Test::Absent, scope)]),
        false => there,
    }
}

/// The dialled port: written in the authority, else the scheme's.
fn port_is(port: u16) -> Condition {
    let written = Condition::Is(Field::Host, Test::Suffix(format!(":{port}").into()));
    match port {
        80 => {
            Condition::Any(vec![written, Condition::Is(Field::Host, Test::Not(Box::new(Test::Contains(":".into()))))])
        }
        _ => written,
    }
}

/// ASM: `[{exact: dev-x}, …]`, any of them; also one without the list.
fn traffic_label(value: Value<'_>) -> Condition {
    any_word(value, &Field::Tag)
}

fn any_word(value: Value<'_>, field: &Field) -> Condition {
    let words = if is_list(value) { value.items() } else { vec![value] };
    let tests = words.into_iter().filter_map(|w| string_match(w, Of::Word));
    Condition::Any(tests.map(|test| Condition::Is(field.clone(), test)).collect())
}

/// `gateways`, `sourceLabels`, `sourceNamespace`. Where gateways are written, nothing else of the source is asked.
fn source(fields: Fields<'_>, scope: &Scope<'_>, all: &mut Vec<Condition>) {
    let gateways = fields.list("gateways");
    let labels = fields.get("sourceLabels");
    if !gateways.is_empty() {
        if !gateways.into_iter().any(|g| g.text().is_some_and(|g| scope.is_gateway(g, scope.namespace))) {
            all.push(NEVER);
        }
        if let Some(labels) = labels {
            labels.note("with `gateways` in the same block the labels are not asked (Istio)");
        }
        return;
    }
    if let Some(labels) = labels {
        match is_list(labels) && scope.asm {
            true => all.push(any_word(labels, &Field::CallerLabel(super::ASM_TAG_LABEL.into()))),
            false => all.extend(labels.entries().into_iter().filter_map(|(name, value)| {
                Some(Condition::Is(Field::CallerLabel(name.into()), Test::Exact(value.text()?.into())))
            })),
        }
    }
    if let Some(namespace) = fields.get("sourceNamespace") {
        if scope.caller.is_empty() {
            namespace.note("the caller's namespace is not known: this block does not hold");
        }
        if namespace.text() != Some(scope.caller) {
            all.push(NEVER);
        }
    }
}
