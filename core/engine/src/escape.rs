//! Requests that are not where they should be: of another lane although their own has copies here, and calls that
//! left without the tag of the request that made them.

use crate::count::Counter;
use crate::engine::Engine;
use crate::inbound::{CARRIED, Kind, OFF, STALE};
use crate::lists::Desk;
use crate::log::Level;
use crate::ring::{Class, Ring};
use crate::sample::Came;
use crate::state::State;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use trilane_lane::Mode;
use trilane_lane::list::List;
use trilane_lane::route::{Case, route};
use trilane_lane::tag::TagId;

/// So many call sites are told apart; further ones are counted together.
const MAX_SITES: usize = 32;
/// A longer name of a call site is cut.
const MAX_SITE: usize = 160;

/// What is remembered of them.
#[derive(Default)]
pub(crate) struct Strays {
    /// The tag, plus one, of the last request that should have gone to its own lane; `trilane-ctl` says so.
    escaped: AtomicU32,
    /// Requests with tags at the last tick, and whether some had come since the one before.
    tagged: AtomicU64,
    lately: AtomicBool,
    /// Call sites where a tag was lost, as sampled; the empty name stands for the rest.
    lost: Mutex<BTreeMap<String, u64>>,
}

impl Engine {
    /// After a request's tag was found: does it belong here, and is it kept as a sample?
    #[inline]
    pub(crate) fn look_at(
        &self,
        state: &State,
        kind: Kind,
        answer: u64,
        rule: Option<usize>,
        values: &[Option<&[u8]>],
    ) {
        let (tag, source) = (TagId(answer as u16), answer >> 16 & 0xff);
        let flags = (answer >> 24) as u8;
        if flags & (OFF | STALE) == 0 && state.plans[kind as usize].compares() {
            self.compare_in(state, kind, answer, values);
        }
        if tag == TagId::NONE && (flags & (OFF | STALE) != 0 || !state.plans[kind as usize].colours()) {
            return;
        }
        if source == CARRIED && tag != self.own_tag_id() && self.own_list.load(Ordering::Relaxed) != 0 {
            self.look_for_own_lane(state, kind, answer, values);
        }
        // Where one request in ten gets a tag, it is those that somebody will ask for.
        let kept = |ring: &Ring| if tag == TagId::NONE { ring.take_first(Class::In) } else { ring.take(Class::In) };
        if let Some(ring) = self.ring.get().filter(|ring| kept(ring)) {
            self.keep(ring, state, kind, answer, rule, 0, values);
        }
    }

    /// A carried tag that is not this copy's: has its lane usable instances of this service?
    #[cold]
    #[inline(never)]
    fn look_for_own_lane(&self, state: &State, kind: Kind, answer: u64, values: &[Option<&[u8]>]) {
        let tag = TagId(answer as u16);
        let usable = match self.lists.get(self.own_list.load(Ordering::Relaxed)) {
            Some(own) => own.as_ref().map_or(0, |own| usable_in_lane(&own.list, tag)),
            None => 0,
        };
        if usable == 0 {
            return;
        }
        self.counts.add(Counter::TagEscaped);
        self.strays.escaped.store(u32::from(tag.0) + 1, Ordering::Relaxed);
        if let Some(ring) = self.ring.get().filter(|ring| ring.take(Class::Escape)) {
            self.keep(ring, state, kind, answer, None, usable, values);
        }
    }

    #[cold]
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn keep(
        &self,
        ring: &Ring,
        state: &State,
        kind: Kind,
        answer: u64,
        rule: Option<usize>,
        usable: u32,
        values: &[Option<&[u8]>],
    ) {
        let plan = &state.plans[kind as usize];
        let carrier = if answer >> 16 & 0xff == CARRIED { plan.carrier(values) } else { None };
        let (at, start, length) = (answer >> 32 & 0xff, answer >> 40 & 0xffff, answer >> 56);
        let bytes = values.get(at as usize).copied().flatten().unwrap_or_default();
        let unknown = bytes.get(start as usize..(start + length) as usize).unwrap_or_default();
        let came = Came {
            class: if usable > 0 { Class::Escape } else { Class::In },
            answer,
            kind: kind as u32,
            snapshot: state.snapshot.number(),
            rule,
            carrier,
            unknown,
            usable,
        };
        self.keep_in(ring, &came, values);
    }

    /// Looks for a list of this process's own service: the newest comes last.
    pub(crate) fn find_own_list(&self, desk: &Desk, state: &State) {
        let own = |id: &u64| self.lists.get(*id).is_some_and(|l| l.as_ref().is_some_and(|p| is_own(state, &p.list)));
        let found = self.lists.ids(desk).into_iter().rev().find(own);
        self.own_list.store(found.unwrap_or(0), Ordering::Relaxed);
    }

    /// Says that requests came to the wrong copy; on `trilane-ctl`.
    pub(crate) fn tell_strays(&self) {
        let noted = self.strays.escaped.swap(0, Ordering::Relaxed);
        if noted == 0 {
            return;
        }
        let tag = self.tag_name(TagId((noted - 1) as u16)).unwrap_or_default();
        let own = match self.own_tag() {
            "" => "the baseline".to_string(),
            own => format!("lane `{own}`"),
        };
        let why = format!(
            "a request of lane `{tag}` reached this copy of {own}, although lane `{tag}` has usable instances of this \
            service: a caller without the library, one whose rules say so, or a balancer in between"
        );
        self.log(Level::Warn, "TRL-322", &tag, &why);
    }

    /// Notes whether requests with tags come in; on `trilane-ctl`, once a second.
    pub(crate) fn note_tagged(&self) {
        let now = self.tagged();
        let before = self.strays.tagged.swap(now, Ordering::Relaxed);
        self.strays.lately.store(now != before, Ordering::Relaxed);
    }

    fn tagged(&self) -> u64 {
        self.counts.get(Counter::Tagged) + self.counts.get(Counter::Coloured)
    }

    /// An outgoing call has no tag, and the binding found no reason why: its thread serves no request and runs no task
    /// that was handed over. Counted where requests with tags came in during the last two seconds; where none did,
    /// there is none to lose. `site` says where the call was made; neither values nor arguments belong into it. A
    /// binding looks at most once a second.
    pub fn tag_lost(&self, site: &str) {
        let lately =
            self.strays.lately.load(Ordering::Relaxed) || self.tagged() != self.strays.tagged.load(Ordering::Relaxed);
        if self.mode() == Mode::Off || !lately || site.is_empty() {
            return;
        }
        self.counts.add(Counter::TagLost);
        let site: String = site.chars().filter(|c| !c.is_control()).take(MAX_SITE).collect();
        let mut lost = self.strays.lost.lock();
        let key = if lost.contains_key(&site) || lost.len() < MAX_SITES { site.as_str() } else { "" };
        *lost.entry(key.to_string()).or_insert(0) += 1;
        drop(lost);
        let why = format!(
            "a call without a tag left at {site} while requests with tags were coming in; nothing handed a scope to \
            its thread, so a tag may be lost there"
        );
        self.log(Level::Warn, "TRL-323", &site, &why);
    }

    /// Call sites where a tag may have been lost, and how often one was looked at there.
    pub fn lost_sites(&self) -> Vec<(String, u64)> {
        self.strays.lost.lock().iter().map(|(site, n)| (site.clone(), *n)).collect()
    }
}

/// Whether a list is of this process's own service.
pub(crate) fn is_own(state: &State, list: &List) -> bool {
    state.service.as_ref().is_some_and(|(name, _)| list.names().iter().any(|n| **n == **name))
}

/// Usable instances of a lane by the native rules. Rules of other dialects may send a request elsewhere on purpose.
fn usable_in_lane(list: &List, tag: TagId) -> u32 {
    if list.plan().is_some() {
        return 0;
    }
    let decision = route(list, tag, 0);
    let subset = decision.subset.filter(|_| decision.case == Case::Own);
    subset.and_then(|subset| list.usable(subset)).map_or(0, |usable| usable.len() as u32)
}
