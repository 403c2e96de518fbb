//! The last sampled decisions: slots of fixed size, each written whole or seen as not there.
//!
//! Deciding threads write, `trilane-ctl` reads. A slot is a sequence lock over words (Boehm, "Can seqlocks get along
//! with programming language memory models?", 2012): no lock that waits, no allocation, no system call. Whoever meets
//! a slot that is being written lets its sample go.
//!
//! What is sampled: so many a second of each [`Class`] (`trilane-ctl` refills), and the first of each case of each
//! service. A calm process so keeps everything, a busy one some of each class.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Words of a slot; the first is its sequence number.
pub const WORDS: usize = 64;
/// A sample is all of it but the sequence number.
pub type Sample = [u64; WORDS - 1];

/// What a sample is about; each has its own slots, so that a flood of one does not wash away the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A request came in.
    In,
    /// A call found its own lane.
    Own,
    /// A call fell back or failed.
    Other,
    /// A request reached a copy that is not of its lane.
    Escape,
}

const CLASSES: [Class; 4] = [Class::In, Class::Own, Class::Other, Class::Escape];
/// How many slots each class has, and how many it may fill in a second.
const SLOTS: [usize; 4] = [16, 16, 24, 8];
const A_SECOND: [u32; 4] = [4, 4, 8, 1];

/// The slots. Made when the first list is published or the first tag was seen.
pub struct Ring {
    classes: [Part; 4],
    salt: u64,
    /// Seconds since 1970 at the last refill: a decision does not ask for the time.
    now: AtomicU64,
}

#[repr(align(128))]
struct Part {
    left: AtomicU32,
    next: AtomicU32,
    slots: Box<[[AtomicU64; WORDS]]>,
}

impl Ring {
    pub fn new(now: u64) -> Ring {
        let part = |class: Class| Part {
            left: AtomicU32::new(A_SECOND[class as usize]),
            next: AtomicU32::new(0),
            slots: (0..SLOTS[class as usize]).map(|_| [const { AtomicU64::new(0) }; WORDS]).collect(),
        };
        let salt = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), now);
        Ring { classes: CLASSES.map(part), salt, now: AtomicU64::new(now) }
    }

    /// Another second's samples.
    pub fn refill(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
        for (part, most) in self.classes.iter().zip(A_SECOND) {
            if part.left.load(Ordering::Relaxed) != most {
                part.left.store(most, Ordering::Relaxed);
            }
        }
    }

    /// Whether to sample this one. One load where nothing is left.
    pub fn take(&self, class: Class) -> bool {
        let left = &self.classes[class as usize].left;
        let now = left.load(Ordering::Relaxed);
        now != 0 && left.compare_exchange(now, now - 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The same for what there is plenty of: the first one of a second, if nothing else of its class came before it.
    pub fn take_first(&self, class: Class) -> bool {
        let (left, most) = (&self.classes[class as usize].left, A_SECOND[class as usize]);
        left.load(Ordering::Relaxed) == most
            && left.compare_exchange(most, most - 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Seconds since 1970, one second old at most.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// What is shown of a value: how long it is and 32 bits of its hash, salted anew in each process.
    pub fn masked(&self, value: &[u8]) -> (u32, u32) {
        (value.len().min(0xff_ffff) as u32, xxhash_rust::xxh3::xxh3_64_with_seed(value, self.salt) as u32)
    }

    /// Puts a sample in place of the oldest of its class.
    pub fn put(&self, class: Class, sample: &Sample) {
        let part = &self.classes[class as usize];
        let slot = &part.slots[part.next.fetch_add(1, Ordering::Relaxed) as usize % part.slots.len()];
        let before = slot[0].load(Ordering::Relaxed);
        let free = before.is_multiple_of(2)
            && slot[0].compare_exchange(before, before + 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !free {
            return;
        }
        fence(Ordering::Release);
        for (word, value) in slot[1..].iter().zip(sample) {
            word.store(*value, Ordering::Relaxed);
        }
        slot[0].store(before + 2, Ordering::Release);
    }

    /// What is there, by class, the oldest of each first.
    pub fn read(&self) -> Vec<(Class, Sample)> {
        let mut found = Vec::new();
        for (part, class) in self.classes.iter().zip(CLASSES) {
            let next = part.next.load(Ordering::Relaxed) as usize;
            let whole = (0..part.slots.len()).filter_map(|n| whole(&part.slots[(next + n) % part.slots.len()]));
            found.extend(whole.map(|sample| (class, sample)));
        }
        found
    }
}

/// The sample of a slot; `None` where none was written yet, or one is being written.
fn whole(slot: &[AtomicU64; WORDS]) -> Option<Sample> {
    let before = slot[0].load(Ordering::Acquire);
    if before == 0 || !before.is_multiple_of(2) {
        return None;
    }
    let sample = std::array::from_fn(|at| slot[at + 1].load(Ordering::Relaxed));
    fence(Ordering::Acquire);
    (slot[0].load(Ordering::Relaxed) == before).then_some(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_share_and_the_oldest_goes() {
        let ring = Ring::new(7);
        let taken = |class| (0..100).filter(|_| ring.take(class)).count();
        assert_eq!([taken(Class::Own), taken(Class::Other)], [4, 8]);
        ring.refill(8);
        assert_eq!((taken(Class::Own), ring.now()), (4, 8));
        assert_eq!((ring.take_first(Class::In), ring.take_first(Class::In), taken(Class::In)), (true, false, 3));
        ring.refill(9);
        assert!(ring.take(Class::In) && !ring.take_first(Class::In));
        for n in 0..20 {
            ring.put(Class::Own, &[n; WORDS - 1]);
        }
        let seen: Vec<u64> = ring.read().iter().map(|(_, sample)| sample[5]).collect();
        assert_eq!(seen, (4..20).collect::<Vec<u64>>());
        assert_ne!(ring.masked(b"7").1, Ring::new(7).masked(b"7").1, "each process has its salt");
    }

    #[test]
    fn no_reader_sees_half_a_sample() {
        let ring = Ring::new(0);
        std::thread::scope(|scope| {
            for writer in 0..2u64 {
                let ring = &ring;
                scope.spawn(move || (0..200_000).for_each(|n| ring.put(Class::Escape, &[n << 1 | writer; WORDS - 1])));
            }
            let mut seen = 0;
            while seen < 20_000 {
                for (_, sample) in ring.read() {
                    assert!(sample.iter().all(|word| *word == sample[0]), "{sample:?}");
                    seen += 1;
                }
            }
        });
    }
}
