//! Rules: the native rule file, checked and compiled.
//!
//! text → `tree` (YAML with positions) → `native` (every problem, not only the first) → [`Rules`] → `snapshot`
//! ([`Snapshot`]: numbers in place of names, tables in place of lists). Other dialects: [`dialect`].

pub mod dialect;
mod native;
mod problem;
mod snapshot;
pub mod tree;
pub mod walk;

pub use problem::Problem;
pub use snapshot::{Fallback, Snapshot};

use crate::Mode;
use crate::model::{Condition, Field};

/// The largest rule file that is read, in bytes.
pub const MAX_FILE: usize = 4 << 20;

/// A checked rule file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `mode:` of the file.
    pub mode: Option<Mode>,
    /// `hooks:` library → on.
    pub hooks: Vec<(String, bool)>,
    /// `lanes:` in file order.
    pub lanes: Vec<Lane>,
    /// `services:` in file order.
    pub services: Vec<Service>,
    /// `groups:` in file order.
    pub groups: Vec<Group>,
    /// `entry:` in file order.
    pub entries: Vec<Entry>,
    /// `trust.when`: carriers of other requests are not believed. None: all are believed.
    pub trust: Option<Condition>,
    /// `show:` names of headers, lower-case, whose values samples of incoming requests show.
    pub show: Vec<String>,
    /// What its writer should know although the file is accepted, each with its place.
    pub notes: Vec<Problem>,
}

/// `groups[]`: the services that a group's lanes run through.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Elsewhere its lanes' requests are served by the baseline.
    pub services: Vec<String>,
}

/// `lanes[]`.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its tag.
    pub tag: String,
    /// Where its requests go when a service cannot serve them, both cases.
    pub fallback: Target,
    /// Its group; none: the lane runs through every service.
    pub group: Option<String>,
    /// Line in the file.
    pub line: u32,
}

/// Where a fallback leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the untagged instances.
    Baseline,
    /// Nowhere: stay and fail.
    None,
    /// To every instance, tagged or not.
    All,
    /// To the lane of this tag.
    Tag(String),
    /// One after the other; past the last one: fail.
    Chain(Vec<Target>),
}

/// `services[]`.
#[derive(Clone, Debug)]
pub struct Service {
    /// Matches any of a list's names.
    pub name: String,
    /// Lowers the mode for this service.
    pub mode: Option<Mode>,
    /// What callers dial: `host:port`.
    pub authorities: Vec<String>,
    /// Instances that no registry gives, or tags by address.
    pub instances: Vec<Address>,
    /// `fallback.noinstances`.
    pub on_no_instances: Option<Target>,
    /// `fallback.noavailabled`.
    pub on_none_available: Option<Target>,
    /// For untagged requests where only tagged instances exist.
    pub baseline_missing: BaselineMissing,
    /// Line in the file.
    pub line: u32,
}

/// `services[].instances[]`.
#[derive(Clone, Debug)]
pub struct Address {
    /// `host:port`.
    pub address: String,
    /// Its tag; none = baseline, or whatever its registry says.
    pub tag: Option<String>,
}

/// `services[].baseline_missing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BaselineMissing {
    /// The framework's own error, and one line in the log.
    #[default]
    Reject,
    /// Every instance serves; explained and counted.
    All,
}

/// `entry[]`: the rules by which one service colours requests.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The service that colours.
    pub service: String,
    /// First match wins.
    pub rules: Vec<EntryRule>,
}

/// `entry[].rules[]`. All of its conditions hold together.
#[derive(Clone, Debug)]
pub struct EntryRule {
    /// The tag it gives; none: the request stays untagged, and no later rule is asked.
    pub lane: Option<String>,
    /// `when`.
    pub when: Condition,
    /// `percent`, `from`, `key`, `salt`, `random`, `warmup`.
    pub share: Option<Share>,
    /// Line in the file.
    pub line: u32,
}

/// A share of users: those whose bucket is in `from..to`; without a key a share by chance.
#[derive(Clone, Debug)]
pub struct Share {
    /// First bucket.
    pub from: u16,
    /// The bucket after the last.
    pub to: u16,
    /// What holds the key; none: by chance.
    pub key: Option<Field>,
    /// Makes one rule's users independent of another's.
    pub salt: String,
    /// Whether `from` stands in the file.
    pub from_written: bool,
    /// How the share grows at first.
    pub warmup: Option<Warmup>,
}

/// A share that grows from nothing to its full size: after t of `seconds`, (t / seconds) ^ `curve` of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    /// When it begins, in seconds since 1970.
    pub start: u64,
    /// How long it takes.
    pub seconds: u32,
    /// 1: even; above: slow at first.
    pub curve: f64,
}

impl Share {
    /// The bucket after the last at this time, in seconds since 1970. It never goes back as time goes on.
    pub fn end_at(&self, now: u64) -> u16 {
        let Some(Warmup { start, seconds, curve }) = self.warmup else { return self.to };
        let part = (now.saturating_sub(start) as f64 / f64::from(seconds)).min(1.0).powf(curve);
        self.from + (f64::from(self.to - self.from) * part) as u16
    }

    /// Whether it still grows at this time.
    pub fn grows_at(&self, now: u64) -> bool {
        self.warmup.is_some_and(|w| now < w.start + u64::from(w.seconds))
    }
}

/// Reads and checks a rule file. `name` is what the problems call it.
///
/// # Errors
/// Every problem that was found; the text is refused as a whole.
pub fn check(name: &str, text: &str) -> Result<Rules, Vec<Problem>> {
    native::read(name, text)
}
