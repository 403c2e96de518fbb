//! Counters: relaxed, spread over cache lines so that threads do not wait for each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

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
}

/// All counters, in order.
pub const ALL: [(Counter, &str); 14] = [
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
];

const SHARDS: usize = 8;

#[derive(Default)]
#[repr(align(128))]
struct Shard([AtomicU64; ALL.len()]);

/// A set of counters.
#[derive(Default)]
pub struct Counts([Shard; SHARDS]);

static NEXT: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Counts {
    /// Adds one.
    pub fn add(&self, counter: Counter) {
        // A thread that is being torn down has no shard of its own any more.
        let shard = MINE.try_with(|mine| {
            if mine.get() == usize::MAX {
                mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
            }
            mine.get()
        });
        self.0[shard.unwrap_or(0)].0[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The sum over all threads.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.iter().map(|shard| shard.0[counter as usize].load(Ordering::Relaxed)).sum()
    }
}
