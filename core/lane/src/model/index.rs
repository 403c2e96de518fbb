//! Finds the first route that holds without asking all of them: routes whose conditions are equalities and prefixes
//! are looked up by the values themselves, whatever their number.
//!
//! Routes are grouped by *shape*: which slots are compared, whether whole or by a prefix of which length. A decision
//! makes one hash look-up for each shape, and asks the full condition of the few routes found there.

use super::Test;
use super::chain::{ChainRoute, Cond};
use super::decide::Facts;
use crate::model::Field;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::mem;

/// Stages with fewer routes are walked.
const FEWEST: usize = 8;
/// Most shapes: each costs a look-up.
const MAX_SHAPES: usize = 12;
/// Most values of one shape; further tests are left to the full condition.
const MAX_PARTS: usize = 3;

/// Stands for the length of a value that one byte does not hold.
const LONG: u8 = u8::MAX;

/// A slot, and the length of the prefix that counts; `None`: the whole value.
type Part = (u16, Option<u32>);

#[derive(Clone, Debug)]
pub(crate) struct RouteIndex {
    shapes: Vec<Shape>,
    /// Routes that no shape holds, ascending.
    others: Box<[u32]>,
    /// The values of all keys, each behind its length (one byte; 255: four more hold it): compared without touching the
    /// rules.
    values: Vec<u8>,
    /// Further routes of a key, ascending.
    more: Vec<Vec<Found>>,
    hasher: foldhash::fast::FixedState,
}

#[derive(Clone, Debug)]
struct Shape {
    parts: Box<[Part]>,
    /// A table with open addresses, a power of two in size, at most three quarters full: with many rules a look-up
    /// costs what it misses in the processor's cache, and here that is one line, then the key's values.
    keys: Box<[Key]>,
    used: usize,
}

/// The routes that compare the same values in the same way.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// The upper half of the hash: its lower bits are the place.
    hash: u32,
    /// Where its values begin.
    values: u32,
    first: Found,
    /// Position in `more`, plus one; 0: no further route.
    more: u32,
}

const NO_KEY: Key = Key { hash: 0, values: 0, first: Found(u32::MAX), more: 0 };

impl Shape {
    fn new(parts: Box<[Part]>) -> Shape {
        Shape { parts, keys: [NO_KEY; 8].into(), used: 0 }
    }

    /// The place of a key, or else the free one where it belongs. `same` says whether a key's values are those.
    fn place(&self, hash: u32, same: impl Fn(&Key) -> bool) -> usize {
        let mask = self.keys.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let key = &self.keys[at];
            if key.first == NO_KEY.first || (key.hash == hash && same(key)) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts a key on its free place.
    fn put(&mut self, at: usize, key: Key) {
        self.keys[at] = key;
        self.used += 1;
        if self.used * 4 > self.keys.len() * 3 {
            let wider = vec![NO_KEY; self.keys.len() * 2].into();
            for key in mem::replace(&mut self.keys, wider).iter().filter(|key| key.first != NO_KEY.first) {
                let at = self.place(key.hash, |_| false);
                self.keys[at] = *key;
            }
        }
    }
}

/// A route, and whether its condition is nothing but this key.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Found(u32);

impl Found {
    fn new(route: u32, whole: bool) -> Found {
        Found(route << 1 | u32::from(whole))
    }

    fn route(self) -> u32 {
        self.0 >> 1
    }

    fn whole(self) -> bool {
        self.0 & 1 == 1
    }
}

impl RouteIndex {
    /// The index of a stage; `None` where it would not help.
    pub fn new(routes: &[ChainRoute]) -> Option<RouteIndex> {
        if routes.len() < FEWEST || routes.len() >= (u32::MAX >> 1) as usize {
            return None;
        }
        let mut index = RouteIndex {
            shapes: Vec::new(),
            others: Box::default(),
            values: Vec::new(),
            more: Vec::new(),
            hasher: Default::default(),
        };
        let mut shape_at: HashMap<Vec<Part>, usize> = HashMap::new();
        let mut others = Vec::new();
        for (n, route) in routes.iter().enumerate() {
            if !index.add(n as u32, &route.when, &mut shape_at) {
                others.push(n as u32);
            }
        }
        index.others = others.into();
        (index.others.len() < routes.len()).then_some(index)
    }

    fn add(&mut self, n: u32, when: &Cond, shape_at: &mut HashMap<Vec<Part>, usize>) -> bool {
        let alternatives = match when {
            Cond::Any(parts) if !parts.is_empty() => parts.iter().map(keys).collect::<Option<Vec<_>>>(),
            other => keys(other).map(|k| vec![k]),
        };
        let Some(alternatives) = alternatives else { return false };
        let parts = |keys: &Keys| keys.parts.iter().map(|(part, _)| *part).collect::<Vec<Part>>();
        let mut fresh: Vec<Vec<Part>> = alternatives.iter().map(parts).filter(|s| !shape_at.contains_key(s)).collect();
        fresh.sort_unstable();
        fresh.dedup();
        if self.shapes.len() + fresh.len() > MAX_SHAPES {
            return false;
        }
        for shape in fresh {
            shape_at.insert(shape.clone(), self.shapes.len());
            self.shapes.push(Shape::new(shape.into()));
        }
        for keys in &alternatives {
            self.put_route(shape_at[&parts(keys)], keys, n);
        }
        true
    }

    fn put_route(&mut self, shape: usize, keys: &Keys, n: u32) {
        let mut hasher = self.hasher.build_hasher();
        keys.parts.iter().for_each(|(_, value)| put(&mut hasher, value.as_bytes()));
        let hash = (hasher.finish() >> 32) as u32;
        let first = Found::new(n, keys.whole);
        let values = || keys.parts.iter().map(|(_, value)| value.as_bytes());
        let at = self.shapes[shape].place(hash, |key| self.same(key.values, values()));
        let there = self.shapes[shape].keys[at];
        if there.first == NO_KEY.first {
            let start = self.values.len() as u32;
            for value in values() {
                match u8::try_from(value.len()) {
                    Ok(length) if length < LONG => self.values.push(length),
                    _ => {
                        self.values.push(LONG);
                        self.values.extend((value.len() as u32).to_ne_bytes());
                    }
                }
                self.values.extend(value);
            }
            return self.shapes[shape].put(at, Key { hash, values: start, first, more: 0 });
        }
        if there.more == 0 {
            self.more.push(Vec::new());
            self.shapes[shape].keys[at].more = self.more.len() as u32;
        }
        let more = self.shapes[shape].keys[at].more as usize;
        self.more[more - 1].push(first);
    }

    fn same<'v>(&self, start: u32, values: impl Iterator<Item = &'v [u8]>) -> bool {
        let mut rest = &self.values[start as usize..];
        for value in values {
            let Some((&length, mut behind)) = rest.split_first() else { return false };
            let mut length = usize::from(length);
            if length == usize::from(LONG) {
                let Some((whole, further)) = behind.split_first_chunk::<4>() else { return false };
                (length, behind) = (u32::from_ne_bytes(*whole) as usize, further);
            }
            if behind.get(..length) != Some(value) {
                return false;
            }
            rest = &behind[length..];
        }
        true
    }

    /// The first route for which `holds` says so; it is asked only about routes that may.
    pub fn first<F: Facts + ?Sized>(
        &self,
        fields: &[Field],
        facts: &F,
        mut holds: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let mut best = u32::MAX;
        for shape in &self.shapes {
            let mut values: [&[u8]; MAX_PARTS] = [&[]; MAX_PARTS];
            let Some(hash) = self.hash(shape, fields, facts, &mut values) else { continue };
            let same = |key: &Key| self.same(key.values, values[..shape.parts.len()].iter().copied());
            let key = &shape.keys[shape.place(hash, same)];
            if key.first == NO_KEY.first {
                continue;
            }
            let more = if key.more == 0 { &[][..] } else { &self.more[key.more as usize - 1] };
            let mut routes = std::iter::once(&key.first).chain(more).take_while(|found| found.route() < best);
            if let Some(found) = routes.find(|found| found.whole() || holds(found.route() as usize)) {
                best = found.route();
            }
        }
        if let Some(n) = self.others.iter().take_while(|n| **n < best).find(|n| holds(**n as usize)) {
            best = *n;
        }
        (best != u32::MAX).then_some(best as usize)
    }

    fn hash<'f, F: Facts + ?Sized>(
        &self,
        shape: &Shape,
        fields: &[Field],
        facts: &'f F,
        values: &mut [&'f [u8]; MAX_PARTS],
    ) -> Option<u32> {
        let mut hasher = self.hasher.build_hasher();
        for ((slot, length), place) in shape.parts.iter().zip(values) {
            let value = facts.value(usize::from(*slot), &fields[usize::from(*slot)])?.as_bytes();
            *place = match length {
                Some(length) => value.get(..*length as usize)?,
                None => value,
            };
            put(&mut hasher, place);
        }
        Some((hasher.finish() >> 32) as u32)
    }
}

fn put(hasher: &mut impl Hasher, value: &[u8]) {
    hasher.write(value);
    hasher.write_u32(value.len() as u32);
}

/// The values that must be met for a condition to hold, by slot, and whether nothing else must.
struct Keys<'c> {
    parts: Vec<(Part, &'c str)>,
    whole: bool,
}

/// `None` where the condition names no such value.
fn keys(when: &Cond) -> Option<Keys<'_>> {
    let mut keys = Keys { parts: Vec::new(), whole: true };
    collect(when, &mut keys);
    keys.parts.sort_unstable();
    keys.parts.dedup();
    keys.whole &= keys.parts.len() <= MAX_PARTS;
    keys.parts.truncate(MAX_PARTS);
    (!keys.parts.is_empty()).then_some(keys)
}

fn collect<'c>(when: &'c Cond, keys: &mut Keys<'c>) {
    match when {
        Cond::All(parts) => parts.iter().for_each(|part| collect(part, keys)),
        Cond::Any(parts) if parts.len() == 1 => collect(&parts[0], keys),
        Cond::Is(slot, None, Test::Exact(value)) => keys.parts.push(((*slot, None), value)),
        Cond::Is(slot, None, Test::Prefix(value)) => keys.parts.push(((*slot, Some(value.len() as u32)), value)),
        Cond::Known(true, _) => {}
        _ => keys.whole = false,
    }
}
