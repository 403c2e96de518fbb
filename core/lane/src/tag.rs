//! Tags: the names of versions of the world, and their numbers in this process.

use std::collections::HashMap;
use std::sync::Arc;

/// The longest tag, in bytes.
pub const MAX_LEN: usize = 63;

/// A tag's number in this process: stable for its life, meaningless outside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagId(pub u16);

impl TagId {
    /// No tag: the baseline.
    pub const NONE: TagId = TagId(0);
    /// A valid tag that nobody here ever named. Carried as bytes, decided as a lane without instances.
    pub const UNKNOWN: TagId = TagId(u16::MAX);
}

/// The text as a tag: `[A-Za-z0-9._-]`, 1 to 63 bytes; anything else is no tag (design §2).
#[inline]
pub fn parse(bytes: &[u8]) -> Option<&str> {
    let fits = (1..=MAX_LEN).contains(&bytes.len());
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if fits && bytes.iter().all(legal) { str::from_utf8(bytes).ok() } else { None }
}

/// The tags that have a number: those that rules name, those of published instances, and the process's own.
///
/// Append-only. A request never adds one, so the table cannot grow by what users send (design §6.3).
#[derive(Clone, Default)]
pub struct Tags {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u16, foldhash::fast::RandomState>,
}

impl Tags {
    /// How many tags fit.
    pub const CAPACITY: usize = u16::MAX as usize - 1;

    /// An empty table.
    pub fn new() -> Tags {
        Tags::default()
    }

    /// The number of a request's tag: [`TagId::NONE`] when it is no tag at all, [`TagId::UNKNOWN`] when nobody named it.
    #[inline]
    pub fn find(&self, tag: &[u8]) -> TagId {
        match parse(tag) {
            None => TagId::NONE,
            Some(tag) => self.ids.get(tag).map_or(TagId::UNKNOWN, |&id| TagId(id)),
        }
    }

    /// Gives a valid tag its number, a new one if need be; [`TagId::UNKNOWN`] once the table is full.
    pub fn intern(&mut self, tag: &str) -> TagId {
        if let Some(&id) = self.ids.get(tag) {
            return TagId(id);
        }
        if self.names.len() == Self::CAPACITY {
            return TagId::UNKNOWN;
        }
        let name: Arc<str> = tag.into();
        self.names.push(name.clone());
        let id = self.names.len() as u16;
        self.ids.insert(name, id);
        TagId(id)
    }

    /// The text of a number; `None` for the baseline and the unknown.
    pub fn name(&self, id: TagId) -> Option<&Arc<str>> {
        self.names.get((id.0 as usize).checked_sub(1)?)
    }

    /// How many tags have a number.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no tag has a number yet.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_requests_add_none() {
        let mut tags = Tags::new();
        assert_eq!(tags.find(b"gray"), TagId::UNKNOWN);
        let gray = tags.intern("gray");
        assert_eq!((tags.intern("gray"), tags.find(b"gray")), (gray, gray));
        assert_eq!(tags.find(b"no/tag"), TagId::NONE);
        assert_eq!(tags.name(gray).map(|n| &**n), Some("gray"));
        assert_eq!((tags.name(TagId::NONE), tags.name(TagId::UNKNOWN)), (None, None));
    }

    #[test]
    fn a_full_table_says_unknown_and_keeps_what_it_has() {
        let mut tags = Tags::new();
        for n in 0..Tags::CAPACITY {
            assert_ne!(tags.intern(&format!("t{n}")), TagId::UNKNOWN);
        }
        assert_eq!(tags.intern("one-more"), TagId::UNKNOWN);
        assert_eq!(tags.find(b"t0"), TagId(1));
    }
}
