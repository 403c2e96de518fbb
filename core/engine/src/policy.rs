//! What rules of another dialect want done with a call besides choosing its instance: told to the caller, which does
//! what it can, and said once where nobody does it.

use crate::dialects::{Call, text_of};
use crate::engine::Engine;
use crate::log::Level;
use std::collections::BTreeMap;
use trilane_lane::Mode;
use trilane_lane::model::decide::{Choose, Entropy, decide};
use trilane_lane::model::{Balance, Destination, Model, Name, Selector, Service};
use trilane_lane::tag::TagId;

/// Shares are parts of this.
const MILLION: u32 = 1_000_000;
/// So many services are spoken of one by one.
const MOST_SERVICES: usize = 50;

/// What is to be done with one call; 0 is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Milliseconds to wait before it is sent.
    pub delay: u32,
    /// The HTTP status to answer in place of sending it.
    pub abort_http: u32,
    /// The gRPC status to answer in place of sending it.
    pub abort_grpc: u32,
    /// Milliseconds for the whole call.
    pub timeout: u32,
}

/// What a policy is called when it is not applied, and by which bindings its hooks apply it.
const KINDS: [(&str, &[&str]); 8] = [
    ("mirror", &[]),
    ("fault delay", &["go", "c"]),
    ("fault abort", &["go", "c"]),
    ("timeout", &["go", "c"]),
    ("retries", &[]),
    ("load balancing kind", &[]),
    ("outlier detection", &[]),
    ("instances outside any registry", &["go", "c"]),
];

impl Engine {
    /// What is to be done with a call besides choosing its instance, where [`Asked::policy`] says that there may be
    /// something. It decides again: with the values and the entropy of [`Engine::route_with`] it is that decision's.
    pub fn policy(&self, list: u64, tag: TagId, entropy: u64, stamp: u32, values: &[Option<&[u8]>]) -> Applied {
        let Some(published) = self.lists.get(list) else { return Applied::default() };
        let Some(published) = published.as_ref() else { return Applied::default() };
        let Some(plan) = published.list.plan() else { return Applied::default() };
        if published.list.stamp() != stamp || published.list.mode() != Mode::On {
            return Applied::default();
        }
        let tags = self.tags.load();
        let facts = Call { plan, values, tag: text_of(&tags, tag) };
        let decision = decide(plan, &facts, &mut Entropy(entropy), &mut ());
        let Some(policy) = decision.policy() else { return Applied::default() };
        // Numbers of their own, independent of those that decided.
        let mut chance = Entropy(entropy.rotate_left(32) ^ 0x6a09_e667_f3bc_c909);
        let mut falls = |share: u32| {
            let share = share.min(MILLION);
            chance.choose(&mut [share, MILLION - share].into_iter(), u64::from(MILLION)) == Some(0)
        };
        let delay = policy.delay.filter(|(_, share)| falls(*share)).map_or(0, |(millis, _)| millis);
        let abort = policy.abort.as_ref().filter(|(_, share)| falls(*share)).map(|(status, _)| &**status);
        let http = abort.and_then(|status| status.parse().ok()).unwrap_or(0);
        let grpc = abort.filter(|_| http == 0).and_then(grpc_status).unwrap_or(0);
        Applied { delay, abort_http: http, abort_grpc: grpc, timeout: policy.timeout.unwrap_or(0) }
    }

    /// Says, once for each service and kind in this process, what this language's hooks do not apply.
    pub(crate) fn say_unapplied(&self, model: &Model) {
        let mut told = self.unapplied.lock();
        for service in model.layers.iter().flat_map(|layer| &layer.services) {
            let name = name_of(service);
            for (kind, line) in kinds_of(service, self.binding) {
                if told.len() >= MOST_SERVICES * KINDS.len() || !told.insert(format!("{name} {kind}")) {
                    continue;
                }
                let how = match self.binding {
                    "java" => "Java's hooks choose instances, the application's own client sends the call",
                    "go" => "Go's hooks choose an instance, and apply delays, aborts and timeouts",
                    _ => "the caller is told an instance, a delay, an abort and a timeout",
                };
                let why = format!("the rules give `{name}` (line {line}) what is not applied here: {kind}; {how}");
                self.log(Level::Warn, "TRL-212", &format!("{name} {kind}"), &why);
            }
        }
    }
}

fn name_of(service: &Service) -> &str {
    match service.names.first() {
        Some(Name::Exact(name) | Name::Suffix(name)) => name,
        Some(Name::Any) | None => "*",
    }
}

/// What a service's destinations have that this binding's hooks do not apply, each with its first line.
fn kinds_of(service: &Service, binding: &str) -> BTreeMap<&'static str, u32> {
    let mut kinds = BTreeMap::new();
    let routes = service.stages.iter().flat_map(|stage| &stage.routes);
    for destination in routes.flat_map(|route| &route.destinations) {
        for (has, (kind, by)) in has(destination, binding).into_iter().zip(KINDS) {
            if has && !by.contains(&binding) {
                kinds.entry(kind).or_insert(destination.line);
            }
        }
    }
    kinds
}

/// In the order of [`KINDS`].
fn has(destination: &Destination, binding: &str) -> [bool; KINDS.len()] {
    let policy = &destination.policy;
    // Where the engine picks, it picks by chance.
    let balanced = policy.balance.as_ref().is_some_and(|kind| binding == "java" || *kind != Balance::Random);
    [
        !policy.mirror.is_empty(),
        policy.delay.is_some(),
        policy.abort.is_some(),
        policy.timeout.is_some(),
        policy.retries.is_some(),
        balanced,
        policy.outliers.is_some(),
        names_addresses(&destination.select),
    ]
}

/// Whether the rules themselves give a service instances.
pub(crate) fn gives_addresses(service: &Service) -> bool {
    let routes = service.stages.iter().flat_map(|stage| &stage.routes);
    routes.flat_map(|route| &route.destinations).any(|destination| names_addresses(&destination.select))
}

fn names_addresses(select: &Selector) -> bool {
    match select {
        Selector::Addresses(addresses) => !addresses.is_empty(),
        Selector::Union(parts) => parts.iter().any(names_addresses),
        _ => false,
    }
}

/// The number of a gRPC status: by its name, as rules write it.
fn grpc_status(name: &str) -> Option<u32> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.iter().position(|known| *known == name).map(|at| at as u32)
}
