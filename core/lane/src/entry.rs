//! Entry rules: which requests without a tag does this service colour?

use crate::hash;
use crate::rules::Entry;
use crate::tag::{TagId, Tags};

/// The entry rules of one service, compiled. Deciding allocates nothing.
#[derive(Clone, Debug)]
pub struct EntryPlan {
    /// The lower-case headers that its rules read; values are passed by these positions.
    names: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    tag: TagId,
    /// Position of the header, value it must have.
    when: Vec<(usize, Vec<u8>)>,
    share: Option<Share>,
}

#[derive(Clone, Debug)]
struct Share {
    key: usize,
    salt: Vec<u8>,
    buckets: std::ops::Range<u16>,
}

impl EntryPlan {
    pub(crate) fn compile(entry: &Entry, tags: &mut Tags) -> EntryPlan {
        let mut names: Vec<String> = Vec::new();
        let mut position = |name: &str| {
            names.iter().position(|n| n == name).unwrap_or_else(|| {
                names.push(name.to_string());
                names.len() - 1
            })
        };
        let mut rules = Vec::new();
        for rule in &entry.rules {
            let when = rule.headers.iter().map(|(name, value)| (position(name), value.clone().into_bytes())).collect();
            let share = rule.share.as_ref().map(|s| Share {
                key: position(&s.header),
                salt: s.salt.clone().into_bytes(),
                buckets: s.from..s.to,
            });
            rules.push(Rule { tag: tags.intern(&rule.lane), when, share });
        }
        EntryPlan { names, rules }
    }

    /// The headers to read.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The first rule that matches, by its position in the file, and the tag it gives.
    /// `value` answers for a position in [`EntryPlan::names`]. A request without the key does not match.
    pub fn decide<'v>(&self, value: impl Fn(usize) -> Option<&'v [u8]>) -> Option<(usize, TagId)> {
        let matches = |rule: &Rule| {
            let conditions = rule.when.iter().all(|(name, wanted)| value(*name).is_some_and(|v| v == &wanted[..]));
            let in_share = |share: &Share| {
                let key = value(share.key).filter(|key| !key.is_empty());
                key.is_some_and(|key| share.buckets.contains(&hash::bucket(&share.salt, key)))
            };
            conditions && rule.share.as_ref().is_none_or(in_share)
        };
        let at = self.rules.iter().position(matches)?;
        Some((at, self.rules[at].tag))
    }
}
