//! What Dubbo's rule texts share: the head of a rule, tests of texts, addresses.

use super::Context;
use crate::model::pattern::Regex;
use crate::model::{Condition, Field, Layer, Model, Name, Service, Stage, Test};
use crate::rules::walk::{Fields, Value};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Whose meaning counts where dubbo-java 3.3 and dubbo-go 3.3 differ: setting `dubbo.meaning`, `java` or `go`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flavor {
    /// dubbo-java's; the default.
    #[default]
    Java,
    /// dubbo-go's.
    Go,
}

impl Flavor {
    /// What the setting says; a word that is none of the two is a problem of the first document.
    pub fn of(context: &Context<'_>, documents: &[Value<'_>]) -> Flavor {
        match context.setting("dubbo.meaning") {
            None | Some("java") => Flavor::Java,
            Some("go") => Flavor::Go,
            Some(other) => {
                if let Some(document) = documents.first() {
                    document.problem(format!("setting dubbo.meaning: `{other}` is not known"), "java or go");
                }
                Flavor::Java
            }
        }
    }
}

/// The fields that every rule of a Dubbo configuration centre has.
pub(super) struct Head<'a> {
    pub fields: Fields<'a>,
    /// `configVersion` in lower case.
    pub version: String,
    /// Which lists the rule is for.
    pub names: Vec<Name>,
    pub force: bool,
    pub enabled: bool,
}

impl<'a> Head<'a> {
    /// Where the version stands, or would.
    pub fn at_version(&self) -> Value<'a> {
        self.fields.get("configVersion").unwrap_or(self.fields.value())
    }

    /// The rule as the entry of its service.
    pub fn service(self, stages: Vec<Stage>) -> Service {
        let stages = stages.into_iter().map(Arc::new).collect();
        Service { names: self.names, stages, line: self.fields.value().line() }
    }
}

/// Lowers every document to the entry of one service; a service has one rule of a kind.
pub(super) fn model<'a>(documents: &[Value<'a>], lower: impl Fn(Value<'a>) -> Option<Service>) -> Model {
    let mut services: Vec<Service> = Vec::new();
    let mut lines: HashMap<Box<str>, u32> = HashMap::new();
    for document in documents {
        let Some(service) = lower(*document) else { continue };
        for name in &service.names {
            let key = match name {
                Name::Exact(key) | Name::Suffix(key) => key.clone(),
                Name::Any => "*".into(),
            };
            if let Some(first) = lines.insert(key.clone(), service.line) {
                document.problem(format!("`{key}` has a rule in line {first} already"), "one rule for each key");
            }
        }
        services.push(service);
    }
    Model { layers: vec![Layer { services }], ..Model::default() }
}

const HEAD: [&str; 7] = ["configVersion", "key", "force", "enabled", "valid", "scope", "dialect"];
const UNUSED: [(&str, &str); 4] = [
    ("runtime", "a rule is asked at every call"),
    ("priority", "a service has one rule of a kind, and the kinds have their order"),
    ("dynamic", "a rule holds as long as its text is there"),
    ("rawRule", "the text itself is read"),
];

/// Reads the head of a rule; `own` are the further fields of the kind.
pub(super) fn head<'a>(document: Value<'a>, own: &[&str]) -> Option<Head<'a>> {
    let known: Vec<&str> = HEAD.iter().chain(own).copied().collect();
    let fields = document.fields(&known, &UNUSED)?;
    if let Some(scope) = fields.get("scope") {
        scope.word("scope", &[("service", ()), ("application", ())]);
    }
    let key = fields.text("key").map(str::trim).filter(|key| !key.is_empty());
    if key.is_none() {
        document.note("without `key` the rule is for every service");
    }
    Some(Head {
        fields,
        version: fields.text("configVersion").unwrap_or("").to_ascii_lowercase(),
        names: vec![key.map_or(Name::Any, |key| Name::Exact(key.into()))],
        force: fields.boolean("force", false),
        enabled: fields.boolean("enabled", true) && fields.boolean("valid", true),
    })
}

/// `{exact: …}`, `{prefix: …}`, `{regex: …}`, `{wildcard: …}`, `{empty: …}`, `{noempty: …}`: the first that is
/// written in this order counts, and `empty`, `noempty` beside another one for an absent value alone.
pub(super) fn text_match(value: Value<'_>, field: Field, flavor: Flavor) -> Option<Condition> {
    let fields = value.fields(&["exact", "prefix", "regex", "wildcard", "empty", "noempty"], &[])?;
    let is = |test| Condition::is(field.clone(), test);
    let nothing = Condition::Any(vec![is(Test::Absent), is(Test::Exact("".into()))]);
    let main = if let Some(text) = fields.text("exact") {
        Some(is(Test::Exact(text.into())))
    } else if let Some(text) = fields.text("prefix") {
        Some(is(Test::Prefix(text.into())))
    } else if let Some(pattern) = fields.get("regex") {
        Some(is(Test::Regex(regex(pattern, flavor)?)))
    } else {
        fields.text("wildcard").map(|text| match (text, flavor) {
            ("*", Flavor::Java) => is(Test::Present),
            ("*", Flavor::Go) => Condition::ALWAYS,
            _ => is(Test::Exact(text.into())),
        })
    };
    let empty = fields.even_null("empty").is_some();
    let noempty = fields.even_null("noempty").is_some();
    match (main, empty, noempty) {
        (Some(main), true, _) if flavor == Flavor::Java => Some(Condition::Any(vec![main, is(Test::Absent)])),
        (Some(main), ..) => Some(main),
        (None, true, _) => Some(nothing),
        (None, false, true) => Some(is(Test::NotEmpty)),
        (None, false, false) => {
            if value.entries().is_empty() {
                value.problem("nothing is asked of the text", "exact, prefix, regex, wildcard, empty or noempty");
            }
            None
        }
    }
}

/// dubbo-java's patterns match the whole text, dubbo-go's a part of it.
fn regex(pattern: Value<'_>, flavor: Flavor) -> Option<Regex> {
    let text = pattern.text()?;
    // By itself first: `a)|(b` is no pattern, whatever it would be between the brackets of another one.
    let built = pattern.pattern(text).and_then(|whole| match flavor {
        Flavor::Java => Ok(whole),
        Flavor::Go => pattern.pattern(&format!("(?s:.*)(?:{text})(?s:.*)")),
    });
    built.map_err(|why| pattern.problem(format!("`{text}` is no pattern here: {why}"), REGEX)).ok()
}

const REGEX: &str = "a regular expression without look-around and back-references";

/// An address of a tag rule: `10.0.0.7:20880`, `10.0.0.7`, `10.0.*.1-9:20880`, `10.0.0.0/16`, `[2001:db8::1]:20880`,
/// `0.0.0.0:20880` (that port anywhere), `*`.
pub(super) fn address(value: Value<'_>, flavor: Flavor) -> Option<Condition> {
    let text = value.text()?.trim();
    if let Some(port) = text.strip_prefix("0.0.0.0:") {
        return port_is(value, port);
    }
    if flavor == Flavor::Go {
        return Some(Condition::is(Field::InstanceAddress, Test::Exact(text.into())));
    }
    if matches!(text, "*" | "*.*.*.*") {
        return Some(Condition::ALWAYS);
    }
    if let Some((network, bits)) = text.split_once('/') {
        return subnet(value, network, bits);
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(""))),
        None if text.matches(':').count() == 1 => text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p))),
        None => (text, None),
    };
    let host = Condition::is(Field::InstanceHost, host_test(value, host)?);
    match port {
        Some(port) => Some(Condition::All(vec![host, port_is(value, port)?])),
        None => Some(host),
    }
}

fn port_is(value: Value<'_>, port: &str) -> Option<Condition> {
    if port.parse::<u16>().is_ok_and(|p| p > 0) {
        return Some(Condition::is(Field::InstancePort, Test::Exact(port.into())));
    }
    value.problem(format!("`{port}` is no port"), "1 to 65535");
    None
}

fn host_test(value: Value<'_>, host: &str) -> Option<Test> {
    let wrong = |what: String| {
        value.problem(what, "four parts of 0 to 255, `*` or `1-9` each; eight for IPv6; or a host's name");
        None
    };
    let six = host.contains(':');
    if !six && !host.is_empty() && !host.bytes().all(|b| b.is_ascii_digit() || b"*-.".contains(&b)) {
        let name = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        return if name { Some(Test::Exact(host.into())) } else { wrong(format!("`{host}` is no address")) };
    }
    if !host.contains(['*', '-']) {
        return match host.parse::<IpAddr>() {
            Ok(address) => Some(within(address, address)),
            Err(_) => wrong(format!("`{host}` is no address")),
        };
    }
    let (radix, most, count, separator) = if six { (16, 0xFFFF, 8, ':') } else { (10, 255, 4, '.') };
    let number = |text: &str| u16::from_str_radix(text, radix).ok().filter(|n| *n <= most);
    let part = |text: &str| match (text, text.split_once('-')) {
        ("*", _) => Some((0, most)),
        (_, Some((from, to))) => Some((number(from)?, number(to)?)).filter(|(from, to)| from <= to),
        _ => number(text).map(|n| (n, n)),
    };
    let parts: Vec<_> = host.split(separator).map(part).collect();
    match parts.into_iter().collect::<Option<Box<[_]>>>().filter(|parts| parts.len() == count) {
        Some(parts) => Some(Test::Address(parts)),
        None => wrong(format!("`{host}` is no range of addresses")),
    }
}

fn subnet(value: Value<'_>, network: &str, bits: &str) -> Option<Condition> {
    let expected = "ADDRESS/BITS, such as 10.0.0.0/16, without a port";
    let (Ok(address), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        value.problem(format!("`{network}/{bits}` is no network"), expected);
        return None;
    };
    let (test, width) = match address {
        IpAddr::V4(a) => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            (within(v4(a.to_bits() & !host), v4(a.to_bits() | host)), 32)
        }
        IpAddr::V6(a) => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            (within(v6(a.to_bits() & !host), v6(a.to_bits() | host)), 128)
        }
    };
    if bits > width {
        value.problem(format!("`/{bits}` is too long"), expected);
        return None;
    }
    Some(Condition::is(Field::InstanceHost, test))
}

fn v4(bits: u32) -> IpAddr {
    Ipv4Addr::from_bits(bits).into()
}

fn v6(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).into()
}

/// The parts between two addresses of which every part of the second is at least that of the first.
fn within(from: IpAddr, to: IpAddr) -> Test {
    let parts = |address: IpAddr| match address {
        IpAddr::V4(a) => a.octets().map(u16::from).to_vec(),
        IpAddr::V6(a) => a.segments().to_vec(),
    };
    Test::Address(parts(from).into_iter().zip(parts(to)).collect())
}

/// A key of the caller's URL.
pub(super) fn caller_field(key: &str) -> Field {
    match key {
        "host" | "address" => Field::CallerHost,
        "application" => Field::CallerService,
        "interface" | "path" | "service" => Field::Service,
        key => Field::CallerLabel(key.into()),
    }
}

/// A key of an instance's URL.
pub(super) fn instance_field(key: &str) -> Field {
    match key {
        "host" => Field::InstanceHost,
        "port" => Field::InstancePort,
        "address" => Field::InstanceAddress,
        "interface" | "path" | "service" => Field::Service,
        key => Field::Label(key.into()),
    }
}
