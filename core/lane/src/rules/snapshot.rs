//! The compiled form of all rules: numbers in place of names. Immutable, replaced whole.

use super::{Rules, Service, Target};
use crate::entry::EntryPlan;
use crate::tag::{TagId, Tags};
use std::collections::HashMap;
use std::sync::Arc;

type Map<V> = HashMap<Arc<str>, V, foldhash::fast::RandomState>;

/// A [`Target`] with its tag as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// To the untagged instances.
    Baseline,
    /// Stay and fail.
    None,
    /// To this lane.
    Tag(TagId),
}

/// All rules, compiled.
#[derive(Clone)]
pub struct Snapshot {
    number: u32,
    rules: Rules,
    lanes: HashMap<TagId, Fallback>,
    services: Vec<CompiledService>,
    by_name: Map<usize>,
    by_authority: Map<usize>,
    entries: Vec<EntryPlan>,
}

#[derive(Clone)]
struct CompiledService {
    fallbacks: [Option<Fallback>; 2],
    tags: Map<TagId>,
}

impl Snapshot {
    /// Compiles rules. `number` counts snapshots from 1; the tags that rules name get their numbers.
    pub fn compile(rules: Rules, number: u32, tags: &mut Tags) -> Snapshot {
        let lanes: Vec<TagId> = rules.lanes.iter().map(|lane| tags.intern(&lane.tag)).collect();
        let fallback = |target: &Target| match target {
            Target::Baseline => Fallback::Baseline,
            Target::None => Fallback::None,
            Target::Tag(tag) => Fallback::Tag(tags.find(tag.as_bytes())),
        };
        let lanes = lanes.iter().zip(&rules.lanes).map(|(&id, lane)| (id, fallback(&lane.fallback))).collect();
        let service = |s: &Service| CompiledService {
            fallbacks: [s.on_no_instances.as_ref().map(fallback), s.on_none_available.as_ref().map(fallback)],
            tags: s
                .instances
                .iter()
                .filter_map(|i| Some((i.address.as_str().into(), tags.find(i.tag.as_ref()?.as_bytes()))))
                .collect(),
        };
        let services: Vec<CompiledService> = rules.services.iter().map(service).collect();
        let by_name = rules.services.iter().enumerate().map(|(n, s)| (s.name.as_str().into(), n)).collect();
        let authorities = rules.services.iter().enumerate();
        let by_authority = authorities
            .flat_map(|(n, s)| s.authorities.iter().map(move |a| (a.to_ascii_lowercase().into(), n)))
            .collect();
        let entries = rules.entries.iter().map(|e| EntryPlan::compile(e, tags)).collect();
        Snapshot { number, lanes, services, by_name, by_authority, entries, rules }
    }

    /// Counts snapshots of this process from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The same rules under a new number: something else that depends on them moved.
    pub fn renumber(&mut self, number: u32) {
        self.number = number;
    }

    /// The rules as written.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The lanes that the rules name.
    pub fn lanes(&self) -> impl Iterator<Item = TagId> + '_ {
        self.lanes.keys().copied()
    }

    /// The service rule that applies to a list: the first in file order that bears any of its names.
    pub fn service_of(&self, names: &[Arc<str>]) -> Option<usize> {
        names.iter().filter_map(|n| self.by_name.get(n).or_else(|| self.by_authority.get(n))).min().copied()
    }

    /// The service whose `authorities` hold this one; case does not matter, the port does.
    pub fn service_of_authority(&self, authority: &str) -> Option<usize> {
        self.by_authority.get(authority).copied().or_else(|| {
            let upper = authority.bytes().any(|b| b.is_ascii_uppercase());
            if upper { self.by_authority.get(authority.to_ascii_lowercase().as_str()).copied() } else { None }
        })
    }

    /// Whether the rules name any authority.
    pub fn names_authorities(&self) -> bool {
        !self.by_authority.is_empty()
    }

    /// The tag that a service's rule gives an address.
    pub fn tag_by_address(&self, service: usize, address: &str) -> Option<TagId> {
        self.services.get(service)?.tags.get(address).copied()
    }

    /// Where a lane goes on, `[noinstances, noavailabled]`: the service's word, else the lane's, else baseline.
    pub fn fallbacks(&self, service: Option<usize>, tag: TagId) -> [Fallback; 2] {
        let lane = self.lanes.get(&tag).copied().unwrap_or(Fallback::Baseline);
        let written = service.and_then(|s| self.services.get(s)).map_or([None; 2], |s| s.fallbacks);
        written.map(|w| w.unwrap_or(lane))
    }

    /// The entry rules of a service; `None` when it does not colour.
    pub fn entry_of(&self, service: &str) -> Option<&EntryPlan> {
        let at = self.rules.entries.iter().position(|e| e.service == service)?;
        self.entries.get(at)
    }
}
