//! Published lists by id. Readers take no lock; whoever changes something holds the engine's publishing lock.

use crate::count::{Tallies, Tally};
use crate::shadow::Next;
use arc_swap::{ArcSwapOption, Guard};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use trilane_lane::Mode;
use trilane_lane::list::List;
use trilane_lane::tag::TagId;

const CHUNK: usize = 256;
const CHUNKS: usize = 256;

/// A list under its id. The id is part of the value, so one load answers "is it still that list?".
///
/// What every decision reads is in two cache lines beside each other, and the count of readers in neither.
#[repr(C, align(128))]
pub(crate) struct Published {
    pub id: u64,
    /// The decisions about its service, over all of its lists.
    pub tally: Arc<Tally>,
    /// The same list under the rules in shadow.
    pub next: Option<Box<List>>,
    /// The tag, plus one, of the last request that found nothing here: the ctl thread says so, since a decision does
    /// not log. 0: none.
    pub failed: AtomicU32,
    pub list: List,
}

type Slot = ArcSwapOption<Published>;

/// All slots. Chunks are made when first needed and never freed.
pub(crate) struct Lists {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
    addresses: Addresses,
}

/// What only the holder of the publishing lock touches.
#[derive(Default)]
pub(crate) struct Desk {
    generations: Vec<u32>,
    free: Vec<u32>,
    /// Replaced lists that a reader may still look at. They are freed here, so that no reader ever frees one.
    retired: Vec<Arc<Published>>,
    stamp: u32,
    pub tallies: Tallies,
    /// The rules in shadow.
    pub next: Option<Arc<Next>>,
}

impl Lists {
    pub fn new() -> Lists {
        Lists { chunks: [const { OnceLock::new() }; CHUNKS], addresses: Addresses::new() }
    }

    /// The list of this id, if it still lives. Lock-free.
    pub fn get(&self, id: u64) -> Option<Guard<Option<Arc<Published>>>> {
        let at = (id as u32).checked_sub(1)? as usize;
        let guard = self.chunks.get(at / CHUNK)?.get()?[at % CHUNK].load();
        guard.as_ref().is_some_and(|p| p.id == id).then_some(guard)
    }

    /// Whether an address is an instance of any live list. Lock-free.
    pub fn holds_address(&self, address: &str) -> bool {
        self.addresses.contains(address)
    }

    /// Publishes a new list; `None` when all ids are taken.
    pub fn add(&self, desk: &mut Desk, list: List) -> Option<u64> {
        let at = match desk.free.pop() {
            Some(at) => at,
            None if desk.generations.len() < CHUNK * CHUNKS => {
                desk.generations.push(0);
                desk.generations.len() as u32 - 1
            }
            None => return None,
        };
        desk.generations[at as usize] += 1;
        let id = u64::from(desk.generations[at as usize]) << 32 | u64::from(at + 1);
        self.addresses.update(desk_addresses(&list), 1);
        self.put(desk, id, Some(list));
        Some(id)
    }

    /// Replaces a live list under its id.
    pub fn replace(&self, desk: &mut Desk, id: u64, list: List) {
        if self.get(id).is_some() {
            self.put(desk, id, Some(list));
        }
    }

    /// Takes a list away; its id is never used again for another one.
    pub fn remove(&self, desk: &mut Desk, id: u64) -> bool {
        let Some(addresses) = self.get(id).map(|guard| guard.as_ref().map(|p| p.list.instances().clone())) else {
            return false;
        };
        self.put(desk, id, None);
        desk.free.push(id as u32 - 1);
        let addresses = addresses.iter().flat_map(|i| i.iter()).map(|i| i.address.clone()).collect();
        self.addresses.update(addresses, -1);
        true
    }

    /// The ids of all live lists.
    pub fn ids(&self, desk: &Desk) -> Vec<u64> {
        let id = |at: usize| u64::from(desk.generations[at]) << 32 | (at as u64 + 1);
        (0..desk.generations.len()).map(id).filter(|&id| self.get(id).is_some()).collect()
    }

    fn put(&self, desk: &mut Desk, id: u64, list: Option<List>) {
        let at = id as u32 as usize - 1;
        let chunk = self.chunks[at / CHUNK].get_or_init(|| (0..CHUNK).map(|_| Slot::empty()).collect());
        let new = list.map(|list| {
            let tally = list.names().first().map_or_else(Arc::default, |name| desk.tallies.of(name));
            let next = desk.next.as_ref().map(|next| Box::new(list.reindex(&next.snapshot, Mode::On, 0)));
            Arc::new(Published { id, tally, next, failed: AtomicU32::new(0), list })
        });
        desk.retired.extend(chunk[at % CHUNK].swap(new));
        // A count of one means that no reader holds it and, since it is out of its slot, none can.
        desk.retired.retain(|old| Arc::strong_count(old) > 1);
    }
}

impl Desk {
    /// The next number by which readers tell one state of a list from another; never 0.
    pub fn next_stamp(&mut self) -> u32 {
        self.stamp = self.stamp.wrapping_add(1).max(1);
        self.stamp
    }
}

impl Published {
    pub fn note_failure(&self, tag: TagId) {
        let noted = u32::from(tag.0) + 1;
        if self.failed.load(Ordering::Relaxed) != noted {
            self.failed.store(noted, Ordering::Relaxed);
        }
    }
}

fn desk_addresses(list: &List) -> Vec<Arc<str>> {
    list.instances().iter().map(|i| i.address.clone()).collect()
}

/// The addresses of all live lists, counted. Split so that publishing a small list copies a small part.
struct Addresses([ArcSwapOption<Counted>; 64]);

type Counted = HashMap<Arc<str>, i32, foldhash::fast::FixedState>;

impl Addresses {
    fn new() -> Addresses {
        Addresses([const { ArcSwapOption::const_empty() }; 64])
    }

    fn part(&self, address: &str) -> &ArcSwapOption<Counted> {
        let hash = address.bytes().fold(0u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
        &self.0[hash as usize % self.0.len()]
    }

    fn contains(&self, address: &str) -> bool {
        self.part(address).load().as_ref().is_some_and(|part| part.contains_key(address))
    }

    fn update(&self, addresses: Vec<Arc<str>>, by: i32) {
        let mut parts: HashMap<*const ArcSwapOption<Counted>, (&ArcSwapOption<Counted>, Counted)> = HashMap::new();
        for address in addresses {
            let part = self.part(&address);
            let (_, map) = parts
                .entry(part)
                .or_insert_with(|| (part, part.load().as_ref().map_or_else(Counted::default, |m| Counted::clone(m))));
            let count = map.entry(address.clone()).or_insert(0);
            *count += by;
            if *count <= 0 {
                map.remove(&address);
            }
        }
        for (part, map) in parts.into_values() {
            part.store((!map.is_empty()).then(|| Arc::new(map)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    #[test]
    fn a_decision_finds_the_list_in_the_line_beside_its_id() {
        assert_eq!((offset_of!(Published, id), offset_of!(Published, list)), (0, 64));
        assert!(size_of::<Published>() <= 384, "{}", size_of::<Published>());
    }
}
