//! VirtualService: text → routes with conditions. One reader for Istio and ASM.

use super::matches::{Matched, Scope, matches};
use super::policy;
use crate::model::{Condition, Policy};
use crate::rules::walk::{Fields, Value};

/// One VirtualService.
pub(crate) struct VirtualService<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    /// None: a delegate.
    pub hosts: Vec<(&'a str, Value<'a>)>,
    pub routes: Vec<HttpRoute<'a>>,
    pub at: Value<'a>,
}

/// One of its http routes.
#[derive(Clone)]
pub(crate) struct HttpRoute<'a> {
    pub name: &'a str,
    pub when: Condition,
    /// The part of it that asks for the caller only.
    pub source: Condition,
    pub action: Action<'a>,
    pub policy: Policy,
    pub at: Value<'a>,
}

/// What a route does.
#[derive(Clone)]
pub(crate) enum Action<'a> {
    /// To one of these, by weight.
    Route(Vec<Target<'a>>),
    /// An answer without an instance: a redirect, a fixed response. In words.
    Answer(String),
    /// The routes of another VirtualService.
    Delegate { name: &'a str, namespace: &'a str, at: Value<'a> },
}

/// A weighted destination.
#[derive(Clone)]
pub(crate) struct Target<'a> {
    pub place: Place<'a>,
    pub weight: u32,
    /// `[noinstances, noavailabled]`.
    pub fallback: [Option<Fallback<'a>>; 2],
    pub at: Value<'a>,
}

/// A host's subset. An empty host is the one that was called; an empty subset is all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub host: &'a str,
    pub subset: &'a str,
    pub port: Option<u16>,
}

/// Where ASM goes on.
#[derive(Clone, Copy)]
pub(crate) struct Fallback<'a> {
    pub place: Place<'a>,
    pub at: Value<'a>,
}

const NO_CONNECTION: &str = "it is about connections; requests are routed by `http`";
const AT_A_GATEWAY: &str = "a gateway's work";
const NOT_ROUTING: &str = "it changes the request, not where it goes";

/// Reads a VirtualService. `None`: nothing of it concerns this caller, or it is broken beyond use.
pub(crate) fn read<'a>(
    spec: Value<'a>,
    (name, namespace): (&'a str, &'a str),
    scope: &Scope<'a>,
) -> Option<VirtualService<'a>> {
    let unused = [("tcp", NO_CONNECTION), ("tls", NO_CONNECTION)];
    let fields = spec.fields(&["hosts", "gateways", "http", "exportTo"], &unused)?;
    let hosts: Vec<_> = fields.list("hosts").into_iter().filter_map(|h| Some((h.text()?, h))).collect();
    for (host, at) in hosts.iter().filter(|(host, _)| *host == "*" && !scope.asm) {
        if fields.get("gateways").is_none() {
            at.problem(format!("the host `{host}` is not allowed for the mesh"), "a host, or `*.` and a domain");
        }
    }
    let visible = exported(fields, namespace, scope) & attached(fields, namespace, scope);
    let scope = &Scope { namespace, ..*scope };
    let routes: Vec<_> = fields.list("http").into_iter().filter_map(|r| http_route(r, scope)).collect();
    if fields.get("http").is_none() && fields.get("tcp").is_none() && fields.get("tls").is_none() {
        fields.need("http");
    }
    visible.then_some(VirtualService { name, namespace, hosts, routes, at: spec })
}

/// `exportTo`: whether callers of this namespace see it.
pub(crate) fn exported(fields: Fields<'_>, namespace: &str, scope: &Scope<'_>) -> bool {
    let list = fields.list("exportTo");
    let seen = |to: Value<'_>| match to.text() {
        Some("~") => {
            to.problem("`~` exports to nobody", "`.`, `*` or a namespace");
            false
        }
        Some("*") => true,
        Some(".") => scope.caller.is_empty() || scope.caller == namespace,
        Some(other) => other == scope.caller,
        None => false,
    };
    list.is_empty() || list.into_iter().any(seen)
}

/// `gateways`: whether it is for this caller, the mesh or one gateway.
fn attached(fields: Fields<'_>, namespace: &str, scope: &Scope<'_>) -> bool {
    let list = fields.list("gateways");
    if list.is_empty() {
        return scope.gateway.is_empty();
    }
    list.into_iter().any(|g| g.text().is_some_and(|g| scope.is_gateway(g, namespace)))
}

fn http_route<'a>(value: Value<'a>, scope: &Scope<'a>) -> Option<HttpRoute<'a>> {
    let known = [
        "name",
        "match",
        "route",
        "redirect",
        "directResponse",
        "delegate",
        "timeout",
        "retries",
        "fault",
        "mirror",
        "mirrors",
        "mirrorPercentage",
        "mirrorPercent",
    ];
    let unused = [("rewrite", NOT_ROUTING), ("headers", NOT_ROUTING), ("corsPolicy", AT_A_GATEWAY)];
    let fields = value.fields(&known, &unused)?;
    let policy = policy::of_route(fields);
    let Matched { when, source } = fields.get("match").map_or(Matched::ALWAYS, |m| matches(m, scope));
    let action = action(fields, scope)?;
    Some(HttpRoute { name: fields.text("name").unwrap_or(""), when, source, action, policy, at: value })
}

fn action<'a>(fields: Fields<'a>, scope: &Scope<'a>) -> Option<Action<'a>> {
    let written: Vec<&str> =
        ["route", "redirect", "directResponse", "delegate"].into_iter().filter(|f| fields.get(f).is_some()).collect();
    match written[..] {
        [one] => match one {
            "route" => route(fields, scope),
            "redirect" => redirect(fields.get("redirect")?),
            "directResponse" => direct_response(fields.get("directResponse")?),
            _ => delegate(fields.get("delegate")?, scope),
        },
        [] => {
            fields.value().problem("a route leads nowhere", "route, redirect, directResponse or delegate");
            None
        }
        [first, second, ..] => {
            let told = format!("`{first}` and `{second}` exclude each other");
            fields.get(second)?.problem(told, "one of route, redirect, directResponse, delegate");
            None
        }
    }
}

fn route<'a>(fields: Fields<'a>, scope: &Scope<'a>) -> Option<Action<'a>> {
    let list = fields.list("route");
    let written = list.len();
    let mut targets: Vec<Target<'a>> = list.into_iter().filter_map(|t| target(t, scope)).collect();
    // A single destination takes everything, whatever its weight says.
    if let ([one], true) = (&mut targets[..], written == 1) {
        one.weight = 1;
    }
    let sum: u64 = targets.iter().map(|t| u64::from(t.weight)).sum();
    let at = fields.get("route")?;
    if sum == 0 && targets.len() == written {
        at.problem("no destination has a weight", "weights whose sum is above 0");
    } else if sum > u64::from(u32::MAX) {
        at.problem(format!("the weights add up to {sum}"), format!("at most {}", u32::MAX));
    }
    Some(Action::Route(targets))
}

fn target<'a>(value: Value<'a>, scope: &Scope<'a>) -> Option<Target<'a>> {
    let fields = value.fields(&["destination", "weight", "fallback"], &[("headers", NOT_ROUTING)])?;
    if let Some(fallback) = fields.get("fallback").filter(|_| !scope.asm) {
        fallback.problem("fallbacks are ASM's", "`dialect: asm` in the text, or no fallback");
    }
    let weight = fields.get("weight").map_or(Some(0), |w| w.number(0, i32::MAX as u32));
    let place = place(fields.need("destination")?, scope)?;
    let weight = weight?;
    let fallback = if scope.asm { fallback(fields, scope) } else { [None; 2] };
    Some(Target { place, weight, fallback, at: value })
}

/// `{host, subset, port}`.
pub(crate) fn place<'a>(value: Value<'a>, scope: &Scope<'a>) -> Option<Place<'a>> {
    let fields = value.fields(&["host", "subset", "port"], &[])?;
    if !scope.asm {
        fields.need("host")?;
    }
    let port = fields.get("port").and_then(|p| p.fields(&["number"], &[])?.need("number")?.number(1, 65_535u16));
    let subset = fields.get("subset");
    if let Some(subset) = subset {
        placeholder(subset, scope);
    }
    Some(Place { host: fields.text("host").unwrap_or(""), subset: subset.and_then(Value::text).unwrap_or(""), port })
}

/// `$trafficLabel`, or `$` and the name of the label that is the request's tag.
fn placeholder(subset: Value<'_>, scope: &Scope<'_>) {
    let Some(name) = subset.text().and_then(|text| text.strip_prefix('$')) else { return };
    let tag = scope.labels.first().map_or("trafficLabel", |label| &label.written);
    match scope.asm {
        false => subset.problem("placeholders are ASM's", "the name of a subset, or the dialect asm"),
        true if name == tag || name == "trafficLabel" => {}
        true => subset.unknown("label that is a request's tag", &format!("${name}"), &[&format!("${tag}")]),
    }
}

/// ASM's `fallback`: a subset's name, or `{host, subset}`; in one of two cases, or in both.
fn fallback<'a>(fields: Fields<'a>, scope: &Scope<'a>) -> [Option<Fallback<'a>>; 2] {
    let told = || {
        let at = fields.get("fallback")?;
        let fields = at.fields(&["case", "target"], &[])?;
        let target = fields.need("target")?;
        let place = match target.is_text() {
            true => {
                placeholder(target, scope);
                Place { host: "", subset: target.text()?, port: None }
            }
            false => place(target, scope)?,
        };
        let cases = match fields.get("case") {
            Some(case) => case.word("case", &[("noinstances", [true, false]), ("noavailabled", [false, true])])?,
            None => [true, true],
        };
        Some(cases.map(|on| on.then_some(Fallback { place, at: target })))
    };
    told().unwrap_or([None; 2])
}

fn redirect(value: Value<'_>) -> Option<Action<'_>> {
    let known = ["uri", "authority", "port", "derivePort", "scheme", "redirectCode", "prefixRewrite"];
    let fields = value.fields(&known, &[])?;
    if let Some(code) = fields.get("redirectCode") {
        code.number(300, 399)?;
    }
    if known.iter().all(|field| *field == "redirectCode" || fields.get(field).is_none()) {
        value.problem("a redirect to nowhere", "uri, prefixRewrite, authority, scheme or port");
    }
    let to = ["uri", "prefixRewrite", "authority"].into_iter().find_map(|f| fields.text(f)).unwrap_or("");
    Some(Action::Answer(format!("redirect to {to}")))
}

fn direct_response(value: Value<'_>) -> Option<Action<'_>> {
    let fields = value.fields(&["status"], &[("body", "no instance is asked")])?;
    let status = fields.need("status")?.number(200, 599u16)?;
    Some(Action::Answer(format!("the fixed answer {status}")))
}

fn delegate<'a>(value: Value<'a>, scope: &Scope<'a>) -> Option<Action<'a>> {
    let fields = value.fields(&["name", "namespace"], &[])?;
    let name = fields.need("name")?.text()?;
    Some(Action::Delegate { name, namespace: fields.text("namespace").unwrap_or(scope.namespace), at: value })
}
