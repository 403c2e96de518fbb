//! Rules: the native rule file, checked and compiled.
//!
//! text → `file` (YAML with positions) → `check` (every problem, not only the first) → [`Rules`] → `snapshot`
//! ([`Snapshot`]: numbers in place of names, tables in place of lists).

mod check;
pub mod dialect;
mod file;
mod problem;
mod snapshot;
pub mod tree;
pub mod walk;

pub use problem::Problem;
pub use snapshot::{Fallback, Snapshot};

use crate::Mode;

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
    /// `entry:` in file order.
    pub entries: Vec<Entry>,
}

/// `lanes[]`.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its tag.
    pub tag: String,
    /// Where its requests go when a service cannot serve them, both cases.
    pub fallback: Target,
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
    /// To the lane of this tag.
    Tag(String),
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
    /// The tag it gives.
    pub lane: String,
    /// `when.header`: lower-case name and exact value.
    pub headers: Vec<(String, String)>,
    /// `percent`, `from`, `key`, `salt`.
    pub share: Option<Share>,
    /// Line in the file.
    pub line: u32,
}

/// A stable share of users: those whose bucket is in `from..to`.
#[derive(Clone, Debug)]
pub struct Share {
    /// First bucket.
    pub from: u16,
    /// The bucket after the last.
    pub to: u16,
    /// Lower-case name of the header that holds the key.
    pub header: String,
    /// Makes one rule's users independent of another's.
    pub salt: String,
}

/// Reads and checks a rule file. `name` is what the problems call it.
///
/// # Errors
/// Every problem that was found; the text is refused as a whole.
pub fn check(name: &str, text: &str) -> Result<Rules, Vec<Problem>> {
    let raw = file::parse(name, text).map_err(|problem| vec![problem])?;
    check::check(name, text, raw)
}
