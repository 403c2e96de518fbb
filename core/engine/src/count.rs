//! Counters: relaxed, spread over cache lines so that threads do not wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trilane_lane::route::Case;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Decisions that found the request's own lane.
    Own,
    /// Fallbacks because the lane has no instance.
    FallbackNoInstances,
    /// Fallbacks because no instance of the lane is healthy.
    FallbackNoneAvailable,
    /// Decisions that ended with nothing.
    Fail,
    /// Untagged requests served by tagged instances, as the rules allow.
    BaselineMissing,
    /// Decisions asked under an outdated stamp.
    Stale,
    /// Requests that came in with a tag.
    Tagged,
    /// Requests that an entry rule coloured.
    Coloured,
    /// Requests whose carriers disagreed.
    Disagree,
    /// Carriers that held no tag.
    Malformed,
    /// Requests with a tag that nobody named.
    Unknown,
    /// Failures inside a hook; the application went on.
    HookError,
    /// A hook's place was not found in a class of a library that it should fit.
    HookMissing,
    /// Times the framework's own choice stood because ours was outdated twice.
    LeftToFramework,
    /// Requests from which an edge removed carriers.
    EdgeStripped,
    /// Values of passed-through headers that were left behind: too many, too long, not printable.
    PassDropped,
    /// Requests without a tag that came to this tagged copy.
    UntaggedHere,
    /// Libraries whose hooks failed too often and were switched off.
    HookSwitchedOff,
    /// Requests of another lane that reached this copy although their lane has usable instances of this service.
    TagEscaped,
    /// Requests that the rules in shadow were asked to colour.
    NextRequests,
    /// Those that they colour in another way.
    NextRequestsDiffered,
    /// Outgoing calls without a tag that were looked at, from a thread of no known origin, while requests with tags
    /// came in.
    TagLost,
    /// Requests and calls that got the tag that had come with their trace id.
    Traced,
}

/// All counters, in order.
pub const ALL: [(Counter, &str); 23] = [
    (Counter::Own, "own"),
    (Counter::FallbackNoInstances, "fallback_noinstances"),
    (Counter::FallbackNoneAvailable, "fallback_noavailabled"),
    (Counter::Fail, "fail"),
    (Counter::BaselineMissing, "baseline_missing"),
    (Counter::Stale, "stale"),
    (Counter::Tagged, "tagged"),
    (Counter::Coloured, "coloured"),
    (Counter::Disagree, "carrier_disagree"),
    (Counter::Malformed, "carrier_malformed"),
    (Counter::Unknown, "tag_unknown"),
    (Counter::HookError, "hook_error"),
    (Counter::HookMissing, "hook_missing"),
    (Counter::LeftToFramework, "left_to_framework"),
    (Counter::EdgeStripped, "edge_stripped"),
    (Counter::PassDropped, "pass_dropped"),
    (Counter::UntaggedHere, "untagged_here"),
    (Counter::HookSwitchedOff, "hook_switched_off"),
    (Counter::TagEscaped, "tag_escaped"),
    (Counter::NextRequests, "next_requests"),
    (Counter::NextRequestsDiffered, "next_requests_differed"),
    (Counter::TagLost, "tag_lost"),
    (Counter::Traced, "tag_traced"),
];

const SHARDS: usize = 8;

#[derive(Default)]
#[repr(align(128))]
struct Shard([AtomicU64; ALL.len()]);

/// A set of counters.
#[derive(Default)]
pub struct Counts([Shard; SHARDS]);

/// The shard of this thread, by where its stack lies: nothing has to be looked up for it. Threads may share one, and a
/// deep call may get another one; the sums are right all the same.
#[inline]
fn mine() -> usize {
    let here = 0u8;
    let part = (&raw const here as usize >> 16) as u64;
    (part.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61) as usize
}

impl Counts {
    /// Adds one.
    #[inline]
    pub fn add(&self, counter: Counter) {
        self.0[mine()].0[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The sum over all threads.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.iter().map(|shard| shard.0[counter as usize].load(Ordering::Relaxed)).sum()
    }
}

/// What is counted of the decisions about one service: a [`Case`] by its number, then these.
const ALIKE: usize = 5;
const DIFFERED: usize = 6;
const COMPARED: usize = 7;
const NEXT_DIFFERED: usize = 8;

#[derive(Default)]
#[repr(align(128))]
struct TallyShard([AtomicU64; 9]);

/// The decisions about one service, by case; in `observe` also how many would have differed.
#[derive(Default)]
pub struct Tally([TallyShard; SHARDS]);

impl Tally {
    /// Counts a decision; gives how many of its case this thread's part of the tally saw before.
    pub fn add(&self, case: Case) -> u64 {
        self.0[mine()].0[case as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a decision that is only observed, `ordinal` being what [`Tally::add`] gave for it. `differs` gets a number
    /// that is as good as drawn by chance.
    pub fn observe(&self, ordinal: u64, differs: impl FnOnce(u64) -> bool) {
        let at = mine();
        let what = if differs(mixed(ordinal << 3 | at as u64)) { DIFFERED } else { ALIKE };
        self.0[at].0[what].fetch_add(1, Ordering::Relaxed);
    }

    /// How many decisions ended this way.
    pub fn get(&self, case: Case) -> u64 {
        self.sum(case as usize)
    }

    /// Observed decisions, and how many of them an even pick of the framework's would have sent elsewhere.
    pub fn observed(&self) -> (u64, u64) {
        let differed = self.sum(DIFFERED);
        (self.sum(ALIKE) + differed, differed)
    }

    /// Counts a decision that the rules in shadow made as well.
    pub fn compared(&self, differs: bool) {
        let shard = &self.0[mine()].0;
        shard[COMPARED].fetch_add(1, Ordering::Relaxed);
        shard[NEXT_DIFFERED].fetch_add(u64::from(differs), Ordering::Relaxed);
    }

    /// Decisions made by both, and how many of them differ.
    pub fn next(&self) -> (u64, u64) {
        (self.sum(COMPARED), self.sum(NEXT_DIFFERED))
    }

    /// Other rules are in shadow now.
    pub fn forget_next(&self) {
        for shard in &self.0 {
            shard.0[COMPARED].store(0, Ordering::Relaxed);
            shard.0[NEXT_DIFFERED].store(0, Ordering::Relaxed);
        }
    }

    fn sum(&self, at: usize) -> u64 {
        self.0.iter().map(|shard| shard.0[at].load(Ordering::Relaxed)).sum()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn mixed(ordinal: u64) -> u64 {
    let z = ordinal.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// So many services have a tally of their own; all further ones share the last one, `(other)`.
pub const MOST_SERVICES: usize = 1000;

/// The tallies of all services that a list was ever published for. They stay: counters only grow.
#[derive(Default)]
pub struct Tallies(BTreeMap<Arc<str>, Arc<Tally>>);

impl Tallies {
    /// The tally of a service.
    pub fn of(&mut self, service: &Arc<str>) -> Arc<Tally> {
        if let Some(known) = self.0.get(service) {
            return known.clone();
        }
        let name = if self.0.len() < MOST_SERVICES { service.clone() } else { "(other)".into() };
        self.0.entry(name).or_default().clone()
    }

    /// Service and tally, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Tally>)> {
        self.0.iter()
    }
}

/// The case behind a counter of decisions.
pub fn case_of(counter: Counter) -> Option<Case> {
    match counter {
        Counter::Own => Some(Case::Own),
        Counter::FallbackNoInstances => Some(Case::NoInstances),
        Counter::FallbackNoneAvailable => Some(Case::NoneAvailable),
        Counter::Fail => Some(Case::Fail),
        Counter::BaselineMissing => Some(Case::BaselineMissing),
        _ => None,
    }
}
