//! The compiled form of all rules: numbers in place of names. Immutable, replaced whole.

use super::{Rules, Service, Target};
use crate::entry::EntryPlan;
use crate::model::chain::Chain;
use crate::model::tags::TagPlan;
use crate::model::{Caller, Model};
use crate::tag::{TagId, Tags};
use std::collections::HashMap;
use std::sync::Arc;

type Map<V> = HashMap<Arc<str>, V, foldhash::fast::RandomState>;

/// A [`Target`] with its tag as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// To the untagged instances.
    Baseline,
    /// Stay and fail.
    None,
    /// To every instance.
    All,
    /// One after the other.
    Chain(Arc<[Fallback]>),
    /// To this lane.
    Tag(TagId),
}

/// All rules, compiled.
#[derive(Clone)]
pub struct Snapshot {
    number: u32,
    rules: Rules,
    lanes: HashMap<TagId, Fallback>,
    /// By position in the file.
    lane_ids: Vec<TagId>,
    services: Vec<CompiledService>,
    by_name: Map<usize>,
    by_authority: Map<usize>,
    entries: Vec<EntryPlan>,
    /// Rules of another dialect, and the process that they are compiled for.
    model: Option<(Arc<Model>, Caller)>,
    /// Further keys of metadata that hold an instance's tag.
    metadata: Vec<String>,
}

#[derive(Clone)]
struct CompiledService {
    fallbacks: [Option<Fallback>; 2],
    tags: Map<TagId>,
}

fn fallback(target: &Target, tags: &Tags) -> Fallback {
    match target {
        Target::Baseline => Fallback::Baseline,
        Target::None => Fallback::None,
        Target::All => Fallback::All,
        Target::Tag(tag) => Fallback::Tag(tags.find(tag.as_bytes())),
        Target::Chain(steps) => Fallback::Chain(steps.iter().map(|s| fallback(s, tags)).collect()),
    }
}

impl Snapshot {
    /// Compiles rules, with every share at its full size. `number` counts snapshots from 1; the tags that rules name
    /// get their numbers.
    pub fn compile(rules: Rules, number: u32, tags: &mut Tags) -> Snapshot {
        Snapshot::compile_at(rules, number, tags, u64::MAX)
    }

    /// Compiles rules for a moment, in seconds since 1970.
    pub fn compile_at(rules: Rules, number: u32, tags: &mut Tags, now: u64) -> Snapshot {
        let lane_ids: Vec<TagId> = rules.lanes.iter().map(|lane| tags.intern(&lane.tag)).collect();
        let fallback = |target: &Target| fallback(target, tags);
        let lanes = lane_ids.iter().zip(&rules.lanes).map(|(&id, lane)| (id, fallback(&lane.fallback))).collect();
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
        let entries = rules.entries.iter().map(|e| EntryPlan::compile(e, tags, now)).collect();
        Snapshot {
            number,
            lanes,
            lane_ids,
            services,
            by_name,
            by_authority,
            entries,
            rules,
            model: None,
            metadata: Vec::new(),
        }
    }

    /// Rules of another dialect, compiled for this process; `metadata`: further keys that hold an instance's tag. The
    /// tags that the rules name get their numbers.
    pub fn of_model(
        model: Arc<Model>,
        caller: Caller,
        metadata: Vec<String>,
        number: u32,
        tags: &mut Tags,
    ) -> Snapshot {
        for tag in model.tags_named() {
            tags.intern(&tag);
        }
        Snapshot { model: Some((model, caller)), metadata, ..Snapshot::compile(Rules::default(), number, tags) }
    }

    /// The same rules for a process that knows more of itself now. Lists are to be indexed anew.
    pub fn called_by(&mut self, caller: Caller) {
        if let Some((_, known)) = &mut self.model {
            *known = caller;
        }
    }

    /// Where rules of another dialect say that a tag comes from, compiled for this process.
    pub fn tag_plan(&self) -> Option<TagPlan> {
        let (model, caller) = self.model.as_ref().filter(|(model, _)| !model.tags.is_empty())?;
        Some(TagPlan::new(model, caller))
    }

    /// Rules of another dialect.
    pub fn model(&self) -> Option<&Arc<Model>> {
        self.model.as_ref().map(|(model, _)| model)
    }

    /// The compiled rules of another dialect for a list of these names.
    pub(crate) fn chain_of(&self, names: &[Arc<str>]) -> Option<Arc<Chain>> {
        let (model, caller) = self.model.as_ref()?;
        let chain = Chain::new(&model.services_of(names), caller);
        (!chain.is_empty()).then(|| Arc::new(chain))
    }

    /// Further keys of metadata that hold an instance's tag.
    pub(crate) fn metadata(&self) -> &[String] {
        &self.metadata
    }

    /// Whether a share still grows at this time.
    pub fn grows_at(&self, now: u64) -> bool {
        let rules = self.rules.entries.iter().flat_map(|e| &e.rules);
        rules.filter_map(|r| r.share.as_ref()).any(|share| share.grows_at(now))
    }

    /// The lanes that do not run through a service of these names: those of groups that it is not in.
    pub fn lanes_elsewhere(&self, names: &[Arc<str>]) -> Vec<TagId> {
        let inside = |group: &String| {
            let group = self.rules.groups.iter().find(|g| g.name == *group);
            group.is_none_or(|g| g.services.iter().any(|s| names.iter().any(|n| **n == **s)))
        };
        let lanes = self.rules.lanes.iter().zip(&self.lane_ids);
        lanes.filter(|(lane, _)| lane.group.as_ref().is_some_and(|g| !inside(g))).map(|(_, id)| *id).collect()
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
        let lane = self.lanes.get(&tag).cloned().unwrap_or(Fallback::Baseline);
        let written = service.and_then(|s| self.services.get(s)).map_or([None, None], |s| s.fallbacks.clone());
        written.map(|w| w.unwrap_or_else(|| lane.clone()))
    }

    /// The entry rules of a service; `None` when it does not colour.
    pub fn entry_of(&self, service: &str) -> Option<&EntryPlan> {
        let at = self.rules.entries.iter().position(|e| e.service == service)?;
        self.entries.get(at)
    }
}
