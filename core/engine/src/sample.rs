//! Sampled decisions: what is kept of one, and how it is told to `trilane explain --pid`.
//!
//! What a slot holds is written by the deciding thread, out of the walk that decides (`Watch`); words become text on
//! `trilane-ctl`, when somebody asks. Of the request's values nothing is kept but length and salted hash, and of an
//! incoming one's the first bytes where `show:` of the rules names the header.

use crate::engine::{Engine, now};
use crate::explain::{Through, word};
use crate::inbound::SOURCES;
use crate::lists::Published;
use crate::ring::{Class, Ring, Sample};
use serde_json::{Value, json};
use trilane_lane::list::{EVERYONE, List};
use trilane_lane::model::decide::Step;
use trilane_lane::route::{Case, Decision, Found, Watch, route_watched};
use trilane_lane::tag::TagId;
use trilane_lane::{Mode, tag};

// Words of a sample.
const HEAD: usize = 0; // outgoing: case | mode | steps | flags | tag | subset; incoming: source | flags | 0 | kind | tag
const FROM: usize = 1; // outgoing: rule line | candidates; incoming: entry rule + 1 | snapshot
const AT: usize = 2;
const WHICH: usize = 3; // outgoing: index | number of values; incoming: position of the carrier + 1 | number of values
const VALUES: usize = 4; // position | length | hash
const MOST_VALUES: usize = 4;
const SERVICE: usize = 8;
const PICK: usize = 14; // outgoing: the picked address; incoming: an unknown tag; of an escape: usable instances
const TEXT: usize = 6;
const STEPS: usize = 20;
const MOST_STEPS: usize = 21;
const SHOWN: usize = STEPS; // incoming: a text for each value, where the rules show it

/// More steps were made than a slot holds.
const MORE: u64 = 1;
/// The way ran in a circle.
const CIRCLE: u64 = 2;
/// Rules of another dialect decided.
const PLANNED: u64 = 4;

/// The kinds of a step; those past `LANE` are of a plan.
const KINDS: [&str; 10] =
    ["lane", "stage", "route", "test", "chance", "drawn", "looked", "nothing", "no route", "left"];
const LANE: u64 = 0;

/// A request that came in, as far as a sample holds it.
pub(crate) struct Came<'v> {
    pub class: Class,
    /// What [`Engine::inbound`] answers.
    pub answer: u64,
    pub kind: u32,
    pub snapshot: u32,
    /// Position of the entry rule that coloured it.
    pub rule: Option<usize>,
    /// Position of the carrier that held its tag, and the bytes of one that nobody named.
    pub carrier: Option<usize>,
    pub unknown: &'v [u8],
    /// Usable instances of its lane, where it came to another one.
    pub usable: u32,
}

impl Engine {
    /// Keeps a decision about a call; `first` of its case, or as many a second as fit.
    #[inline]
    pub(crate) fn sample_out(
        &self,
        published: &Published,
        tag: TagId,
        entropy: u64,
        values: &[Option<&[u8]>],
        decision: &Decision,
        first: bool,
    ) {
        let Some(ring) = self.ring.get() else { return };
        let class = if decision.case == Case::Own { Class::Own } else { Class::Other };
        if first || ring.take(class) {
            self.keep_out(ring, class, &published.list, tag, entropy, values, decision);
        }
    }

    #[cold]
    #[inline(never)]
    #[allow(clippy::too_many_arguments)] // the arguments of the decision, once more
    fn keep_out(
        &self,
        ring: &Ring,
        class: Class,
        list: &List,
        tag: TagId,
        entropy: u64,
        values: &[Option<&[u8]>],
        decision: &Decision,
    ) {
        let mut steps = Steps { list, flags: 0, n: 0, words: [0; MOST_STEPS * 2] };
        if let Some(plan) = list.plan() {
            steps.flags = PLANNED;
            self.planned_watched(plan, tag, entropy, values, &mut Through(&mut |step| steps.planned(&step)));
        } else {
            _ = route_watched(list, tag, entropy, &mut steps);
        }
        let line = list.service().and_then(|at| self.state.load().snapshot.rules().services.get(at).map(|s| s.line));
        let mut sample: Sample = [0; 63];
        let heads = [decision.case as u64, list.mode() as u64, u64::from(steps.n), steps.flags];
        sample[HEAD] = bytes(heads) | u64::from(tag.0) << 32 | u64::from(decision.subset.unwrap_or(u16::MAX)) << 48;
        sample[FROM] = pair(line.unwrap_or(0), list.usable(EVERYONE).map_or(0, |e| e.len() as u32));
        sample[AT] = ring.now();
        let masked = mask(ring, values, &mut sample);
        sample[WHICH] = pair(decision.index.unwrap_or(u32::MAX), masked);
        put_text(&mut sample, SERVICE, list.names().first().map_or("", |name| name));
        let picked = decision.index.and_then(|at| list.instances().get(at as usize));
        put_text(&mut sample, PICK, picked.map_or("", |instance| &instance.address));
        sample[STEPS..STEPS + MOST_STEPS * 2].copy_from_slice(&steps.words);
        ring.put(class, &sample);
    }

    /// Keeps how the tag of a request was found.
    #[cold]
    #[inline(never)]
    pub(crate) fn keep_in(&self, ring: &Ring, came: &Came, values: &[Option<&[u8]>]) {
        let mut sample: Sample = [0; 63];
        let heads = [came.answer >> 16 & 0xff, came.answer >> 24 & 0xff, 0, u64::from(came.kind)];
        sample[HEAD] = bytes(heads) | (came.answer & 0xffff) << 32;
        sample[FROM] = pair(came.rule.map_or(0, |at| at as u32 + 1), came.snapshot);
        sample[AT] = ring.now();
        let masked = if came.rule.is_some() { mask(ring, values, &mut sample) } else { 0 };
        self.keep_shown(came, values, masked, &mut sample);
        sample[WHICH] = pair(came.carrier.map_or(0, |at| at as u32 + 1), masked);
        if came.class == Class::Escape {
            sample[PICK] = came.usable.into();
        } else {
            put_text(&mut sample, PICK, tag::parse(came.unknown).unwrap_or(""));
        }
        ring.put(came.class, &sample);
    }

    /// The values of the headers that the rules list under `show`, beside their lengths and hashes.
    fn keep_shown(&self, came: &Came, values: &[Option<&[u8]>], masked: u32, sample: &mut Sample) {
        let state = self.state.load();
        let show = &state.snapshot.rules().show;
        if show.is_empty() || state.snapshot.number() != came.snapshot {
            return;
        }
        let names = &state.plans[came.kind as usize % 3].names;
        for n in 0..masked as usize {
            let at = (sample[VALUES + n] >> 56) as usize;
            if let (Some(name), Some(Some(value))) = (names.get(at), values.get(at))
                && show.contains(name)
            {
                put_bytes(sample, SHOWN + n * TEXT, value);
            }
        }
    }

    /// Another second's samples; makes the ring where it has something to hold.
    pub(crate) fn refill_samples(&self) {
        match self.ring.get() {
            Some(ring) => ring.refill(now()),
            None if self.counts.get(crate::Counter::Tagged) + self.counts.get(crate::Counter::Coloured) > 0 => {
                self.make_ring();
            }
            None => {}
        }
    }

    pub(crate) fn make_ring(&self) {
        self.ring.get_or_init(|| Ring::new(now()));
    }

    /// The sampled decisions, the oldest first.
    pub(crate) fn sampled(&self) -> Vec<Value> {
        let mut all = self.ring.get().map(Ring::read).unwrap_or_default();
        all.sort_by_key(|(_, sample)| sample[AT]);
        let tell = |(class, sample): &(Class, Sample)| match class {
            Class::In | Class::Escape => self.tell_in(*class, sample),
            Class::Own | Class::Other => self.tell_out(sample),
        };
        all.iter().map(tell).collect()
    }

    fn tell_out(&self, sample: &Sample) -> Value {
        let head = |at: u32| sample[HEAD] >> (8 * at) & 0xff;
        let (n, flags) = (head(2) as usize, head(3));
        let subset = (sample[HEAD] >> 48) as u16;
        let words = sample[STEPS..].chunks_exact(2).take(n.min(MOST_STEPS));
        let steps: Vec<Value> = words.map(|step| self.tell_step(step[0], step[1])).collect();
        let case = [Case::Own, Case::NoInstances, Case::NoneAvailable, Case::Fail, Case::BaselineMissing]
            .get(head(0) as usize)
            .map(|case| word(*case));
        let mode = [Mode::Off, Mode::Observe, Mode::On].get(head(1) as usize).map(|mode| mode.word());
        json!({
            "kind": "out",
            "at": sample[AT],
            "service": text(sample, SERVICE),
            "tag": self.tag_told(TagId((sample[HEAD] >> 32) as u16)),
            "mode": mode,
            "rule_line": some(high(sample[FROM])),
            "candidates": low(sample[FROM]),
            "values": told_values(sample, &|at| format!("value {at}"), &|_| false),
            "steps": steps,
            "more_steps": flags & MORE != 0,
            "circle": flags & CIRCLE != 0,
            "case": case,
            "subset": (flags & PLANNED != 0 && subset != u16::MAX).then_some(subset),
            "pick": Some(text(sample, PICK)).filter(|pick| !pick.is_empty()),
        })
    }

    fn tell_step(&self, what: u64, counts: u64) -> Value {
        let byte = |at: u32| what >> (8 * at) & 0xff;
        let found = ["usable", "noinstances", "noavailabled"].get(byte(3) as usize).copied().unwrap_or("");
        let (instances, usable) = (high(counts), low(counts));
        if byte(0) == LANE {
            let lane = self.tag_told(TagId((what >> 32) as u16)).unwrap_or_else(|| "baseline".into());
            return json!({"lane": lane, "instances": instances, "usable": usable, "found": found});
        }
        let kind = KINDS.get(byte(0) as usize).copied().unwrap_or("?");
        let mut step = json!({"depth": byte(1), "step": kind, "line": some(high(what))});
        match byte(2) {
            0 => {}
            holds => step["holds"] = json!(holds == 2),
        }
        if matches!(kind, "stage" | "looked" | "left") {
            (step["instances"], step["usable"]) = (json!(instances), json!(usable));
        }
        if kind == "looked" {
            step["found"] = json!(found);
        }
        step
    }

    fn tell_in(&self, class: Class, sample: &Sample) -> Value {
        let head = |at: u32| sample[HEAD] >> (8 * at) & 0xff;
        let state = self.state.load();
        let service = state.service.as_ref().map(|(name, _)| name.clone());
        let plan = &state.plans[head(3) as usize % 3];
        // Positions mean what they meant only under the rules of then; carriers stand first and never change.
        let same = state.snapshot.number() == low(sample[FROM]);
        let name = |at: usize| plan.names.get(at).filter(|_| same).map_or_else(|| format!("value {at}"), String::clone);
        let carrier = high(sample[WHICH]).checked_sub(1).and_then(|at| plan.names.get(at as usize)).cloned();
        let rule = high(sample[FROM]).checked_sub(1).filter(|_| same).and_then(|at| {
            let entries = &state.snapshot.rules().entries;
            let entry = entries.iter().find(|e| Some(&e.service) == service.as_ref())?;
            entry.rules.get(at as usize).map(|rule| rule.line)
        });
        let escape = class == Class::Escape;
        let unknown = || Some(text(sample, PICK)).filter(|tag| !tag.is_empty() && !escape);
        let flags = head(1) as u8;
        json!({
            "kind": if escape { "escape" } else { "in" },
            "at": sample[AT],
            "service": service,
            "own_tag": Some(self.own_tag()).filter(|tag| !tag.is_empty()),
            "tag": unknown().or_else(|| self.tag_told(TagId((sample[HEAD] >> 32) as u16))),
            "source": SOURCES.get(head(0) as usize),
            "carrier": carrier,
            "rule_line": rule,
            "values": told_values(sample, &name, &|at| {
                same && plan.names.get(at).is_some_and(|name| state.snapshot.rules().show.contains(name))
            }),
            "disagree": flags & crate::inbound::DISAGREE != 0,
            "malformed": flags & crate::inbound::MALFORMED != 0,
            "observe": flags & crate::inbound::OBSERVE != 0,
            "usable_in_lane": escape.then_some(sample[PICK]),
        })
    }

    fn tag_told(&self, tag: TagId) -> Option<String> {
        match tag {
            TagId::NONE => None,
            TagId::UNKNOWN => Some("(a tag that nobody named)".into()),
            tag => self.tag_name(tag).map(|name| name.to_string()),
        }
    }
}

/// The steps of a walk, in words.
struct Steps<'l> {
    list: &'l List,
    flags: u64,
    n: u8,
    words: [u64; MOST_STEPS * 2],
}

impl Steps<'_> {
    fn add(&mut self, what: u64, counts: u64) {
        let at = usize::from(self.n) * 2;
        if at < self.words.len() {
            (self.words[at], self.words[at + 1]) = (what, counts);
            self.n += 1;
        } else {
            self.flags |= MORE;
        }
    }

    fn planned(&mut self, step: &Step<'_>) {
        let held = |holds: bool| if holds { 2 } else { 1 };
        let words = |kind: u64, depth: u64, holds: u64, found: u64, line: u32| {
            bytes([kind, depth, holds, found]) | u64::from(line) << 32
        };
        match step {
            Step::Stage { instances, usable, .. } => self.add(words(1, 0, 0, 0, 0), pair(*instances, *usable)),
            Step::Route { route } => self.add(words(2, 1, 0, 0, route.line), 0),
            Step::Test { holds, .. } => self.add(words(3, 2, held(*holds), 0, 0), 0),
            Step::Chance { holds, .. } => self.add(words(4, 2, held(*holds), 0, 0), 0),
            Step::Holds { holds } => {
                let made = &mut self.words[..usize::from(self.n) * 2];
                if let Some(route) = made.chunks_exact_mut(2).rev().find(|step| step[0] & 0xff == 2) {
                    route[0] |= held(*holds) << 16;
                }
            }
            Step::Drawn { destination, .. } => self.add(words(5, 2, 0, 0, destination.line), 0),
            Step::Looked { destination, instances, usable, found } => {
                self.add(words(6, 2, 0, number(*found), destination.line), pair(*instances, *usable));
            }
            Step::Nothing { .. } => self.add(words(7, 2, 0, 0, 0), 0),
            Step::NoRoute { .. } => self.add(words(8, 1, 0, 0, 0), 0),
            Step::Left { instances, usable } => self.add(words(9, 1, 0, 0, 0), pair(*instances, *usable)),
        }
    }
}

impl Watch for Steps<'_> {
    fn step(&mut self, tag: TagId, subset: Option<u16>, found: Found) {
        let what = bytes([LANE, 0, 0, number(found)]) | u64::from(tag.0) << 32;
        let made = &self.words[..usize::from(self.n) * 2];
        if self.flags & CIRCLE != 0 || made.chunks_exact(2).any(|step| step[0] == what) {
            self.flags |= CIRCLE;
            return;
        }
        let subset = subset.and_then(|at| self.list.subsets().get(at as usize));
        self.add(what, subset.map_or(0, |s| pair(s.size, s.usable.len() as u32)));
    }
}

fn number(found: Found) -> u64 {
    match found {
        Found::Usable => 0,
        Found::NoInstances => 1,
        Found::NoneAvailable => 2,
    }
}

fn mask(ring: &Ring, values: &[Option<&[u8]>], sample: &mut Sample) -> u32 {
    let mut n = 0;
    for (at, value) in values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))).take(MOST_VALUES) {
        let (length, hash) = ring.masked(value);
        sample[VALUES + n] = (at as u64 & 0xff) << 56 | u64::from(length) << 32 | u64::from(hash);
        n += 1;
    }
    n as u32
}

/// `shown` says of which position the value itself is there.
fn told_values(sample: &Sample, name: &dyn Fn(usize) -> String, shown: &dyn Fn(usize) -> bool) -> Vec<Value> {
    let words = &sample[VALUES..VALUES + (low(sample[WHICH]) as usize).min(MOST_VALUES)];
    let tell = |(n, word): (usize, &u64)| {
        let (at, length, hash) = ((word >> 56) as usize, word >> 32 & 0xff_ffff, *word as u32);
        let mut told = json!({"name": name(at), "length": length, "hash": format!("{hash:08x}")});
        if shown(at) {
            told["value"] = text(sample, SHOWN + n * TEXT).into();
        }
        told
    };
    words.iter().enumerate().map(tell).collect()
}

fn put_text(sample: &mut Sample, at: usize, text: &str) {
    put_bytes(sample, at, text.as_bytes());
}

/// A text's first 47 bytes, behind their number.
fn put_bytes(sample: &mut Sample, at: usize, text: &[u8]) {
    let mut packed = [0; TEXT * 8];
    let length = text.len().min(packed.len() - 1);
    packed[0] = length as u8;
    packed[1..=length].copy_from_slice(&text[..length]);
    for (word, eight) in sample[at..at + TEXT].iter_mut().zip(packed.as_chunks().0) {
        *word = u64::from_ne_bytes(*eight);
    }
}

fn text(sample: &Sample, at: usize) -> String {
    let packed: Vec<u8> = sample[at..at + TEXT].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let length = usize::from(packed[0]).min(packed.len() - 1);
    String::from_utf8_lossy(&packed[1..=length]).into_owned()
}

fn bytes(bytes: [u64; 4]) -> u64 {
    bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

fn low(word: u64) -> u32 {
    word as u32
}

fn some(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}
