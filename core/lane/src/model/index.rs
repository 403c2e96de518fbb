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

/// Stages with fewer routes are walked.
const FEWEST: usize = 8;
/// Most shapes: each costs a look-up.
const MAX_SHAPES: usize = 12;
/// Most values of one shape; further tests are left to the full condition.
const MAX_PARTS: usize = 3;

/// A slot, and the length of the prefix that counts; `None`: the whole value.
type Part = (u16, Option<u32>);

#[derive(Clone, Debug)]
pub(crate) struct RouteIndex {
    shapes: Vec<Shape>,
    /// Routes that no shape holds, ascending.
    others: Box<[u32]>,
    hasher: foldhash::fast::FixedState,
}

#[derive(Clone, Debug)]
struct Shape {
    parts: Box<[Part]>,
    /// Routes by the hash of their values, ascending.
    routes: HashMap<u64, Vec<u32>, foldhash::fast::FixedState>,
}

impl RouteIndex {
    /// The index of a stage; `None` where it would not help.
    pub fn new(routes: &[ChainRoute]) -> Option<RouteIndex> {
        if routes.len() < FEWEST {
            return None;
        }
        let mut index = RouteIndex { shapes: Vec::new(), others: Box::default(), hasher: Default::default() };
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
        let shapes: Vec<Vec<Part>> =
            alternatives.iter().map(|keys| keys.iter().map(|(part, _)| *part).collect()).collect();
        let mut fresh: Vec<&Vec<Part>> = shapes.iter().filter(|s| !shape_at.contains_key(*s)).collect();
        fresh.sort();
        fresh.dedup();
        if self.shapes.len() + fresh.len() > MAX_SHAPES {
            return false;
        }
        for (parts, keys) in shapes.into_iter().zip(&alternatives) {
            let at = *shape_at.entry(parts).or_insert_with_key(|parts| {
                self.shapes.push(Shape { parts: parts.clone().into(), routes: HashMap::default() });
                self.shapes.len() - 1
            });
            let mut hasher = self.hasher.build_hasher();
            keys.iter().for_each(|(_, value)| put(&mut hasher, value.as_bytes()));
            let found = self.shapes[at].routes.entry(hasher.finish()).or_default();
            if found.last() != Some(&n) {
                found.push(n);
            }
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
            let Some(hash) = self.hash(shape, fields, facts) else { continue };
            let Some(routes) = shape.routes.get(&hash) else { continue };
            for &n in routes.iter().take_while(|n| **n < best) {
                if holds(n as usize) {
                    best = n;
                    break;
                }
            }
        }
        for &n in self.others.iter().take_while(|n| **n < best) {
            if holds(n as usize) {
                best = n;
                break;
            }
        }
        (best != u32::MAX).then_some(best as usize)
    }

    fn hash<F: Facts + ?Sized>(&self, shape: &Shape, fields: &[Field], facts: &F) -> Option<u64> {
        let mut hasher = self.hasher.build_hasher();
        for (slot, length) in &shape.parts {
            let value = facts.value(usize::from(*slot), &fields[usize::from(*slot)])?.as_bytes();
            put(
                &mut hasher,
                match length {
                    Some(length) => value.get(..*length as usize)?,
                    None => value,
                },
            );
        }
        Some(hasher.finish())
    }
}

fn put(hasher: &mut impl Hasher, value: &[u8]) {
    hasher.write(value);
    hasher.write_u32(value.len() as u32);
}

/// The values that must be met for a condition to hold, by slot; `None` where it names no such value.
fn keys(when: &Cond) -> Option<Vec<(Part, &str)>> {
    let mut keys = Vec::new();
    collect(when, &mut keys);
    keys.sort_unstable();
    keys.truncate(MAX_PARTS);
    (!keys.is_empty()).then_some(keys)
}

fn collect<'c>(when: &'c Cond, keys: &mut Vec<(Part, &'c str)>) {
    match when {
        Cond::All(parts) => parts.iter().for_each(|part| collect(part, keys)),
        Cond::Any(parts) if parts.len() == 1 => collect(&parts[0], keys),
        Cond::Is(slot, None, Test::Exact(value)) => keys.push(((*slot, None), value)),
        Cond::Is(slot, None, Test::Prefix(value)) => keys.push(((*slot, Some(value.len() as u32)), value)),
        _ => {}
    }
}
