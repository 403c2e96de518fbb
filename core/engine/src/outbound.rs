//! A call goes out: which of the instances may serve it, and may carriers be written towards it?

use crate::count::Counter;
use crate::engine::Engine;
use crate::inbound::Kind;
use crate::process;
use std::sync::Arc;
use trilane_lane::Mode;
use trilane_lane::carrier;
use trilane_lane::list::{EVERYONE, List};
use trilane_lane::metadata;
use trilane_lane::route::{Case, Decision, route};
use trilane_lane::tag::{self, TagId};
use trilane_lane::target;

/// The answer's flag: rules, health or the list moved; read the subsets again and ask once more.
pub const STALE: u64 = 1 << 56;
/// The answer's flag: the framework's own choice stands, as if the library were not there.
pub const OFF: u64 = 2 << 56;
/// The answer's flag: the framework's own choice stands; this is what would have been done.
pub const OBSERVE: u64 = 4 << 56;
/// The answer's flag: the request does not meet its own lane.
pub const FALLBACK: u64 = 8 << 56;
/// No instance.
pub const NO_INDEX: u32 = u32::MAX;
/// No subset.
pub const NO_SUBSET: u16 = u16::MAX;

impl Engine {
    /// Decides and picks. `stamp` is the one under which the caller read its subsets; `key` is kept for weighted
    /// destinations; `entropy` picks among the usable instances.
    ///
    /// Bits of the answer: 0..32 index ([`NO_INDEX`] none); 32..48 subset ([`NO_SUBSET`] none); 48..56 case (see
    /// [`Case`]); 56..64 flags ([`STALE`], [`OFF`], [`OBSERVE`], [`FALLBACK`]). On case 3 the framework is to be
    /// given an empty list. No lock, no allocation, no system call; O(1) in instances.
    pub fn route(&self, list: u64, tag: TagId, key: u64, entropy: u64, stamp: u32) -> u64 {
        let _ = key;
        self.route_with(list, tag, entropy, stamp, &[])
    }

    /// [`Engine::route`] with the values of [`Engine::route_names`], in their order; `None`, bytes that are no UTF-8
    /// and values past the end count as absent. One crossing.
    pub fn route_with(&self, list: u64, tag: TagId, entropy: u64, stamp: u32, values: &[Option<&[u8]>]) -> u64 {
        if process::disabled() {
            return nothing() | OFF;
        }
        let Some(published) = self.lists.get(list) else { return self.stale() };
        let Some(published) = published.as_ref() else { return self.stale() };
        if published.list.mode() == Mode::Off {
            return nothing() | OFF;
        }
        if published.list.stamp() != stamp {
            return self.stale();
        }
        let decision = match published.list.plan() {
            Some(plan) => self.planned(plan, tag, entropy, values),
            None => route(&published.list, tag, entropy),
        };
        let before = published.tally.add(decision.case);
        self.sample_out(published, tag, entropy, values, &decision, before == 0);
        if let Some(next) = &published.next {
            self.compare(published, next, tag, entropy, values, &decision);
        }
        if decision.case == Case::Fail {
            published.note_failure(tag);
        }
        if published.list.mode() == Mode::Observe {
            published.tally.observe(before, |chance| differs(&published.list, &decision, chance));
            return pack(&decision) | OBSERVE;
        }
        pack(&decision)
    }

    fn stale(&self) -> u64 {
        self.counts.add(Counter::Stale);
        nothing() | STALE
    }

    /// Writes the positions of a subset's usable instances, ascending, and returns the stamp they belong to; 0 when
    /// the list or the subset is gone.
    pub fn subset(&self, list: u64, subset: u16, out: &mut Vec<u32>) -> u32 {
        out.clear();
        let Some(published) = self.lists.get(list) else { return 0 };
        let Some(published) = published.as_ref() else { return 0 };
        let Some(usable) = published.list.usable(subset) else { return 0 };
        out.extend_from_slice(usable);
        published.list.stamp()
    }

    /// The number of a list's state: moves with every snapshot and every health change; 0 when it is gone.
    pub fn list_stamp(&self, list: u64) -> u32 {
        self.lists.get(list).and_then(|p| p.as_ref().map(|p| p.list.stamp())).unwrap_or(0)
    }

    /// May carriers be written towards this `host[:port]`? (design §3, "Written towards")
    pub fn known(&self, authority: &[u8]) -> bool {
        let Ok(authority) = str::from_utf8(authority) else { return false };
        let state = self.state.load();
        if state.mode != Mode::On || process::disabled() {
            return false;
        }
        let rules = &state.snapshot;
        rules.service_of_authority(authority).is_some()
            || self.lists.holds_address(authority)
            || self.settings.carriers_to.iter().any(|pattern| target::matches(pattern, authority))
            || (!rules.names_authorities() && target::inside_by_form(authority))
    }

    /// The list of the instances that the rules give a dialled authority. It may be replaced by new rules: a route
    /// that stays stale means "ask again". Rules of other dialects name hosts without a port.
    pub fn authority(&self, authority: &[u8]) -> Option<u64> {
        let authority = str::from_utf8(authority).ok()?;
        let state = self.state.load();
        if state.authorities.is_empty() || state.mode == Mode::Off {
            return None;
        }
        let lower;
        let authority = match authority.bytes().any(|b| b.is_ascii_uppercase()) {
            true => {
                lower = authority.to_ascii_lowercase();
                &*lower
            }
            false => authority,
        };
        state.authorities.get(authority).copied().or_else(|| {
            state.snapshot.model()?;
            state.authorities.get(authority.rsplit_once(':')?.0).copied()
        })
    }

    /// The address of an instance.
    pub fn address(&self, list: u64, index: u32) -> Option<Arc<str>> {
        let published = self.lists.get(list)?;
        let list = &published.as_ref()?.list;
        list.instances().get(index as usize).map(|i| i.address.clone())
    }

    /// The names of the carriers to write on an outgoing call of this kind. `baggage` is not among them: it is only
    /// ever extended, by [`Engine::baggage_set`].
    pub fn carriers_write(&self, kind: Kind) -> Vec<String> {
        let fixed: &[&str] = match kind {
            Kind::Http => &[carrier::HEADER],
            Kind::Dubbo => &[carrier::MEMBER, carrier::DUBBO_TAG],
            Kind::Message => &[carrier::MEMBER],
        };
        let extra = self.settings.carriers_write.iter().map(String::as_str);
        fixed.iter().copied().chain(extra).map(str::to_string).collect()
    }

    /// An existing `baggage` header with our member set, or without it when `tag` is no tag.
    pub fn baggage_set(&self, old: &[u8], tag: &[u8]) -> Vec<u8> {
        carrier::baggage_set(old, tag::parse(tag))
    }

    /// What to add to the metadata under which this process registers. `registry` is `dubbo` or anything else.
    /// Empty unless this is a tagged copy and the library is on.
    pub fn metadata_write(&self, registry: &str) -> Vec<(String, String)> {
        if self.own_tag().is_empty() || self.mode() != Mode::On {
            return Vec::new();
        }
        let keys: &[&str] = match registry {
            "dubbo" => &[metadata::SERVICE_TAG, metadata::DUBBO_TAG],
            _ => &[metadata::SERVICE_TAG],
        };
        let wanted = keys.iter().filter(|k| !self.settings.metadata_skip.iter().any(|skip| skip == *k));
        wanted.map(|k| (k.to_string(), self.own_tag().to_string())).collect()
    }

    /// The keys of an instance's metadata to hand to [`Engine::list_new`]; one that ends in `*` is a prefix. Rules of
    /// other dialects add the labels that they select by.
    pub fn metadata_keys(&self) -> Vec<String> {
        let mut keys = metadata::keys(&self.settings.metadata_read);
        if let Some(model) = self.state.load().snapshot.model() {
            keys.extend(model.labels_named().iter().map(|label| label.to_string()));
        }
        keys
    }
}

/// Whether an even pick among all healthy instances, which is what the framework chooses from, leaves the subset.
/// It takes the low half of the chance: the pick inside the subset went by the high bits.
fn differs(list: &List, decision: &Decision, chance: u64) -> bool {
    let everyone = list.usable(EVERYONE).map_or(&[][..], |everyone| everyone);
    let at = ((chance & 0xffff_ffff) * everyone.len() as u64) >> 32;
    let Some(picked) = everyone.get(at as usize) else { return false };
    match decision.subset {
        None => true,
        Some(EVERYONE) => false,
        Some(subset) if list.plan().is_some() => {
            list.usable(subset).is_none_or(|usable| usable.binary_search(picked).is_err())
        }
        Some(subset) => list.subsets().get(subset as usize).map(|s| s.tag) != list.tag(*picked),
    }
}

fn nothing() -> u64 {
    u64::from(NO_INDEX) | u64::from(NO_SUBSET) << 32
}

fn pack(decision: &Decision) -> u64 {
    let index = u64::from(decision.index.unwrap_or(NO_INDEX));
    let subset = u64::from(decision.subset.unwrap_or(NO_SUBSET)) << 32;
    let fallback = matches!(decision.case, Case::NoInstances | Case::NoneAvailable | Case::BaselineMissing);
    index | subset | (decision.case as u64) << 48 | if fallback { FALLBACK } else { 0 }
}

/// The number that means every instance of a list; see [`Engine::subset`].
pub const EVERYONE_SUBSET: u16 = EVERYONE;
