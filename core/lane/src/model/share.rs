//! The exact set and shares of a decision: every way that chance can take, by the code that decides.

use super::decide::{Choose, Decision, Facts, decide};
use super::plan::Plan;
use super::tags::{TagPlan, Tagged};
use crate::entry::EntryPlan;
use crate::tag::TagId;
use std::collections::BTreeMap;

/// Most ways that are followed.
const MAX_WAYS: usize = 10_000;

/// What many requests like one give.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shares {
    /// The part of each instance, by position, 0 to 1. What is missing from 1 fails.
    pub parts: BTreeMap<u32, f64>,
    /// Instances left before the pick, over all ways that happen, ascending.
    pub set: Vec<u32>,
    /// Whether there were more ways than are followed.
    pub cut: bool,
}

/// Follows every way of a request through a plan.
pub fn shares<F: Facts + ?Sized>(plan: &Plan, facts: &F) -> Shares {
    let mut shares = Shares::default();
    let mut script: Vec<(usize, Vec<u32>)> = Vec::new();
    for _ in 0..MAX_WAYS {
        let mut way = Way { script: std::mem::take(&mut script), at: 0, part: 1.0 };
        let decision = decide(plan, facts, &mut way, &mut ());
        shares.add(&decision, way.part);
        script = way.script;
        if !next(&mut script) {
            shares.set = shares.parts.keys().copied().collect();
            return shares;
        }
    }
    shares.cut = true;
    shares.set = shares.parts.keys().copied().collect();
    shares
}

/// Every tag that chance can give a request, each with its part of many such requests.
pub fn tags<'v, F: Facts + ?Sized>(
    plan: &'v TagPlan,
    facts: &'v F,
    own: Option<&'v str>,
    table: &dyn Fn(&str) -> Option<&'v str>,
) -> Vec<(Tagged<'v>, f64)> {
    every(|way| plan.decide(facts, own, table, way, &mut ()), |tagged| tagged.tag)
}

/// Every rule that chance can have colour a request, by its position and with its tag, each with its part.
pub fn colours<'v>(plan: &EntryPlan, value: impl Fn(usize) -> Option<&'v [u8]>) -> Vec<(Option<(usize, TagId)>, f64)> {
    every(|way| plan.decide_by(&value, way), |rule| *rule)
}

/// Every outcome, those that count as the same together.
fn every<T, K: PartialEq>(mut decide: impl FnMut(&mut Way) -> T, same: impl Fn(&T) -> K) -> Vec<(T, f64)> {
    let mut found: Vec<(T, f64)> = Vec::new();
    let mut script = Vec::new();
    for _ in 0..MAX_WAYS {
        let mut way = Way { script: std::mem::take(&mut script), at: 0, part: 1.0 };
        let outcome = decide(&mut way);
        match found.iter_mut().find(|(known, _)| same(known) == same(&outcome)) {
            Some((_, part)) => *part += way.part,
            None => found.push((outcome, way.part)),
        }
        script = way.script;
        if !next(&mut script) {
            break;
        }
    }
    found
}

impl Shares {
    fn add(&mut self, decision: &Decision, part: f64) {
        let usable = decision.left.usable();
        for at in usable.iter() {
            *self.parts.entry(*at).or_default() += part / usable.len() as f64;
        }
    }
}

/// Moves to the next way: the last choice that has another position with a weight takes it.
fn next(script: &mut Vec<(usize, Vec<u32>)>) -> bool {
    while let Some((at, weights)) = script.last_mut() {
        if let Some(further) = (*at + 1..weights.len()).find(|n| weights[*n] > 0) {
            *at = further;
            return true;
        }
        script.pop();
    }
    false
}

/// Takes the choices of a script, and past its end the first of each.
struct Way {
    script: Vec<(usize, Vec<u32>)>,
    at: usize,
    part: f64,
}

impl Choose for Way {
    fn choose(&mut self, weights: &mut dyn Iterator<Item = u32>, total: u64) -> Option<usize> {
        if self.at == self.script.len() {
            let weights: Vec<u32> = weights.collect();
            let first = weights.iter().position(|w| *w > 0)?;
            self.script.push((first, weights));
        }
        let (chosen, weights) = &self.script[self.at];
        self.part *= f64::from(weights[*chosen]) / total as f64;
        self.at += 1;
        Some(*chosen)
    }

    /// The pick is even: it needs no following.
    fn pick(&mut self, _: usize) -> usize {
        0
    }
}
