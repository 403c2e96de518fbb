//! VirtualServices, subsets and addresses of one text → the chain of each host.

use super::destination::{DestinationRule, ServiceEntry, Subset};
use super::host::Host;
use super::matches::Scope;
use super::policy::Traffic;
use super::virtual_service::{Action, Fallback, HttpRoute, Place, Target, VirtualService};
use crate::model::{
    Condition, Destination, Draw, Field, IfNothing, Layer, Name, Otherwise, Policy, Route, Selector, Service, Stage,
    Test,
};
use std::collections::HashSet;
use std::sync::Arc;

/// Most routes after lowering: conditions on labels and placeholders multiply.
const MAX_ROUTES: usize = 200_000;

/// What one text says, read.
pub(crate) struct Rules<'a> {
    pub services: Vec<VirtualService<'a>>,
    pub destinations: Vec<DestinationRule<'a>>,
    pub entries: Vec<ServiceEntry<'a>>,
    pub scope: Scope<'a>,
}

/// Routes of one host in the making.
struct Making<'r, 'a> {
    rules: &'r Rules<'a>,
    host: &'r Host,
    /// The DestinationRules of the host, merged.
    subsets: Vec<&'r Subset<'a>>,
    traffic: Vec<&'r Traffic>,
    endpoints: Vec<(&'r str, &'r [(&'a str, &'a str)])>,
    routes: Vec<Route>,
}

/// Lowers everything into one layer.
pub(crate) fn lower(rules: &Rules<'_>) -> Layer {
    let mut layer = Layer::default();
    let mut budget = MAX_ROUTES;
    for (host, written, line) in hosts(rules) {
        let applying = applying(rules, &host);
        let Some(first) = applying.first() else { continue };
        let mut making = Making::new(rules, &host);
        for service in &applying {
            for route in &service.routes {
                making.route(route, service, None);
            }
            if making.routes.len() > budget {
                service.at.problem("the rules are too large", format!("at most {MAX_ROUTES} routes, over all hosts"));
                return layer;
            }
        }
        budget -= making.routes.len();
        let title = format!("VirtualService {}", first.name).into();
        // ASM: no route holds. Istio: no route is for this caller, as if the VirtualService were not there.
        let mut rest = default_lane_policy();
        if !rules.scope.asm {
            let not = |route: &HttpRoute<'_>| Condition::Not(Box::new(route.source.clone()));
            rest.when = Condition::All(first.routes.iter().map(not).collect());
        }
        making.routes.push(rest);
        let stage = Stage { title, routes: making.routes, otherwise: Otherwise::Fail };
        let names = host.names(written, rules.scope.caller);
        layer.services.push(Service { names, stages: vec![Arc::new(stage)], line });
    }
    layer
}

/// What decides for a service that no rule names.
pub(crate) fn everybody_else() -> Service {
    let title = "no rule for this service".into();
    let stage = Stage { title, routes: vec![default_lane_policy()], otherwise: Otherwise::Fail };
    Service { names: vec![Name::Any], stages: vec![Arc::new(stage)], line: 0 }
}

/// The request's own lane, else the baseline: where no rule of ASM's matches.
pub(crate) fn default_lane_policy() -> Route {
    let mut own = Destination::new("the request's lane", Selector::TagOfRequest, 1, 0);
    own.fallback = [Some(1), Some(1)];
    let baseline = Destination::new("baseline", Selector::Baseline, 0, 0);
    Route {
        name: "default lane policy".into(),
        line: 0,
        when: Condition::ALWAYS,
        destinations: vec![own, baseline],
        draw: Draw::Written,
        if_nothing: IfNothing::Fail,
    }
}

/// Every host that anything names, with its text and line; each once.
fn hosts<'a>(rules: &Rules<'a>) -> Vec<(Host, &'a str, u32)> {
    let mut seen: HashSet<Host> = HashSet::new();
    let mut hosts = Vec::new();
    let mut add = |host: Host, written: &'a str, line: u32| {
        if seen.insert(host.clone()) {
            hosts.push((host, written, line));
        }
    };
    for service in &rules.services {
        for (host, at) in &service.hosts {
            add(Host::read(host, service.namespace), host, at.line());
        }
    }
    for rule in &rules.destinations {
        add(rule.host.clone(), rule.written, 0);
    }
    for (host, written) in rules.entries.iter().flat_map(|e| &e.hosts) {
        add(host.clone(), written, 0);
    }
    // `*.example.com` routed to `a.example.com`: the latter is a host of its own.
    for service in &rules.services {
        for target in service.routes.iter().filter_map(|r| targets(&r.action)).flatten() {
            if !target.place.host.is_empty() {
                add(Host::read(target.place.host, service.namespace), target.place.host, target.at.line());
            }
        }
    }
    hosts
}

fn targets<'r, 'a>(action: &'r Action<'a>) -> Option<&'r Vec<Target<'a>>> {
    match action {
        Action::Route(targets) => Some(targets),
        _ => None,
    }
}

/// The VirtualServices of a host. Istio: the most specific one, of several the first. ASM: all, the most specific
/// first, because a single application's rule that does not match leaves the word to the rule for all.
fn applying<'r, 'a>(rules: &'r Rules<'a>, host: &Host) -> Vec<&'r VirtualService<'a>> {
    let rank = |service: &VirtualService<'a>| {
        let mine = service.hosts.iter().map(|(h, _)| Host::read(h, service.namespace));
        mine.filter(|h| h.covers(host)).map(|h| h.rank()).max()
    };
    let mut found: Vec<_> = rules.services.iter().filter_map(|s| Some((rank(s)?, s))).collect();
    found.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    if !rules.scope.asm {
        found.truncate(1);
    }
    found.into_iter().map(|(_, service)| service).collect()
}

impl<'r, 'a> Making<'r, 'a> {
    fn new(rules: &'r Rules<'a>, host: &'r Host) -> Self {
        let best = rules.destinations.iter().filter(|d| d.host.covers(host)).map(|d| d.host.rank()).max();
        let mine: Vec<&DestinationRule<'a>> =
            rules.destinations.iter().filter(|d| d.host.covers(host) && Some(d.host.rank()) == best).collect();
        let endpoints = rules.entries.iter().filter(|e| e.hosts.iter().any(|(h, _)| h.covers(host)));
        Making {
            rules,
            host,
            subsets: mine.iter().flat_map(|d| &d.subsets).collect(),
            traffic: mine.iter().map(|d| &d.traffic).collect(),
            endpoints: endpoints.flat_map(|e| &e.endpoints).map(|e| (&*e.address, &*e.labels)).collect(),
            routes: Vec::new(),
        }
    }

    /// One http route; a delegate's routes stand in its place.
    fn route(&mut self, route: &HttpRoute<'a>, service: &VirtualService<'a>, root: Option<&HttpRoute<'a>>) {
        let both = |root: &HttpRoute<'a>| Condition::All(vec![root.when.clone(), route.when.clone()]);
        let when = root.map_or_else(|| route.when.clone(), both);
        match &route.action {
            Action::Answer(what) => {
                let nothing = Destination::new(what, Selector::Nothing, 1, route.at.line());
                self.push(route, when, vec![nothing]);
            }
            Action::Route(targets) => self.targets(route, when, targets, service.namespace, root),
            Action::Delegate { at, .. } if root.is_some() => {
                at.problem("a delegate that delegates", "routes: delegation goes one level deep");
            }
            Action::Delegate { name, namespace, at } => {
                let rules = self.rules;
                let found = rules.services.iter().find(|s| s.name == *name && s.namespace == *namespace);
                match found.filter(|s| s.hosts.is_empty()) {
                    Some(delegate) => delegate.routes.iter().for_each(|r| self.route(r, delegate, Some(route))),
                    None => at.problem(
                        format!("there is no VirtualService `{name}` without hosts in namespace `{namespace}`"),
                        "the name of a delegate in the same rules",
                    ),
                }
            }
        }
    }

    fn targets(
        &mut self,
        route: &HttpRoute<'a>,
        when: Condition,
        targets: &[Target<'a>],
        namespace: &str,
        root: Option<&HttpRoute<'a>>,
    ) {
        let placeholder = |t: &Target<'a>| {
            let fallbacks = t.fallback.iter().flatten().map(|f| f.place.subset);
            std::iter::once(t.place.subset).chain(fallbacks).any(|s| s.starts_with('$'))
        };
        let policy = merged(&route.policy, root.map(|r| &r.policy));
        // `$trafficLabel` where subsets are written: a route for each of them, then one for every other label.
        if targets.iter().any(placeholder) && !self.subsets.is_empty() && self.key().is_none() {
            for name in self.subsets.iter().map(|s| s.name).collect::<Vec<_>>() {
                let tagged = Condition::Is(Field::Tag, Test::Exact(name.into()));
                let when = Condition::All(vec![when.clone(), tagged]);
                let made = self.destinations(targets, namespace, Some(name), &policy);
                self.push(route, when, made);
            }
        }
        let made = self.destinations(targets, namespace, None, &policy);
        self.push(route, when, made);
    }

    fn push(&mut self, route: &HttpRoute<'a>, when: Condition, destinations: Vec<Destination>) {
        self.routes.push(Route {
            name: route.name.into(),
            line: route.at.line(),
            when,
            destinations,
            draw: Draw::Written,
            if_nothing: IfNothing::Fail,
        });
    }

    /// The destinations of a route, where the request's label is `tag`; `None`: none of the written subsets.
    fn destinations(
        &self,
        targets: &[Target<'a>],
        namespace: &str,
        tag: Option<&str>,
        policy: &Policy,
    ) -> Vec<Destination> {
        let mut made: Vec<Destination> = Vec::with_capacity(targets.len());
        for target in targets {
            let name = self.title(target.place, namespace, tag);
            let select = self.select(target.place, namespace, tag);
            let mut destination = Destination::new(&name, select, target.weight, target.at.line());
            destination.policy = self.policy(target.place, tag, policy);
            made.push(destination);
        }
        let mut at = 0;
        let mut open: Vec<[Option<Fallback<'a>>; 2]> = targets.iter().map(|t| t.fallback).collect();
        while at < open.len() {
            for (case, fallback) in open[at].into_iter().enumerate() {
                let Some(Fallback { place, at: value }) = fallback else { continue };
                let known = targets.iter().position(|t| same_place(t.place, place, namespace));
                let to = known.unwrap_or_else(|| {
                    let select = self.select(place, namespace, tag);
                    let mut destination = Destination::new(&self.title(place, namespace, tag), select, 0, value.line());
                    destination.policy = self.policy(place, tag, policy);
                    made.push(destination);
                    made.len() - 1
                });
                made[at].fallback[case] = u16::try_from(to).ok();
            }
            at += 1;
        }
        open.clear();
        made
    }

    fn title(&self, place: Place<'a>, namespace: &str, tag: Option<&str>) -> String {
        match (self.is_mine(place.host, namespace), place.subset) {
            (true, subset) if subset.starts_with('$') && tag.is_some() => {
                format!("{} ({subset})", tag.unwrap_or(""))
            }
            (true, "") => "every instance".into(),
            (true, subset) => subset.into(),
            (false, "") => format!("host {}", place.host),
            (false, subset) => format!("host {} subset {subset}", place.host),
        }
    }

    /// Whether a destination's host is the one that is called.
    fn is_mine(&self, host: &str, namespace: &str) -> bool {
        if host.is_empty() {
            return true;
        }
        let host = Host::read(host, namespace);
        let same_app = || match (&host, self.host) {
            (Host::App(_) | Host::Exact(_), Host::App(_) | Host::Exact(_)) => host.covers(self.host),
            _ => false,
        };
        host == *self.host || host == Host::Any || same_app()
    }

    fn select(&self, place: Place<'a>, namespace: &str, tag: Option<&str>) -> Selector {
        if !self.is_mine(place.host, namespace) {
            return self.elsewhere(place, namespace);
        }
        let subset = match place.subset.strip_prefix('$') {
            None => place.subset,
            Some(_) => match (tag, self.key()) {
                (Some(tag), _) => tag,
                (None, Some(key)) => return Selector::Label { label: key.into(), from: Field::Tag },
                (None, None) => return Selector::Nothing,
            },
        };
        self.subset(subset)
    }

    fn subset(&self, subset: &str) -> Selector {
        let labels = match self.subsets.iter().find(|s| s.name == subset) {
            _ if subset.is_empty() => Vec::new(),
            Some(subset) => subset.labels.clone(),
            None => match self.key() {
                Some(key) => vec![(key, subset)],
                None => return Selector::Nothing,
            },
        };
        let test =
            |(name, value): &(&str, &str)| Condition::Is(Field::Label((*name).into()), Test::Exact((*value).into()));
        let listed = match labels.is_empty() {
            true => Selector::All,
            false => Selector::Where(Condition::All(labels.iter().map(test).collect())),
        };
        let has = |own: &[(&str, &str)]| labels.iter().all(|label| own.contains(label));
        let written = self.endpoints.iter().filter(|(_, own)| has(own)).map(|(address, _)| Box::from(*address));
        with_addresses(listed, written.collect())
    }

    /// Another host: its instances are known where a ServiceEntry gives them.
    fn elsewhere(&self, place: Place<'a>, namespace: &str) -> Selector {
        let host = Host::read(place.host, namespace);
        let other = Making::new(self.rules, &host);
        let labels = other.subsets.iter().find(|s| s.name == place.subset).map(|s| &s.labels);
        if labels.is_none() && !place.subset.is_empty() {
            return Selector::Nothing;
        }
        let has = |own: &[(&str, &str)]| labels.is_none_or(|l| l.iter().all(|label| own.contains(label)));
        let written = other.endpoints.iter().filter(|(_, own)| has(own)).map(|(address, _)| Box::from(*address));
        Selector::Addresses(written.collect())
    }

    /// The label of which every value is a subset: ASM's dynamic subsets, or an application without a
    /// DestinationRule, where instances carry the label that workloads are tagged with.
    fn key(&self) -> Option<&'r str> {
        if !self.rules.scope.asm {
            return None;
        }
        match self.traffic.iter().find_map(|t| t.keys.first()) {
            Some(key) => Some(key),
            None => self.traffic.is_empty().then_some(super::ASM_TAG_LABEL),
        }
    }

    /// The route's policy with what the DestinationRule adds: the port's, else the subset's, else the host's.
    fn policy(&self, place: Place<'a>, tag: Option<&str>, policy: &Policy) -> Policy {
        let name = if place.subset.starts_with('$') { tag.unwrap_or("") } else { place.subset };
        let subset = self.subsets.iter().find(|s| s.name == name && !name.is_empty()).map(|s| &s.traffic);
        let levels = subset.into_iter().chain(self.traffic.iter().copied());
        let port = place.port.and_then(|port| {
            levels.clone().find_map(|t| t.ports.iter().find(|(number, _)| *number == port).map(|(_, t)| t))
        });
        let levels: Vec<&Traffic> = port.into_iter().chain(levels).collect();
        Policy {
            balance: levels.iter().find_map(|t| t.balance.clone()),
            outliers: levels.iter().find_map(|t| t.outliers.clone()),
            ..policy.clone()
        }
    }
}

fn with_addresses(listed: Selector, addresses: Vec<Box<str>>) -> Selector {
    match addresses.is_empty() {
        true => listed,
        false => Selector::Union(vec![listed, Selector::Addresses(addresses)]),
    }
}

/// A delegate keeps what it says itself and takes the rest from its root.
fn merged(own: &Policy, root: Option<&Policy>) -> Policy {
    let Some(root) = root else { return own.clone() };
    Policy {
        mirror: if own.mirror.is_empty() { root.mirror.clone() } else { own.mirror.clone() },
        delay: own.delay.or(root.delay),
        abort: own.abort.clone().or_else(|| root.abort.clone()),
        timeout: own.timeout.or(root.timeout),
        retries: own.retries.clone().or_else(|| root.retries.clone()),
        balance: None,
        outliers: None,
    }
}

fn same_place(one: Place<'_>, other: Place<'_>, namespace: &str) -> bool {
    let wild = |host: &str| host.is_empty() || Host::read(host, namespace) == Host::Any;
    let hosts = one.host == other.host || wild(one.host) || wild(other.host);
    hosts && one.subset == other.subset
}

/// Names of a service that no VirtualService speaks of, for the lanes of ASM.
pub(crate) fn names_of(name: &str, namespace: &str, caller: &str) -> Vec<Name> {
    Host::read(name, namespace).names(name, caller)
}
