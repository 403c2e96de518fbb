//! ASMSwimLaneGroup and ASMSwimLane: lanes of services, strict or with a baseline.

use crate::model::{
    Condition, Destination, Draw, Field, IfNothing, Otherwise, Route, Selector, Service, Stage, TagRule, TagSource,
    Test,
};
use crate::rules::dialect::istio::{self, Document, Scope};
use crate::rules::walk::Value;
use std::sync::Arc;

/// A group with its lanes.
pub(super) struct Group<'a> {
    name: &'a str,
    services: Vec<(&'a str, &'a str)>,
    /// `namespace/name` of the gateway that colours.
    gateway: Option<String>,
    weighted: Option<Condition>,
    permissive: Option<Permissive<'a>>,
    lanes: Vec<Lane<'a>>,
    line: u32,
}

struct Permissive<'a> {
    baseline: Value<'a>,
    /// `namespace/name` → lane.
    by_service: Vec<(&'a str, Value<'a>)>,
    trace_header: Option<&'a str>,
    route_header: Option<&'a str>,
}

struct Lane<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    /// Which requests its gateway leads into it.
    entries: Vec<(Condition, u32)>,
    weight: u32,
    line: u32,
}

const OTHERS: &str = "traffic policies are written in DestinationRules and VirtualServices";

pub(super) fn read<'a>(documents: &[Document<'a>], scope: &Scope<'a>) -> Vec<Group<'a>> {
    let of = |kind: &'static str| documents.iter().filter(move |d| d.kind == kind);
    let mut groups: Vec<Group<'a>> = of("ASMSwimLaneGroup").filter_map(|d| group(d, scope)).collect();
    for document in of("ASMSwimLane") {
        let field =
            |value: Value<'a>, name: &str| value.entries().into_iter().find(|(n, _)| *n == name).map(|(_, v)| v);
        let label = || field(field(document.metadata?, "labels")?, "swimlane-group");
        let Some((at, wanted)) = label().and_then(|at| Some((at, at.text()?))) else {
            document.at.problem("a lane of no group", "metadata.labels: {swimlane-group: the group's name}");
            continue;
        };
        let names: Vec<&str> = groups.iter().map(|g| g.name).collect();
        let Some(group) = groups.iter_mut().find(|g| g.name == wanted) else {
            at.unknown("lane group of these rules", wanted, &names);
            continue;
        };
        group.lanes.extend(lane(document, scope));
    }
    groups.iter().for_each(check);
    groups
}

fn group<'a>(document: &Document<'a>, scope: &Scope<'a>) -> Option<Group<'a>> {
    let known = ["services", "ingress", "isPermissive", "permissiveModeConfiguration"];
    let unused = [
        ("autoUpdate", "rules are read whole"),
        ("defaultTrafficPolicyPatch", OTHERS),
        ("defaultHttpRoutePatch", OTHERS),
    ];
    let fields = document.spec.fields(&known, &unused)?;
    let mut services = Vec::new();
    for service in fields.need("services")?.items() {
        let unused = [("cluster", "one cluster is known"), ("trafficPolicyPatch", OTHERS), ("httpRoutePatch", OTHERS)];
        let service = service.fields(&["name", "namespace"], &unused)?;
        services.push((service.need("name")?.text()?, service.text("namespace").unwrap_or("default")));
    }
    let (mut gateway, mut weighted) = (None, None);
    if let Some(ingress) = fields.get("ingress").and_then(|i| i.fields(&["gateway", "ingressRouting"], &[])) {
        if let Some(own) = ingress.get("gateway").and_then(|g| g.fields(&["name", "namespace", "type"], &[])) {
            own.get("type").and_then(|t| t.word("kind of gateway", &[("ASM", ())]));
            let namespace = own.text("namespace").unwrap_or("istio-system");
            gateway = own.text("name").map(|name| format!("{namespace}/{name}"));
        }
        weighted = ingress.get("ingressRouting").and_then(|r| routing(r, scope));
    }
    let permissive = fields.boolean("isPermissive", false);
    let permissive = match fields.get("permissiveModeConfiguration") {
        Some(configuration) if permissive => Some(self::permissive(configuration)?),
        Some(configuration) => {
            configuration.note("the group is strict: without `isPermissive: true` this changes nothing");
            None
        }
        None if permissive => {
            fields.need("permissiveModeConfiguration");
            None
        }
        None => None,
    };
    let line = document.at.line();
    Some(Group { name: document.name, services, gateway, weighted, permissive, lanes: Vec::new(), line })
}

/// The group's own rule by weights: which requests are drawn.
fn routing(value: Value<'_>, scope: &Scope<'_>) -> Option<Condition> {
    let fields = value.fields(&["ingressRoutingStrategy", "weightedRoutingRule"], &[])?;
    let words = [("rule_based", false), ("weighted", true)];
    let weighted = fields.get("ingressRoutingStrategy")?.word("strategy", &words)?;
    if !weighted {
        return None;
    }
    let rule = fields.need("weightedRoutingRule")?.fields(&["hosts", "requestMatches"], &[])?;
    let mut all = vec![hosts(rule.get("hosts"))];
    all.extend(rule.get("requestMatches").map(|m| istio::matches(m, scope).when));
    Some(Condition::All(all))
}

fn permissive(value: Value<'_>) -> Option<Permissive<'_>> {
    let known = ["fallbackTarget", "serviceLevelFallbackTarget", "traceHeader", "routeHeader"];
    let fields = value.fields(&known, &[])?;
    Some(Permissive {
        baseline: fields.need("fallbackTarget")?,
        by_service: fields.get("serviceLevelFallbackTarget").map_or_else(Vec::new, Value::entries),
        trace_header: fields.text("traceHeader"),
        route_header: fields.text("routeHeader"),
    })
}

fn lane<'a>(document: &Document<'a>, scope: &Scope<'a>) -> Option<Lane<'a>> {
    let fields =
        document.spec.fields(&["labelSelector", "ingressRules", "ingressWeight"], &[("services", "the group's")])?;
    let selector = fields.need("labelSelector")?;
    let labels = selector.entries().into_iter().filter_map(|(n, v)| Some((n, v.text()?))).collect::<Vec<_>>();
    if labels.is_empty() {
        selector.problem("a lane of every instance", "the labels that tell its instances from the others");
    }
    let mut entries = Vec::new();
    for rule in fields.list("ingressRules") {
        let unused = [("route", "the gateway's own routes lead to the service; this rule colours")];
        let fields = rule.fields(&["name", "hosts", "match", "online"], &unused)?;
        let mut all = vec![hosts(fields.get("hosts"))];
        all.extend(fields.get("match").map(|m| istio::matches(m, scope).when));
        if fields.boolean("online", false) {
            entries.push((Condition::All(all), rule.line()));
        }
    }
    let weight = fields.get("ingressWeight").and_then(|w| {
        w.fields(&["weight"], &[("destination", "the gateway's own routes")])?.get("weight")?.number(0, 1_000_000)
    });
    Some(Lane { name: document.name, labels, entries, weight: weight.unwrap_or(0), line: document.at.line() })
}

/// `['*']`, names, `*.example.com`.
fn hosts(value: Option<Value<'_>>) -> Condition {
    let list = value.map_or_else(Vec::new, Value::items);
    let mut any = Vec::new();
    for host in list.iter().filter_map(|h| h.text()) {
        match host.strip_prefix('*') {
            Some("") => return Condition::ALWAYS,
            Some(suffix) => any.push(Condition::Is(Field::Host, Test::Suffix(suffix.into()))),
            None => {
                any.push(Condition::Is(Field::Host, Test::ExactNoCase(host.into())));
                any.push(Condition::Is(Field::Host, Test::PrefixNoCase(format!("{host}:").into())));
            }
        }
    }
    if list.is_empty() { Condition::ALWAYS } else { Condition::Any(any) }
}

fn check(group: &Group<'_>) {
    let Some(permissive) = group.permissive.as_ref().filter(|_| !group.lanes.is_empty()) else { return };
    let lanes: Vec<&str> = group.lanes.iter().map(|l| l.name).collect();
    let wanted = permissive.by_service.iter().map(|(_, lane)| lane).chain([&permissive.baseline]);
    for (lane, at) in wanted.filter_map(|at| Some((at.text()?, at))).filter(|(lane, _)| !lanes.contains(lane)) {
        at.unknown("lane of this group", lane, &lanes);
    }
    let services: Vec<String> = group.services.iter().map(|(name, ns)| format!("{ns}/{name}")).collect();
    let known: Vec<&str> = services.iter().map(String::as_str).collect();
    for (service, at) in permissive.by_service.iter().filter(|(service, _)| !known.contains(service)) {
        at.unknown("service of this group", service, &known);
    }
}

/// How requests get into lanes: at the gateway by its rules, elsewhere by what they carry.
pub(super) fn tags(groups: &[Group<'_>], scope: &Scope<'_>) -> Vec<TagRule> {
    let mut rules = Vec::new();
    for group in groups {
        if group.gateway.as_deref().is_some_and(|gateway| gateway == scope.gateway) {
            entries(group, &mut rules);
        }
        let Some(permissive) = &group.permissive else { continue };
        let header = |name: &str| Field::Header(name.to_ascii_lowercase().into());
        let rule = |from: TagSource| TagRule { when: Condition::ALWAYS, from, line: group.line };
        rules.extend(permissive.route_header.map(|h| rule(TagSource::Field(header(h)))));
        rules.push(rule(TagSource::Field(Field::Tag)));
        let trace = permissive.trace_header.filter(|h| Some(*h) != permissive.route_header && *h != "baggage");
        rules.extend(trace.map(|h| rule(TagSource::Table(header(h)))));
    }
    rules
}

fn entries(group: &Group<'_>, rules: &mut Vec<TagRule>) {
    if let Some(when) = &group.weighted {
        let mut left: u64 = group.lanes.iter().map(|l| u64::from(l.weight)).sum();
        for lane in group.lanes.iter().filter(|l| l.weight > 0) {
            // Of those that the lanes before did not draw.
            let share = (u64::from(lane.weight) * 10_000 / left) as u16;
            let when = Condition::All(vec![when.clone(), Condition::Chance(share)]);
            rules.push(TagRule { when, from: TagSource::Fixed(lane.name.into()), line: lane.line });
            left -= u64::from(lane.weight);
        }
        return;
    }
    for lane in &group.lanes {
        for (when, line) in &lane.entries {
            rules.push(TagRule { when: when.clone(), from: TagSource::Fixed(lane.name.into()), line: *line });
        }
    }
}

/// The chain of each service of the groups.
pub(super) fn services(groups: &[Group<'_>], scope: &Scope<'_>) -> Vec<Service> {
    let mut made = Vec::new();
    for group in groups {
        for (name, namespace) in &group.services {
            let names = istio::names_of(name, namespace, scope.caller);
            let stage = Stage {
                title: format!("ASMSwimLaneGroup {}", group.name).into(),
                routes: routes(group, &format!("{namespace}/{name}"), scope),
                otherwise: Otherwise::Fail,
            };
            made.push(Service { names, stages: vec![Arc::new(stage)], line: group.line });
        }
    }
    made
}

fn routes(group: &Group<'_>, service: &str, scope: &Scope<'_>) -> Vec<Route> {
    let route = |name: &str, line: u32, when: Condition, destinations: Vec<Destination>| Route {
        name: name.into(),
        line,
        when,
        destinations,
        draw: Draw::Written,
        if_nothing: IfNothing::Fail,
    };
    let tagged = |lane: &Lane<'_>| Condition::Is(Field::Tag, Test::Exact(lane.name.into()));
    let is_caller = |lane: &Lane<'_>| {
        let test = |(n, v): &(&str, &str)| Condition::Is(Field::CallerLabel((*n).into()), Test::Exact((*v).into()));
        Condition::All(lane.labels.iter().map(test).collect())
    };
    let to = |lane: &Lane<'_>, weight: u32| {
        let test = |(n, v): &(&str, &str)| Condition::Is(Field::Label((*n).into()), Test::Exact((*v).into()));
        let instances = Selector::Where(Condition::All(lane.labels.iter().map(test).collect()));
        Destination::new(lane.name, instances, weight, lane.line)
    };
    let Some(permissive) = &group.permissive else {
        // Strict: whoever is in a lane calls that lane; the gateway goes by its rules.
        let who = |lane: &Lane<'_>| if scope.gateway.is_empty() { is_caller(lane) } else { tagged(lane) };
        let mut routes: Vec<Route> =
            group.lanes.iter().map(|lane| route(lane.name, lane.line, who(lane), vec![to(lane, 1)])).collect();
        routes.push(istio::default_lane_policy());
        return routes;
    };
    let target = permissive.by_service.iter().find(|(s, _)| *s == service).map_or(permissive.baseline, |(_, l)| *l);
    let target = target.node().scalar();
    let Some(baseline) = group.lanes.iter().find(|l| Some(l.name) == target) else { return Vec::new() };
    let mut routes = Vec::new();
    for lane in group.lanes.iter().filter(|l| l.name != baseline.name) {
        let mut own = to(lane, 1);
        own.fallback = [Some(1), Some(1)];
        routes.push(route(lane.name, lane.line, tagged(lane), vec![own, to(baseline, 0)]));
    }
    routes.push(route(baseline.name, baseline.line, Condition::ALWAYS, vec![to(baseline, 1)]));
    routes
}
