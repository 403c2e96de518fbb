//! The one model that every rule dialect lowers to, and what decides with it.
//!
//! text → a dialect (`rules/dialect`) → [`Model`] → [`plan::Plan`] for one list → [`decide::decide`].
//!
//! A service has a chain of [`Stage`]s. Each starts from the instances that the one before left, finds the first
//! [`Route`] whose condition holds, draws one of its weighted [`Destination`]s, follows fallbacks, and leaves the
//! instances of that destination. What is left at the end is the set from which the caller picks.

pub mod chain;
pub mod condition;
pub mod decide;
pub mod explain;
mod index;
pub mod pattern;
pub mod plan;
mod select;
pub mod share;
pub mod tags;
mod weights;

#[cfg(test)]
mod tests;

pub use condition::{Condition, Field, Test};

use std::sync::Arc;

/// Rules of any dialect, lowered.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// How a request gets its tag: the first rule that holds and gives a valid one. None: the tag it came with.
    pub tags: Vec<TagRule>,
    /// In each layer at most one entry applies to a service; the layers' stages follow each other.
    pub layers: Vec<Layer>,
}

/// One source of a request's tag.
#[derive(Clone, Debug)]
pub struct TagRule {
    /// For which requests.
    pub when: Condition,
    /// What gives the tag.
    pub from: TagSource,
    /// Line in the rule text.
    pub line: u32,
}

/// What gives a tag.
#[derive(Clone, Debug, PartialEq)]
pub enum TagSource {
    /// The value of a field; a value that is no tag gives none.
    Field(Field),
    /// Always this one.
    Fixed(Box<str>),
    /// What the trace-id table knows under the value of a field.
    Table(Field),
    /// No tag, and no later rule is asked.
    Nothing,
}

/// Entries of which the most specific one applies: an exact name before a suffix, the longest suffix, then any.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// In file order.
    pub services: Vec<Service>,
}

/// The chain of one service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Matches any of the list's names.
    pub names: Vec<Name>,
    /// In the order in which they narrow.
    pub stages: Vec<Arc<Stage>>,
    /// Line in the rule text.
    pub line: u32,
}

/// Which services an entry is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// This one.
    Exact(Box<str>),
    /// Those that end so: `.svc.cluster.local`.
    Suffix(Box<str>),
    /// Every one.
    Any,
}

/// Routes of which the first that holds decides.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What it is called when explained: `VirtualService pricing`, `condition rule`.
    pub title: Box<str>,
    /// First match wins.
    pub routes: Vec<Route>,
    /// What happens when none holds.
    pub otherwise: Otherwise,
}

/// The caller, whose values never change in its process.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Its service's name.
    pub service: Option<Arc<str>>,
    /// Its address.
    pub host: Option<Arc<str>>,
    /// Labels, or the parameters of its URL.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
}

impl Caller {
    /// The value of one of its fields.
    pub fn value(&self, field: &Field) -> Option<&str> {
        match field {
            Field::CallerService => self.service.as_deref(),
            Field::CallerHost => self.host.as_deref(),
            Field::CallerLabel(name) => self.labels.iter().find(|(n, _)| **n == **name).map(|(_, v)| &**v),
            _ => None,
        }
    }
}

/// What a stage does when no route holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// Leaves the set as it is.
    Keep,
    /// Leaves nothing.
    Fail,
}

/// Where requests go that fulfil a condition.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in the text; may be empty.
    pub name: Box<str>,
    /// Line in the rule text.
    pub line: u32,
    /// For which requests.
    pub when: Condition,
    /// Drawn by weight; those that only a fallback reaches have weight 0.
    pub destinations: Vec<Destination>,
    /// Which destinations take part in the draw.
    pub draw: Draw,
    /// What happens when the drawn destination and its fallbacks have nothing usable.
    pub if_nothing: IfNothing,
}

/// Which destinations are drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Draw {
    /// All with a weight, by chance.
    Written,
    /// Those with a weight that have (after fallbacks) usable instances, by chance.
    Usable,
    /// All with a weight, by the bucket of a field's value (design §6.7): the same value, the same destination.
    /// A request without the value is drawn by chance.
    Stable {
        /// The key.
        field: Field,
        /// The salt.
        salt: Box<str>,
    },
}

/// What happens when nothing usable is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfNothing {
    /// The decision fails: nothing is left.
    Fail,
    /// The set stays as it was before this stage.
    Keep,
    /// The next route of the stage that holds.
    Next,
    /// The next other destination, then the ones before it, that has something usable (weight or not); else the set
    /// stays as it was before this stage. Destinations that only a fallback reaches are none: they stand last.
    OtherThenKeep,
    /// The set is what the list has, and no further stage is asked.
    Reset,
    /// The last route of the stage, whatever stands between.
    Last,
}

/// A weighted destination.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What it is called when explained: the subset's name.
    pub name: Box<str>,
    /// Which instances.
    pub select: Selector,
    /// Parts of the sum of all weights. 0 is never drawn.
    pub weight: u32,
    /// `[noinstances, noavailabled]`: the position of the destination, in the same route, to go on with.
    pub fallback: [Option<u16>; 2],
    /// With less than this share of the usable instances of the set before, it counts as one without instances.
    pub least: Share,
    /// What is done with the calls that go there.
    pub policy: Policy,
    /// Line in the rule text.
    pub line: u32,
}

/// Which instances of the set before.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// All.
    All,
    /// None: a destination that can never serve, such as an unknown subset of a dialect that tolerates it.
    Nothing,
    /// Those without a registered tag (design §3).
    Baseline,
    /// Those whose registered tag is this.
    Tag(Box<str>),
    /// Those whose registered tag is the request's; a request without a tag: none.
    TagOfRequest,
    /// Those whose label equals a value of the request. O(1): indexed by value when the list is published.
    Label {
        /// Name of the instances' label.
        label: Box<str>,
        /// Where the wanted value comes from; absent: none is selected.
        from: Field,
    },
    /// Those for which a condition over [`Field::Label`], [`Field::InstanceHost`] … holds. It may name values of the
    /// caller (known when the list is published); with values of the request it is evaluated at each decision.
    Where(Condition),
    /// `host:port`s, also such that no registry gives (mocks): those are added to the list.
    Addresses(Vec<Box<str>>),
    /// All of these together; parts that depend on a value of the request select nothing here.
    Union(Vec<Selector>),
}

/// What is done with a call besides choosing its instance. The caller applies what it can.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Copies of the request: where to (host, subset) and for which share.
    pub mirror: Vec<Mirror>,
    /// Wait before sending: milliseconds and for which share.
    pub delay: Option<(u32, Share)>,
    /// Answer this status in place of sending: HTTP status, or gRPC status by name, and for which share.
    pub abort: Option<(Box<str>, Share)>,
    /// Milliseconds for the whole call.
    pub timeout: Option<u32>,
    /// Tries after the first.
    pub retries: Option<Retries>,
    /// How the caller's framework should pick within the set.
    pub balance: Option<Balance>,
    /// When an instance is left out for failing.
    pub outliers: Option<Outliers>,
}

/// Parts of 1,000,000.
pub type Share = u32;

/// One mirror.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// Host of the service that gets the copies.
    pub host: Box<str>,
    /// Its subset; empty for all.
    pub subset: Box<str>,
    /// For which share.
    pub share: Share,
}

/// How often and when a call is tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// At most so many more tries.
    pub attempts: u32,
    /// Milliseconds for each.
    pub per_try: Option<u32>,
    /// Conditions as the dialect spells them: `5xx`, `unavailable`.
    pub on: Vec<Box<str>>,
}

/// How to pick within a set.
#[derive(Clone, Debug, PartialEq)]
pub enum Balance {
    /// By chance.
    Random,
    /// In turn.
    RoundRobin,
    /// The one with the fewest requests.
    LeastRequest,
    /// The address that was dialled.
    Passthrough,
    /// The same value, the same instance, as long as it is there.
    ConsistentHash(Field),
}

/// When an instance is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outliers {
    /// After so many failures in a row.
    pub consecutive: u32,
    /// Looked at every so many milliseconds.
    pub interval: u32,
    /// For so many milliseconds at first.
    pub ejection: u32,
    /// At most this part of the instances, in per cent.
    pub most: u32,
}

impl Destination {
    /// A destination without fallback and policy.
    pub fn new(name: &str, select: Selector, weight: u32, line: u32) -> Destination {
        Destination {
            name: name.into(),
            select,
            weight,
            fallback: [None; 2],
            least: 0,
            policy: Policy::default(),
            line,
        }
    }
}

impl Model {
    /// The entries that apply to a list of these names, one a layer at most. `host:port` is also a name without port.
    pub fn services_of<'m>(&'m self, names: &[impl AsRef<str>]) -> Vec<&'m Service> {
        let bare = |name: &'_ str| match name.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host.len(),
            _ => name.len(),
        };
        let names: Vec<&str> = names.iter().map(|n| n.as_ref()).flat_map(|n| [n, &n[..bare(n)]]).collect();
        let rank = |name: &Name| match name {
            Name::Exact(exact) => names.contains(&&**exact).then_some(usize::MAX),
            Name::Suffix(suffix) => names.iter().any(|n| n.ends_with(&**suffix)).then_some(suffix.len() + 1),
            Name::Any => Some(0),
        };
        let best = |layer: &'m Layer| {
            let ranked = layer.services.iter().filter_map(|s| Some((s.names.iter().filter_map(rank).max()?, s)));
            // The first of the most specific: `max_by_key` would give the last.
            ranked.rev().max_by_key(|(rank, _)| *rank).map(|(_, service)| service)
        };
        self.layers.iter().filter_map(best).collect()
    }

    /// The tags that the rules name: a request's tag is told by number, so these must have one.
    pub fn tags_named(&self) -> Vec<Box<str>> {
        let mut named: Vec<Box<str>> = Vec::new();
        for rule in &self.tags {
            if let TagSource::Fixed(tag) = &rule.from {
                named.push(tag.clone());
            }
        }
        for stage in self.stages() {
            for route in &stage.routes {
                route.when.each_test(&mut |field, test| {
                    if *field == Field::Tag {
                        test.each_word(&mut |word| named.push(word.into()));
                    }
                });
                named.extend(route.destinations.iter().filter_map(|d| match &d.select {
                    Selector::Tag(tag) => Some(tag.clone()),
                    _ => None,
                }));
            }
        }
        named.retain(|tag| crate::tag::parse(tag.as_bytes()).is_some());
        named.sort_unstable();
        named.dedup();
        named
    }

    /// The labels of instances that the rules select by.
    pub fn labels_named(&self) -> Vec<Box<str>> {
        let mut named: Vec<Box<str>> = Vec::new();
        let destinations = self.stages().flat_map(|s| &s.routes).flat_map(|r| &r.destinations);
        for destination in destinations {
            match &destination.select {
                Selector::Label { label, .. } => named.push(label.clone()),
                Selector::Where(condition) => condition.each_field(&mut |field| {
                    if let Field::Label(label) = field {
                        named.push(label.clone());
                    }
                }),
                _ => {}
            }
        }
        named.sort_unstable();
        named.dedup();
        named
    }

    /// What the rules read of the calling process, each once.
    pub fn caller_fields(&self) -> Vec<Field> {
        let mut read: Vec<Field> = Vec::new();
        let mut note = |field: &Field| {
            if field.of_caller() && !read.contains(field) {
                read.push(field.clone());
            }
        };
        for rule in &self.tags {
            rule.when.each_field(&mut note);
            if let TagSource::Field(field) | TagSource::Table(field) = &rule.from {
                note(field);
            }
        }
        for route in self.stages().flat_map(|stage| &stage.routes) {
            route.when.each_field(&mut note);
            for destination in &route.destinations {
                match &destination.select {
                    Selector::Label { from, .. } => note(from),
                    Selector::Where(condition) => condition.each_field(&mut note),
                    _ => {}
                }
            }
        }
        read
    }

    fn stages(&self) -> impl Iterator<Item = &Arc<Stage>> {
        self.layers.iter().flat_map(|l| &l.services).flat_map(|s| &s.stages)
    }

    /// Circles of fallbacks and targets that do not exist; each with the line of the destination.
    pub fn broken_fallbacks(&self) -> Vec<(u32, String)> {
        let mut broken = Vec::new();
        for stage in self.stages() {
            for route in &stage.routes {
                route.broken_fallbacks(&mut broken);
            }
        }
        broken
    }
}

impl Route {
    fn broken_fallbacks(&self, broken: &mut Vec<(u32, String)>) {
        for (start, destination) in self.destinations.iter().enumerate() {
            for target in destination.fallback.iter().flatten() {
                if usize::from(*target) >= self.destinations.len() {
                    broken.push((destination.line, format!("`{}` falls back to nothing", destination.name)));
                }
            }
            // The two cases alternate freely on the way, so every way is followed.
            let mut seen = vec![false; self.destinations.len()];
            let mut open = vec![start];
            while let Some(at) = open.pop() {
                for target in self.destinations[at].fallback.iter().flatten().map(|t| usize::from(*t)) {
                    if target == start {
                        let text = format!("the fallbacks of `{}` run in a circle", destination.name);
                        if !broken.contains(&(destination.line, text.clone())) {
                            broken.push((destination.line, text));
                        }
                    } else if target < seen.len() && !std::mem::replace(&mut seen[target], true) {
                        open.push(target);
                    }
                }
            }
        }
    }
}
