//! A request comes in: which tag is it to have? (design §6.4)
//!
//! where rules of another dialect say so, their label sources; else carriers in their order → entry rules, where this
//! service colours → what came before with the same trace id → the process's own tag, where that is switched on → none.

use crate::count::Counter;
use crate::engine::Engine;
use crate::process;
use crate::settings::Settings;
use crate::state::State;
use std::sync::atomic::Ordering;
use trilane_lane::Mode;
use trilane_lane::carrier::{self, Form, Reading};
use trilane_lane::entry::{EntryPlan, name_of, value_in};
use trilane_lane::model::Field;
use trilane_lane::model::decide::{Entropy, Facts};
use trilane_lane::model::tags::{TagPlan, Tagged};
use trilane_lane::tag::TagId;

/// What kind of request it is: that says which carriers apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// HTTP headers and gRPC metadata.
    Http = 0,
    /// Dubbo and Triple attachments.
    Dubbo = 1,
    /// Message properties.
    Message = 2,
}

impl Kind {
    /// The kind of this number.
    pub fn from_number(number: u32) -> Option<Kind> {
        [Kind::Http, Kind::Dubbo, Kind::Message].get(number as usize).copied()
    }
}

/// The result's flag: the names moved; read them again and ask once more.
pub const STALE: u8 = 1;
/// The result's flag: act as if the library were not there.
pub const OFF: u8 = 2;
/// The result's flag: two carriers held different tags; the first in order counts.
pub const DISAGREE: u8 = 4;
/// The result's flag: a carrier held something that is no tag.
pub const MALFORMED: u8 = 8;
/// The result's flag: decide and carry nothing on.
pub const OBSERVE: u8 = 16;
/// The result's flag: no tag, and this copy is tagged. Tell [`Engine::untagged`] who sent it.
pub const UNTAGGED: u8 = 32;

/// Where the tag came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Source {
    None = 0,
    Carried = 1,
    Entry = 2,
    Trace = 3,
    Own = 4,
}

/// The number of a tag that a carrier brought.
pub(crate) const CARRIED: u64 = Source::Carried as u64;
/// The number of a tag that an entry rule gave.
pub(crate) const COLOURED: u64 = Source::Entry as u64;
/// Their names, by number.
pub(crate) const SOURCES: [&str; 5] = ["none", "carried", "entry rule", "trace table", "own tag"];

/// Most values that are read of one request; bindings have room for as many.
pub const MOST_VALUES: usize = 64;
/// Where a name has no place among them: its value counts as absent.
const NOWHERE: usize = usize::MAX;

/// Which values to read from a request of one kind, and what each may hold.
pub(crate) struct Plan {
    pub names: Vec<String>,
    /// Names that found no place among [`MOST_VALUES`].
    pub left_out: Vec<String>,
    carriers: Vec<Form>,
    entry: Option<EntryPlan>,
    /// Position in `names` of each name that the entry rules read.
    entry_at: Vec<usize>,
    /// Carriers are believed where this answers something.
    trust: Option<EntryPlan>,
    trust_at: Vec<usize>,
    /// Rules of another dialect that say where a tag comes from, and by their fields the position in `names`.
    tags: Option<TagPlan>,
    tags_at: Vec<usize>,
    /// Position in `names` of the headers that name a trace.
    traces_at: Vec<usize>,
    /// How the rules in shadow colour, where there are some.
    next: Option<Option<EntryPlan>>,
    next_at: Vec<usize>,
}

/// What the rules in force say about incoming requests.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asks<'r> {
    pub entry: Option<&'r EntryPlan>,
    pub trust: Option<&'r EntryPlan>,
    pub tags: Option<&'r TagPlan>,
    pub traces: &'r [String],
}

impl Plan {
    pub fn new(kind: Kind, settings: &Settings, asks: Asks) -> Plan {
        let fixed: &[(&str, Form)] = match kind {
            Kind::Http => &[(carrier::HEADER, Form::Plain), (carrier::BAGGAGE, Form::Baggage)],
            Kind::Dubbo => &[
                (carrier::HEADER, Form::Plain),
                (carrier::MEMBER, Form::Json),
                (carrier::BAGGAGE, Form::Baggage),
                (carrier::DUBBO_TAG, Form::Plain),
            ],
            Kind::Message => &[(carrier::MEMBER, Form::Json)],
        };
        let mut names: Vec<String> = Vec::new();
        let mut carriers = Vec::new();
        let extra = settings.carriers_read.iter().map(|n| (n.as_str(), Form::Plain));
        for (name, form) in fixed.iter().copied().chain(extra).take(MOST_VALUES) {
            names.push(name.to_ascii_lowercase());
            carriers.push(form);
        }
        let entry = asks.entry.filter(|_| kind != Kind::Message).cloned();
        let mut left_out = Vec::new();
        let mut position = |name: &String| place(&mut names, &mut left_out, name);
        let entry_at = entry.iter().flat_map(|e| e.names()).map(&mut position).collect();
        let trust = asks.trust.filter(|_| kind != Kind::Message).cloned();
        let trust_at = trust.iter().flat_map(|t| t.names()).map(&mut position).collect();
        let tags = asks.tags.filter(|_| kind != Kind::Message).cloned();
        let asked: Vec<String> = tags.iter().flat_map(|t| t.fields()).map(name_of).collect();
        let tags_at = asked.iter().map(&mut position).collect();
        let traces_at = asks.traces.iter().map(&mut position).collect();
        Plan {
            names,
            left_out,
            carriers,
            entry,
            entry_at,
            trust,
            trust_at,
            tags,
            tags_at,
            next: None,
            next_at: Vec::new(),
            traces_at,
        }
    }

    /// Has the rules in shadow colour too.
    pub fn compare_with(&mut self, entry: Option<&EntryPlan>) {
        for name in entry.iter().flat_map(|e| e.names()) {
            self.next_at.push(place(&mut self.names, &mut self.left_out, name));
        }
        self.next = Some(entry.cloned());
    }

    /// The tag that the rules in shadow give; `None` where there are none, or they leave it to chance.
    pub fn next_colour(&self, values: &[Option<&[u8]>]) -> Option<TagId> {
        match self.next.as_ref()? {
            None => Some(TagId::NONE),
            Some(entry) if entry.by_chance() => None,
            Some(entry) => {
                let coloured = entry.decide(|name| value(values, self.next_at[name]), 0);
                Some(coloured.map_or(TagId::NONE, |(_, tag)| tag))
            }
        }
    }

    /// Whether rules in shadow are asked.
    pub fn compares(&self) -> bool {
        self.next.is_some()
    }

    /// Whether entry rules colour here.
    pub fn colours(&self) -> bool {
        self.entry.is_some()
    }

    /// The position of the carrier that a tag is read from.
    pub fn carrier(&self, values: &[Option<&[u8]>]) -> Option<usize> {
        read_carriers(self, values).tag.map(|(at, ..)| at)
    }

    /// What the request's headers that name a trace hold.
    pub fn trace_ids<'v>(&self, values: &[Option<&'v [u8]>]) -> impl Iterator<Item = &'v [u8]> {
        self.traces_at.iter().filter_map(|at| value(values, *at))
    }

    /// Whether the rules let this request set its own tag.
    #[inline]
    fn trusts(&self, values: &[Option<&[u8]>]) -> bool {
        self.trust.as_ref().is_none_or(|t| t.decide(|name| value(values, self.trust_at[name]), 0).is_some())
    }

    /// The value that an entry rule asks for. Of an edge's untrusted caller no carrier is seen, here either; `baggage`
    /// belongs to others too.
    #[inline]
    fn asked<'a>(&self, name: usize, values: &[Option<&'a [u8]>], believed: bool) -> Option<&'a [u8]> {
        let at = self.entry_at[name];
        let hidden = !believed && self.carriers.get(at).is_some_and(|form| *form != Form::Baggage);
        if hidden { None } else { value(values, at) }
    }
}

/// The position of a name among those that are read.
fn place(names: &mut Vec<String>, left_out: &mut Vec<String>, name: &String) -> usize {
    if let Some(at) = names.iter().position(|n| n == name) {
        return at;
    }
    if names.len() == MOST_VALUES {
        if !left_out.contains(name) {
            left_out.push(name.clone());
        }
        return NOWHERE;
    }
    names.push(name.clone());
    names.len() - 1
}

#[inline]
fn value<'v>(values: &[Option<&'v [u8]>], at: usize) -> Option<&'v [u8]> {
    values.get(at).copied().flatten()
}

/// The first tag that the carriers hold.
struct Carried {
    tag: Option<(usize, usize, usize)>,
    flags: u8,
}

#[inline]
fn read_carriers(plan: &Plan, values: &[Option<&[u8]>]) -> Carried {
    let mut carried = Carried { tag: None, flags: 0 };
    for (at, form) in plan.carriers.iter().enumerate() {
        let Some(value) = values[at] else { continue };
        match (carrier::read(*form, value), carried.tag) {
            (Reading::Absent, _) => {}
            (Reading::Malformed, _) => carried.flags |= MALFORMED,
            (Reading::Tag(range), None) => carried.tag = Some((at, range.start, range.len())),
            (Reading::Tag(range), Some((first, start, len))) => {
                let first = values[first].map(|v| &v[start..start + len]);
                if first != Some(&value[range]) {
                    carried.flags |= DISAGREE;
                }
            }
        }
    }
    carried
}

impl Engine {
    /// The names whose values [`Engine::inbound`] wants for this kind, lower-case, [`MOST_VALUES`] at most, and the
    /// snapshot they belong to.
    pub fn inbound_names(&self, kind: Kind) -> (u32, Vec<String>) {
        let state = self.state.load();
        (state.snapshot.number(), state.plans[kind as usize].names.clone())
    }

    /// Decides a request's tag. `values[i]` is the value of name `i`, `None` when the request has none. At an edge no
    /// carrier is believed: see [`Engine::inbound_from`].
    ///
    /// Bits of the answer: 0..16 tag id; 16..24 source (0 none, 1 carried, 2 entry rule, 3 trace table, 4 own tag);
    /// 24..32 flags ([`STALE`], [`OFF`], [`DISAGREE`], [`MALFORMED`], [`OBSERVE`], [`UNTAGGED`]). With the id of an
    /// unknown tag: 32..40 position in `values`, 40..56 offset, 56..64 length of the tag's bytes.
    /// No lock, no allocation, no system call.
    pub fn inbound(&self, kind: Kind, snapshot: u32, values: &[Option<&[u8]>]) -> u64 {
        self.inbound_from(false, kind, snapshot, values)
    }

    /// The same; `trusted` says that an edge may believe this caller's carriers ([`Engine::edge`] told so).
    pub fn inbound_from(&self, trusted: bool, kind: Kind, snapshot: u32, values: &[Option<&[u8]>]) -> u64 {
        let state = self.state.load();
        let mut rule = None;
        let answer = self.decide_inbound(&state, trusted, kind, snapshot, values, &mut rule);
        if matches!((answer >> 16) as u8, 1 | 2) {
            self.note_trace(&state.plans[kind as usize], values, TagId(answer as u16));
        }
        self.look_at(&state, kind, answer, rule, values);
        answer
    }

    /// `rule` becomes the position of the entry rule that decided.
    #[inline]
    fn decide_inbound(
        &self,
        state: &State,
        trusted: bool,
        kind: Kind,
        snapshot: u32,
        values: &[Option<&[u8]>],
        rule: &mut Option<usize>,
    ) -> u64 {
        if state.mode == Mode::Off || process::disabled() {
            return pack(TagId::NONE, Source::None, OFF);
        }
        let plan = &state.plans[kind as usize];
        if state.snapshot.number() != snapshot || values.len() != plan.names.len() {
            return pack(TagId::NONE, Source::None, STALE);
        }
        let believed = (trusted || !self.settings.edge) && plan.trusts(values);
        let carried = if believed { read_carriers(plan, values) } else { Carried { tag: None, flags: 0 } };
        let flags = carried.flags | if state.mode == Mode::Observe { OBSERVE } else { 0 };
        self.count_flags(flags);
        if plan.tags.is_some()
            && let Some(labelled) = self.labelled(plan, values, believed.then_some(&carried), flags)
        {
            return labelled;
        }
        if let Some((at, start, len)) = carried.tag {
            let id = values[at].map_or(TagId::NONE, |v| self.tags.load().find(&v[start..start + len]));
            self.counts.add(Counter::Tagged);
            if id == TagId::UNKNOWN {
                self.counts.add(Counter::Unknown);
                let place = (at as u64) << 32 | (start as u64) << 40 | (len as u64) << 56;
                return pack(id, Source::Carried, flags) | place;
            }
            return pack(id, Source::Carried, flags);
        }
        let coloured = plan.entry.as_ref().and_then(|e| {
            let entropy = if e.by_chance() { self.chance() } else { 0 };
            e.decide(|name| plan.asked(name, values, believed), entropy)
        });
        if let Some((at, tag)) = coloured {
            *rule = Some(at);
            self.counts.add(Counter::Coloured);
            return pack(tag, Source::Entry, flags);
        }
        if believed && let Some(tag) = self.traced(plan, values) {
            return pack(tag, Source::Trace, flags);
        }
        if self.settings.tag_trace && self.own_tag_id() != TagId::NONE {
            return pack(self.own_tag_id(), Source::Own, flags);
        }
        if self.own_tag_id() == TagId::NONE {
            return pack(TagId::NONE, Source::None, flags);
        }
        self.counts.add(Counter::UntaggedHere);
        pack(TagId::NONE, Source::None, flags | UNTAGGED)
    }

    /// The tag that rules of another dialect find; `None` where there are none, or where they find nothing: then the
    /// order of the native file holds.
    #[inline(never)]
    fn labelled(&self, plan: &Plan, values: &[Option<&[u8]>], carried: Option<&Carried>, flags: u8) -> Option<u64> {
        let rules = plan.tags.as_ref()?;
        let bytes = |(at, start, len): (usize, usize, usize)| values[at].map(|v| &v[start..start + len]);
        let own = carried.and_then(|carried| carried.tag).and_then(bytes).and_then(|tag| str::from_utf8(tag).ok());
        let facts = Passed { plan, values };
        let mut chance = Entropy(self.chance());
        let tags = self.tags.load();
        let known = |id: &str| carried.and_then(|_| self.trace_known(id)); // an outsider's id is nobody's
        let table = |id: &str| tags.name(known(id)?).map(|name| &**name);
        let text = match rules.decide(&facts, own, &table, &mut chance, &mut ()) {
            Tagged { tag: Some(text), .. } => text,
            // A rule says: no tag, whatever else the request holds.
            Tagged { line: Some(_), .. } => return Some(pack(TagId::NONE, Source::None, flags)),
            Tagged { .. } => return None,
        };
        let id = self.tags.load().find(text.as_bytes());
        let source = if own == Some(text) { Source::Carried } else { Source::Entry };
        self.counts.add(if own == Some(text) { Counter::Tagged } else { Counter::Coloured });
        if id != TagId::UNKNOWN {
            return Some(pack(id, source, flags));
        }
        // Nobody named it: it is carried on as the bytes where they were passed.
        self.counts.add(Counter::Unknown);
        let (at, start) = values.iter().enumerate().find_map(|(at, value)| {
            let start = (text.as_ptr() as usize).checked_sub(value.as_ref()?.as_ptr() as usize)?;
            (start + text.len() <= value.as_ref()?.len()).then_some((at, start))
        })?;
        let place = (at as u64) << 32 | (start as u64) << 40 | (text.len() as u64) << 56;
        Some(pack(id, source, flags) | place)
    }

    /// A number for what is decided by chance; no two calls get the same one.
    pub(crate) fn chance(&self) -> u64 {
        let mut n = self.chances.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    fn count_flags(&self, flags: u8) {
        if flags & DISAGREE != 0 {
            self.counts.add(Counter::Disagree);
        }
        if flags & MALFORMED != 0 {
            self.counts.add(Counter::Malformed);
        }
    }
}

/// The passed values, as the tag rules ask for them.
struct Passed<'p> {
    plan: &'p Plan,
    values: &'p [Option<&'p [u8]>],
}

impl Facts for Passed<'_> {
    fn value(&self, slot: usize, field: &Field) -> Option<&str> {
        let bytes = (*self.values.get(*self.plan.tags_at.get(slot)?)?)?;
        value_in(field, str::from_utf8(bytes).ok()?)
    }
}

fn pack(tag: TagId, source: Source, flags: u8) -> u64 {
    u64::from(tag.0) | (source as u64) << 16 | u64::from(flags) << 24
}
