//! The trace-id table: which tag came with a trace id, for programs that hand on nothing but that id (design §6.4).
//!
//! Bounded, expiring, without a lock: a slot is two words, both made of the id's hash, so that halves of two writers do
//! not fit together and count as nothing. It is there only where a setting or a rule names a header.

use crate::count::Counter;
use crate::engine::Engine;
use crate::inbound::Plan;
use crate::state::State;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use trilane_lane::model::{Field, Model, TagSource};
use trilane_lane::tag::TagId;
use xxhash_rust::xxh3::xxh3_128;

/// 16 bytes each: 1 MiB.
const SLOTS: usize = 1 << 16;
/// An id has this many places; the one seen longest ago makes room.
const PLACES: usize = 8;
/// An id that did not come again for so many seconds is forgotten.
pub(crate) const LIFE: u64 = 60;
/// Longer ids are none.
const LONGEST: usize = 128;
const SECONDS: u64 = 0xff_ffff;

/// The table. See the module's page.
pub(crate) struct Traces {
    slots: Box<[Slot]>,
    began: Instant,
}

/// `held`: 24 bits of the hash, 24 bits of seconds, 16 bits of tag; 0 is empty, since no tag is 0.
#[derive(Default)]
struct Slot {
    key: AtomicU64,
    held: AtomicU64,
}

impl Traces {
    pub fn new() -> Traces {
        Traces { slots: (0..SLOTS).map(|_| Slot::default()).collect(), began: Instant::now() }
    }

    /// Seconds since it was made.
    fn now(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    fn places(&self, hash: u128) -> &[Slot] {
        let first = (hash >> 64) as usize % (SLOTS / PLACES) * PLACES;
        &self.slots[first..first + PLACES]
    }

    /// Notes that a tag came with an id.
    pub fn put(&self, id: &[u8], tag: TagId, now: u64) {
        let hash = xxh3_128(id);
        let held = check(hash) | (now & SECONDS) << 16 | u64::from(tag.0);
        let (mut oldest, mut age) = (0, 0);
        for (at, slot) in self.places(hash).iter().enumerate() {
            let (key, old) = (slot.key.load(Ordering::Relaxed), slot.held.load(Ordering::Relaxed));
            if key == hash as u64 || old == 0 {
                oldest = at;
                break;
            }
            if age_of(old, now) >= age {
                (oldest, age) = (at, age_of(old, now));
            }
        }
        let slot = &self.places(hash)[oldest];
        if slot.key.load(Ordering::Relaxed) != hash as u64 {
            slot.held.store(0, Ordering::Release);
            slot.key.store(hash as u64, Ordering::Release);
        }
        slot.held.store(held, Ordering::Release);
    }

    /// The tag that came with an id not longer than [`LIFE`] ago.
    pub fn get(&self, id: &[u8], now: u64) -> Option<TagId> {
        let hash = xxh3_128(id);
        let slot = self.places(hash).iter().find(|slot| slot.key.load(Ordering::Acquire) == hash as u64)?;
        let held = slot.held.load(Ordering::Acquire);
        let fits = held != 0 && held >> 40 == check(hash) >> 40 && age_of(held, now) <= LIFE;
        fits.then_some(TagId(held as u16))
    }
}

/// 24 bits of the hash that the key does not have.
fn check(hash: u128) -> u64 {
    ((hash >> 64) as u64) >> 40 << 40
}

fn age_of(held: u64, now: u64) -> u64 {
    now.wrapping_sub(held >> 16 & SECONDS) & SECONDS
}

/// Where a setting or a rule has named such a header.
#[inline(never)]
fn note(traces: &Traces, plan: &Plan, values: &[Option<&[u8]>], tag: TagId) {
    for id in plan.trace_ids(values).filter_map(id_of) {
        traces.put(id, tag, traces.now());
    }
}

#[inline(never)]
fn find(traces: &Traces, plan: &Plan, values: &[Option<&[u8]>]) -> Option<TagId> {
    plan.trace_ids(values).filter_map(id_of).find_map(|id| traces.get(id, traces.now()))
}

/// The id in a header's value: of W3C's `traceparent` and of `b3` the part that names the trace, else the whole.
fn id_of(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let dash = |at: usize| value.get(at) == Some(&b'-');
    let hex =
        |range: std::ops::Range<usize>| value.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_hexdigit));
    let id = if dash(2) && dash(35) && dash(52) && hex(3..35) {
        &value[3..35]
    } else if dash(32) && hex(0..32) && hex(33..49) {
        &value[..32]
    } else if dash(16) && hex(0..16) && hex(17..33) {
        &value[..16]
    } else {
        value
    };
    let named = id.iter().any(|byte| *byte != b'0');
    (named && id.len() <= LONGEST).then_some(id)
}

/// The headers whose ids rules ask the table for.
pub(crate) fn headers_of(model: &Model) -> impl Iterator<Item = String> {
    model.tags.iter().filter_map(|rule| match &rule.from {
        TagSource::Table(Field::Header(name) | Field::Attachment(name)) => Some(name.to_ascii_lowercase()),
        _ => None,
    })
}

impl Engine {
    /// The table is made with the first header that is named, and stays.
    pub(crate) fn open_traces(&self, state: &State) {
        if !state.traces.is_empty() {
            self.traces.get_or_init(Traces::new);
        }
    }

    /// Notes the tag of a request under the trace ids that it brought.
    #[inline]
    pub(crate) fn note_trace(&self, plan: &Plan, values: &[Option<&[u8]>], tag: TagId) {
        if let Some(traces) = self.traces.get().filter(|_| tag != TagId::NONE && tag != TagId::UNKNOWN) {
            note(traces, plan, values, tag);
        }
    }

    /// The tag that came before with one of a request's trace ids.
    #[inline]
    pub(crate) fn traced(&self, plan: &Plan, values: &[Option<&[u8]>]) -> Option<TagId> {
        let tag = find(self.traces.get()?, plan, values)?;
        self.counts.add(Counter::Traced);
        Some(tag)
    }

    /// The same for one id, as a rule asks for it.
    pub(crate) fn trace_known(&self, value: &str) -> Option<TagId> {
        let traces = self.traces.get()?;
        traces.get(id_of(value.as_bytes())?, traces.now())
    }

    /// The tag that came with this value of a header that names a trace; [`TagId::NONE`] for none. For outgoing calls
    /// of which nothing else is known. No lock, no allocation, no system call.
    pub fn trace_find(&self, value: &[u8]) -> TagId {
        let found = self.traces.get().zip(id_of(value)).and_then(|(traces, id)| traces.get(id, traces.now()));
        if found.is_some() {
            self.counts.add(Counter::Traced);
        }
        found.unwrap_or(TagId::NONE)
    }

    /// The lower-case headers whose ids the table knows; none where it is not used.
    pub fn trace_names(&self) -> Vec<String> {
        self.state.load().traces.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_until_it_expires() {
        let traces = Traces::new();
        traces.put(b"a", TagId(7), 100);
        assert_eq!((traces.get(b"a", 100), traces.get(b"b", 100)), (Some(TagId(7)), None));
        assert_eq!((traces.get(b"a", 100 + LIFE), traces.get(b"a", 101 + LIFE)), (Some(TagId(7)), None));
        traces.put(b"a", TagId(8), 101 + LIFE);
        assert_eq!(traces.get(b"a", 102 + LIFE), Some(TagId(8)));
        // The clock of the table wraps after 194 days.
        traces.put(b"c", TagId(9), SECONDS);
        assert_eq!((traces.get(b"c", SECONDS + 5), traces.get(b"c", SECONDS + 1 + LIFE)), (Some(TagId(9)), None));
    }

    #[test]
    fn it_stays_as_large_as_it_is_and_keeps_the_newest() {
        let traces = Traces::new();
        for n in 0..4 * SLOTS as u64 {
            traces.put(&n.to_le_bytes(), TagId(1 + (n % 1000) as u16), n / 10_000);
        }
        let kept = |n: &u64| {
            let found = traces.get(&n.to_le_bytes(), 26);
            assert!(found.is_none_or(|tag| tag.0 == 1 + (n % 1000) as u16), "{n} has another's tag");
            found.is_some()
        };
        let all = (0..4 * SLOTS as u64).filter(kept).count();
        let newest = (4 * SLOTS as u64 - 1_000..4 * SLOTS as u64).filter(kept).count();
        assert!(all <= SLOTS && all > SLOTS / 2 && newest == 1_000, "{all} kept, of the newest {newest}");
    }

    #[test]
    fn writers_at_once_never_give_an_id_the_tag_of_another() {
        let traces = Traces::new();
        // Few ids of one bucket, so that they take each other's place all the time.
        let first = traces.places(xxh3_128(b"any")).as_ptr();
        let bucket = |id: &u64| traces.places(xxh3_128(&id.to_le_bytes())).as_ptr() == first;
        let ids: Vec<u64> = (0..).filter(bucket).take(40).collect();
        std::thread::scope(|scope| {
            for writer in 0..4u64 {
                let (traces, ids) = (&traces, &ids);
                scope.spawn(move || {
                    for round in 0..20_000u64 {
                        let at = (round * 7 + writer * 11) as usize % ids.len();
                        traces.put(&ids[at].to_le_bytes(), TagId(at as u16 + 1), 1);
                        let other = (round * 13 + writer) as usize % ids.len();
                        let found = traces.get(&ids[other].to_le_bytes(), 1);
                        assert!(found.is_none_or(|tag| tag.0 == other as u16 + 1));
                    }
                });
            }
        });
    }

    #[test]
    fn the_trace_is_told_from_its_span() {
        let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(id_of(parent), Some(&b"4bf92f3577b34da6a3ce929d0e0e4736"[..]));
        assert_eq!(
            id_of(b"80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
            Some(&b"80f198ee56343ba864fe8b2a57d3eff7"[..])
        );
        assert_eq!(id_of(b"a2fb4a1d1a96d312-e457b5a2e4d86bd1"), Some(&b"a2fb4a1d1a96d312"[..]));
        let own = b"7f3b7c1e-0000-4a5b-8c9d-0123456789ab";
        assert_eq!(id_of(own), Some(&own[..]));
        assert_eq!((id_of(b""), id_of(b"0"), id_of(&[b'a'; 200])), (None, None, None));
        assert_eq!(id_of(b"00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
    }
}
