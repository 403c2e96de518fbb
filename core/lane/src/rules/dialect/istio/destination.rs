//! DestinationRule and ServiceEntry: the subsets of a host, and instances that no registry gives.

use super::host::Host;
use super::matches::Scope;
use super::policy::{Traffic, traffic};
use super::virtual_service::exported;
use crate::rules::walk::Value;

/// The subsets of one host.
pub(crate) struct DestinationRule<'a> {
    pub host: Host,
    pub written: &'a str,
    pub traffic: Traffic,
    pub subsets: Vec<Subset<'a>>,
}

/// One subset: every label must hold.
pub(crate) struct Subset<'a> {
    pub name: &'a str,
    pub labels: Vec<(&'a str, &'a str)>,
    pub traffic: Traffic,
}

pub(crate) fn rule<'a>(spec: Value<'a>, namespace: &'a str, scope: &Scope<'a>) -> Option<DestinationRule<'a>> {
    let fields = spec.fields(&["host", "trafficPolicy", "subsets", "exportTo", "workloadSelector"], &[])?;
    let host = fields.need("host")?;
    let written = host.text()?;
    if let Some(selector) = fields.get("workloadSelector") {
        selector.problem("rules for some callers only are not told apart here", "a rule for all callers");
    }
    let policy = |value: Option<Value<'a>>| value.and_then(|v| traffic(v, scope.asm, true)).unwrap_or_default();
    let mut subsets: Vec<Subset<'a>> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for item in fields.list("subsets") {
        let Some(fields) = item.fields(&["name", "labels", "trafficPolicy"], &[]) else { continue };
        let Some(name) = fields.need("name") else { continue };
        let Some(text) = name.text() else { continue };
        if text.is_empty() {
            name.problem("a subset without a name", "letters, digits and dashes");
        } else if !names.insert(text) {
            name.problem(format!("the subset `{text}` stands here twice"), "each one once");
        }
        let labels = fields.get("labels").map_or_else(Vec::new, labels);
        subsets.push(Subset { name: text, labels, traffic: policy(fields.get("trafficPolicy")) });
    }
    let rule = DestinationRule {
        host: Host::read(written, namespace),
        written,
        traffic: policy(fields.get("trafficPolicy")),
        subsets,
    };
    exported(fields, namespace, scope).then_some(rule)
}

fn labels(value: Value<'_>) -> Vec<(&str, &str)> {
    value.entries().into_iter().filter_map(|(name, value)| Some((name, value.text()?))).collect()
}

/// The instances of a ServiceEntry.
pub(crate) struct ServiceEntry<'a> {
    pub hosts: Vec<(Host, &'a str)>,
    pub endpoints: Vec<Endpoint<'a>>,
}

/// One of them.
pub(crate) struct Endpoint<'a> {
    /// `host:port`.
    pub address: String,
    pub labels: Vec<(&'a str, &'a str)>,
}

struct Port<'a> {
    name: &'a str,
    number: u16,
}

const NAMES_ONLY: &str = "instances come from endpoints and from what the caller's framework knows";

pub(crate) fn entry<'a>(spec: Value<'a>, namespace: &'a str, scope: &Scope<'a>) -> Option<ServiceEntry<'a>> {
    let unused = [
        ("addresses", NAMES_ONLY),
        ("location", NAMES_ONLY),
        ("resolution", NAMES_ONLY),
        ("subjectAltNames", "the application's own client decides it"),
    ];
    let fields = spec.fields(&["hosts", "ports", "endpoints", "exportTo", "workloadSelector"], &unused)?;
    let hosts: Vec<(Host, &str)> = fields
        .need("hosts")?
        .items()
        .into_iter()
        .filter_map(|h| Some((Host::read(h.text()?, namespace), h.text()?)))
        .collect();
    if let Some(selector) = fields.get("workloadSelector") {
        let other = fields.get("endpoints").is_some();
        match other {
            true => selector.problem("`workloadSelector` and `endpoints` exclude each other", "one of them"),
            false => selector.note("workloads are found by the caller's framework, not by this selector"),
        }
    }
    let ports: Vec<Port<'a>> = fields.list("ports").into_iter().filter_map(port).collect();
    let endpoints = fields.list("endpoints").into_iter().flat_map(|e| endpoint(e, &ports)).collect();
    exported(fields, namespace, scope).then_some(ServiceEntry { hosts, endpoints })
}

fn port(value: Value<'_>) -> Option<Port<'_>> {
    let unused = [("protocol", "a list knows its protocol")];
    let fields = value.fields(&["number", "name", "targetPort"], &unused)?;
    let number = fields.need("number")?.number(1, 65_535u16)?;
    let target = fields.get("targetPort").and_then(|p| p.number(1, 65_535u16));
    Some(Port { name: fields.text("name").unwrap_or(""), number: target.unwrap_or(number) })
}

/// An address for each port of the entry; just the address where it has none.
fn endpoint<'a>(value: Value<'a>, ports: &[Port<'a>]) -> Vec<Endpoint<'a>> {
    let told = || {
        let unused = [
            ("network", "networks are not told apart"),
            ("locality", "localities are not told apart"),
            ("weight", "instances of a set are picked evenly"),
            ("serviceAccount", "the client's own TLS decides it"),
        ];
        let fields = value.fields(&["address", "ports", "labels"], &unused)?;
        let address = fields.need("address")?.text()?;
        let own = fields.get("ports").map_or_else(Vec::new, Value::entries);
        for (name, at) in &own {
            if !ports.iter().any(|p| p.name == *name) {
                at.unknown("port of this entry", name, &ports.iter().map(|p| p.name).collect::<Vec<_>>());
            }
        }
        let labels = fields.get("labels").map_or_else(Vec::new, labels);
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_string() };
        let number = |port: &Port<'_>| {
            let written = own.iter().find(|(name, _)| *name == port.name);
            written.map_or(Some(port.number), |(_, at)| at.number(1, 65_535u16))
        };
        let mut made: Vec<Endpoint<'a>> = ports
            .iter()
            .filter_map(|port| Some(Endpoint { address: format!("{host}:{}", number(port)?), labels: labels.clone() }))
            .collect();
        if ports.is_empty() {
            made.push(Endpoint { address: host, labels });
        }
        Some(made)
    };
    told().unwrap_or_default()
}
