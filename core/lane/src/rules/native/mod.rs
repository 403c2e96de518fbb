//! The native rule file: lanes, services, entry rules. Every problem is told, not only the first.

mod entry;
mod lanes;
mod values;

use super::walk::{Fields, Source, Value};
use super::{Entry, Problem, Rules, Service, Target, tree};
use crate::Mode;
use std::collections::HashMap;

const KNOWN: [&str; 10] =
    ["apiVersion", "needs", "mode", "hooks", "lanes", "groups", "services", "entry", "trust", "show"];

/// Reads and checks a text.
pub(super) fn read(name: &str, text: &str) -> Result<Rules, Vec<Problem>> {
    let documents = tree::read(name, text).map_err(|problem| vec![problem])?;
    let source = Source::new(name, text, &documents);
    let rules = source.documents().next().map(document).unwrap_or_default();
    if let Some(second) = source.documents().nth(1) {
        second.problem("a second document", "one document: lanes, services and entry rules together");
    }
    let (problems, notes) = source.finish();
    if problems.is_empty() { Ok(Rules { notes, ..rules }) } else { Err(problems) }
}

fn document(value: Value) -> Rules {
    let Some(fields) = value.fields(&KNOWN, &[("dialect", "`apiVersion` tells it already")]) else {
        return Rules::default();
    };
    if let Some(version) = fields.need("apiVersion")
        && let Some(text) = version.text()
        && text != "trilane/v1"
    {
        version.problem(format!("`{text}` is not known here"), "trilane/v1");
    }
    if let Some(needs) = fields.get("needs") {
        old_enough(needs);
    }
    let mode = fields.get("mode").and_then(mode);
    let hooks = fields.get("hooks").map(Value::entries).unwrap_or_default();
    let hooks = hooks.into_iter().filter_map(|(library, switch)| Some((library.to_string(), on_or_off(switch)?)));
    let hooks = hooks.collect();
    let groups = lanes::groups(fields);
    let mut names = Names { lanes: lanes::tags(fields), groups: groups.iter().map(|g| g.name.clone()).collect() };
    let lanes = lanes::lanes(fields, &names);
    let services: Vec<Service> = fields.list("services").into_iter().filter_map(|s| service(s, &names)).collect();
    unique_services(fields);
    let entries: Vec<Entry> = fields.list("entry").into_iter().filter_map(|e| entry::entry(e, &mut names)).collect();
    unique(fields.list("entry").into_iter().filter_map(|e| field_of(e, "service")));
    let trust = fields.even_null("trust").and_then(|t| t.fields(&["when"], &[])?.need("when")).map(entry::some);
    let show = fields.list("show").into_iter().filter_map(shown).collect();
    unique(fields.get("show").map(Value::quiet_items).unwrap_or_default().into_iter());
    Rules { mode, hooks, lanes, groups, services, entries, trust, show, notes: Vec::new() }
}

/// The names that other parts of the file may use.
struct Names {
    lanes: Vec<String>,
    groups: Vec<String>,
}

/// `needs: "0.2"`: the oldest library that may read the file; an older one refuses it whole.
fn old_enough(needs: Value) {
    let Some(text) = needs.text() else { return };
    let numbers = |text: &str| -> Option<Vec<u32>> { text.split('.').map(|n| n.parse().ok()).collect() };
    let ours = env!("CARGO_PKG_VERSION");
    match numbers(text).filter(|n| n.len() <= 3) {
        None => needs.problem(format!("`{text}` is no version"), "major.minor, in quotes: \"0.1\""),
        Some(wanted) if Some(&wanted) > numbers(ours).as_ref() => {
            needs.problem(
                format!("the file needs trilane {text}, this is {ours}"),
                "a newer library in this process first",
            );
        }
        Some(_) => {}
    }
}

/// A header whose values samples show. Not `cookie`: a rule reads one cookie, the header holds all of them.
fn shown(value: Value) -> Option<String> {
    let name = values::header_name(value.text()?, value);
    if name == "cookie" {
        value.problem("the header holds every cookie, it is never shown", "other headers, such as x-user-id");
    }
    Some(name)
}

fn mode(value: Value) -> Option<Mode> {
    let text = value.text()?;
    let mode = Mode::parse(text);
    if mode.is_none() {
        value.problem(format!("`{text}` is no mode"), "off, observe or on");
    }
    mode
}

fn on_or_off(value: Value) -> Option<bool> {
    match value.text()? {
        "on" | "true" => Some(true),
        "off" | "false" => Some(false),
        other => {
            value.problem(format!("`{other}` is no switch"), "on or off");
            None
        }
    }
}

fn service(value: Value, names: &Names) -> Option<Service> {
    let known = ["name", "mode", "authorities", "instances", "fallback", "baseline_missing"];
    let fields = value.fields(&known, &[])?;
    let name = fields.need("name");
    if let Some(name) = name
        && name.text().is_some_and(|n| n.trim().is_empty())
    {
        name.problem("the name is empty", "the service's name in its registry");
    }
    let authorities = fields.list("authorities").into_iter().filter_map(values::address).collect();
    let instances = fields.list("instances").into_iter().filter_map(|i| lanes::instance(i, names)).collect();
    unique(fields.list("instances").into_iter().filter_map(|i| field_of(i, "address")));
    let fallback = fields.get("fallback").and_then(|f| f.fields(&["noinstances", "noavailabled"], &[]));
    let target = |case: &str| {
        let value = fallback.and_then(|f| f.get(case))?;
        let target = lanes::target(value, names);
        if let Some(Target::Tag(tag)) = &target {
            value.note(format!(
                "requests of lane `{tag}` itself fail here in that case: `[{tag}, baseline]` has them go on"
            ));
        }
        target
    };
    let missing = fields.get("baseline_missing").and_then(lanes::baseline_missing).unwrap_or_default();
    Some(Service {
        mode: fields.get("mode").and_then(mode),
        authorities,
        instances,
        on_no_instances: target("noinstances"),
        on_none_available: target("noavailabled"),
        baseline_missing: missing,
        line: name.map_or(value.line(), Value::line),
        name: name?.text()?.to_string(),
    })
}

/// A field of an item, for checks over all items; wrong types were told already.
fn field_of<'a>(item: Value<'a>, name: &str) -> Option<Value<'a>> {
    item.quiet_field(name).filter(|v| v.is_text())
}

fn unique<'a>(values: impl Iterator<Item = Value<'a>>) {
    unique_as(values, str::to_string);
}

/// `same` makes one of texts that mean one thing.
fn unique_as<'a>(values: impl Iterator<Item = Value<'a>>, same: impl Fn(&str) -> String) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for value in values {
        let Some(text) = value.node().scalar() else { continue };
        if let Some(first) = seen.insert(same(text), value.line()) {
            value.problem(format!("`{text}` stands in line {first} already"), "each one once");
        }
    }
}

fn unique_services(fields: Fields) {
    let services = || fields.get("services").map(Value::quiet_items).unwrap_or_default();
    unique(services().into_iter().filter_map(|s| field_of(s, "name")));
    let mut all = Vec::new();
    for service in services() {
        if let Some(list) = service.quiet_field("authorities") {
            all.extend(list.quiet_items().into_iter().filter(|a| a.is_text()));
        }
    }
    // A dialled host has no case.
    unique_as(all.into_iter(), str::to_ascii_lowercase);
}
