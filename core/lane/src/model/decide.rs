//! **Which set serves a request, which instance of it, and why**: the walk over the stages.
//!
//! No lock and no system call; no allocation unless a selector names values of the request that no index answers, or
//! more sets than are prepared would be needed. What is explained is what is done: [`Watch`] sees every step.

use super::chain::{ChainRoute, ChainStage, Cond, NOT_SIMPLE};
use super::plan::{EVERYTHING, Plan, Set};
use super::select::{Resolved, value_of};
use super::weights::Weights;
use super::{Destination, Draw, Field, IfNothing, Otherwise, Policy, Route, Selector, Stage, Test};
use crate::hash;
use crate::route::{Case, Found};

/// The values of one request.
pub trait Facts {
    /// The value of a field; `slot` is its position in [`super::chain::Chain::fields`].
    fn value(&self, slot: usize, field: &Field) -> Option<&str>;
}

/// Values by slot: what a binding passes.
impl Facts for [Option<&str>] {
    fn value(&self, slot: usize, _: &Field) -> Option<&str> {
        *self.get(slot)?
    }
}

/// Makes the choices that are left to chance.
pub trait Choose {
    /// One of these weights, by position; only those above zero are chosen. `None` when there is none.
    fn choose(&mut self, weights: &mut dyn Iterator<Item = u32>, total: u64) -> Option<usize>;
    /// One of so many instances, evenly.
    fn pick(&mut self, of: usize) -> usize;
}

/// Chance from one number: entropy is an argument, so that decisions can be repeated.
pub struct Entropy(pub u64);

impl Entropy {
    /// Below `total`, by multiply-shift; the next number is independent of this one (the finisher of SplitMix64).
    fn below(&mut self, total: u64) -> u64 {
        let at = ((u128::from(self.0) * u128::from(total)) >> 64) as u64;
        let mut mixed = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = mixed ^ (mixed >> 31);
        at
    }
}

impl Choose for Entropy {
    fn choose(&mut self, weights: &mut dyn Iterator<Item = u32>, total: u64) -> Option<usize> {
        let mut at = self.below(total);
        for (n, weight) in weights.enumerate() {
            if at < u64::from(weight) {
                return Some(n);
            }
            at -= u64::from(weight);
        }
        None
    }

    fn pick(&mut self, of: usize) -> usize {
        self.below(of as u64) as usize
    }
}

/// One step of a decision.
#[allow(missing_docs)] // Each variant's line says what its fields are.
#[derive(Debug)]
pub enum Step<'s> {
    /// A stage begins with so many instances, so many of them usable.
    Stage { stage: &'s Stage, instances: u32, usable: u32 },
    /// A route's condition is asked.
    Route { route: &'s Route },
    /// One test of it.
    Test { field: &'s Field, test: &'s Test, value: Option<&'s str>, holds: bool },
    /// A share by chance in a condition.
    Chance { share: u16, holds: bool },
    /// The route's condition as a whole.
    Holds { holds: bool },
    /// A destination was drawn; `bucket` where the draw is stable.
    Drawn { destination: &'s Destination, of: u32, bucket: Option<u16> },
    /// A destination was looked at.
    Looked { destination: &'s Destination, instances: u32, usable: u32, found: Found },
    /// Nothing usable: what the route does about it.
    Nothing { then: IfNothing },
    /// No route held.
    NoRoute { then: Otherwise },
    /// The stage leaves so many.
    Left { instances: u32, usable: u32 },
}

/// Watches a decision being made. The unit type watches nothing and costs nothing.
pub trait Watch {
    /// Whether it wants to see every route that is asked. Where it does not, routes are looked up by their values; the
    /// answer is the same (`tests.rs` and the property tests hold both ways against each other).
    const WATCHES: bool;
    /// What happened.
    fn step(&mut self, step: Step<'_>);
}

impl Watch for () {
    const WATCHES: bool = false;

    #[inline(always)]
    fn step(&mut self, _: Step<'_>) {}
}

/// The instances that a decision leaves.
#[derive(Clone, Debug)]
pub enum Left<'p> {
    /// None: the call fails.
    Nothing,
    /// A prepared set, by its number.
    Prepared(u32, &'p Set),
    /// One that was made for this request.
    Made(Set),
}

impl Left<'_> {
    /// The usable ones, ascending.
    pub fn usable(&self) -> &[u32] {
        match self {
            Left::Nothing => &[],
            Left::Prepared(_, set) => &set.usable,
            Left::Made(set) => &set.usable,
        }
    }
}

/// Which destination decided. Looked up only when somebody asks: a decision itself need not touch the rule's text.
#[derive(Clone, Copy, Debug)]
pub struct By<'p> {
    stage: &'p ChainStage,
    route: u32,
    destination: u32,
}

impl<'p> By<'p> {
    /// The stage as written.
    pub fn stage(&self) -> &'p Stage {
        &self.stage.rules
    }

    /// The route as written.
    pub fn route(&self) -> &'p Route {
        &self.stage.rules.routes[self.route as usize]
    }

    /// The destination, of a route that has any.
    pub fn destination(&self) -> Option<&'p Destination> {
        self.route().destinations.get(self.destination as usize)
    }
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Decision<'p> {
    /// What is left before the pick.
    pub left: Left<'p>,
    /// Position of the picked instance.
    pub index: Option<u32>,
    /// Why; of several fallbacks the first.
    pub case: Case,
    /// Title of the stage and the route that decided last.
    pub by: Option<By<'p>>,
}

impl<'p> Decision<'p> {
    /// What is to be done with the call.
    pub fn policy(&self) -> Option<&'p Policy> {
        self.by.and_then(|by| by.destination()).map(|destination| &destination.policy)
    }
}

/// Decides; picks evenly among what is left.
pub fn decide<'p, F: Facts + ?Sized, C: Choose, W: Watch>(
    plan: &'p Plan,
    facts: &F,
    choose: &mut C,
    watch: &mut W,
) -> Decision<'p> {
    let mut walk = Walk { plan, facts, choose, watch, made: Vec::new(), case: Case::Own, by: None, reset: false };
    let mut set = EVERYTHING;
    for at in 0..plan.chain.stages.len() {
        match walk.stage(at, set) {
            Some(left) => set = left,
            None => return walk.failed(),
        }
        if walk.reset {
            break;
        }
    }
    if walk.set(set).usable.is_empty() {
        return walk.failed();
    }
    let (case, by) = (walk.case, walk.by);
    let left = match plan.set(set) {
        Some(prepared) => Left::Prepared(set, prepared),
        None => Left::Made(walk.set(set).clone()),
    };
    let usable = left.usable();
    let index = usable.get(choose.pick(usable.len())).copied();
    Decision { left, index, case, by }
}

struct Walk<'p, 'f, F: ?Sized, C, W> {
    plan: &'p Plan,
    facts: &'f F,
    choose: &'f mut C,
    watch: &'f mut W,
    /// Sets past the prepared ones.
    made: Vec<Set>,
    case: Case,
    by: Option<By<'p>>,
    /// No further stage is asked.
    reset: bool,
}

impl<'p, F: Facts + ?Sized, C: Choose, W: Watch> Walk<'p, '_, F, C, W> {
    fn failed(&self) -> Decision<'p> {
        Decision { left: Left::Nothing, index: None, case: Case::Fail, by: self.by }
    }

    fn set(&self, number: u32) -> &Set {
        let prepared = self.plan.sets.len();
        self.plan.sets.get(number as usize).unwrap_or_else(|| &self.made[number as usize - prepared])
    }

    fn size(&self, number: u32) -> (u32, u32) {
        let set = self.set(number);
        (set.members.len() as u32, set.usable.len() as u32)
    }

    /// What a stage leaves of a set; `None`: the decision fails.
    fn stage(&mut self, at: usize, set: u32) -> Option<u32> {
        let plan = self.plan;
        let stage = &plan.chain.stages[at];
        let (instances, usable) = self.size(set);
        self.watch.step(Step::Stage { stage: &stage.rules, instances, usable });
        let (mut left, mut from) = (None, 0);
        while let Some(n) = self.next_route(stage, from) {
            if let Some(found) = self.simple(stage, n, set) {
                self.by = Some(By { stage, route: n as u32, destination: 0 });
                left = Some(found);
                break;
            }
            let (written, compiled) = (&stage.rules.routes[n], &stage.routes[n]);
            if let Some((found, destination)) = self.route(written, compiled, set) {
                self.by = Some(By { stage, route: n as u32, destination });
                left = Some(found);
                break;
            }
            self.watch.step(Step::Nothing { then: written.if_nothing });
            match written.if_nothing {
                IfNothing::Next => from = n + 1,
                IfNothing::Last => from = (n + 1).max(stage.routes.len() - 1),
                IfNothing::Fail => {
                    self.by = Some(By { stage, route: n as u32, destination: 0 });
                    return None;
                }
                IfNothing::Reset => {
                    self.reset = true;
                    left = Some(EVERYTHING);
                    break;
                }
                IfNothing::Keep | IfNothing::OtherThenKeep => {
                    left = Some(set);
                    break;
                }
            }
        }
        if left.is_none() {
            self.watch.step(Step::NoRoute { then: stage.rules.otherwise });
            left = (stage.rules.otherwise == Otherwise::Keep).then_some(set);
        }
        if let Some(left) = left {
            let (instances, usable) = self.size(left);
            self.watch.step(Step::Left { instances, usable });
        }
        left
    }

    /// The common route, one destination with a weight: what it leaves, if that is usable. Nobody watches.
    fn simple(&mut self, stage: &'p ChainStage, n: usize, set: u32) -> Option<u32> {
        if W::WATCHES {
            return None;
        }
        let selector = *stage.simple.get(n).filter(|s| **s != NOT_SIMPLE)?;
        let left = self.select(selector, set);
        (self.size(left).1 > 0).then_some(left)
    }

    /// The first route from a position on whose condition holds.
    fn next_route(&mut self, stage: &'p ChainStage, from: usize) -> Option<usize> {
        let plan = self.plan;
        if let (0, false, Some(index)) = (from, W::WATCHES, &stage.index) {
            return index.first(&plan.chain.fields, self.facts, |n| self.holds(&stage.routes[n].when));
        }
        (from..stage.routes.len()).find(|n| {
            self.watch.step(Step::Route { route: &stage.rules.routes[*n] });
            let holds = self.holds(&stage.routes[*n].when);
            self.watch.step(Step::Holds { holds });
            holds
        })
    }

    /// Draws a destination and follows its fallbacks.
    fn route(&mut self, route: &'p Route, compiled: &'p ChainRoute, set: u32) -> Option<(u32, u32)> {
        let drawn = match &route.draw {
            Draw::Usable => {
                let weight = |(n, destination): (usize, &Destination)| {
                    let drawn = destination.weight > 0 && self.follow(route, compiled, n, set, false).is_some();
                    if drawn { destination.weight } else { 0 }
                };
                let weights: Weights = route.destinations.iter().enumerate().map(weight).collect();
                self.draw(route, &mut weights.iter(), None)
            }
            Draw::Written => self.draw(route, &mut route.destinations.iter().map(|d| d.weight), None),
            Draw::Stable { salt, field } => {
                let slot = usize::from(compiled.draw_slot.unwrap_or(0));
                let key = self.facts.value(slot, field).filter(|key| !key.is_empty());
                let bucket = key.map(|key| hash::bucket(salt.as_bytes(), key.as_bytes()));
                self.draw(route, &mut route.destinations.iter().map(|d| d.weight), bucket)
            }
        };
        let found = drawn.and_then(|n| self.follow(route, compiled, n, set, true));
        if found.is_some() || route.if_nothing != IfNothing::OtherThenKeep {
            return found;
        }
        // Destinations that are fallbacks alone stand behind the others.
        let fallbacks = route.destinations.iter().flat_map(|d| d.fallback).flatten().min();
        let all = fallbacks.map_or(route.destinations.len(), usize::from);
        let behind = drawn.map_or(0, |n| n + 1).min(all);
        (behind..all).chain(0..behind).find_map(|n| self.follow(route, compiled, n, set, true))
    }

    fn draw(&mut self, route: &'p Route, weights: &mut dyn Iterator<Item = u32>, bucket: Option<u16>) -> Option<usize> {
        let mut one = None;
        let (mut total, mut several) = (0u64, false);
        let weights: Weights = weights.collect();
        for (n, weight) in weights.iter().enumerate().filter(|(_, w)| *w > 0) {
            several |= one.is_some();
            one.get_or_insert(n);
            total += u64::from(weight);
        }
        let drawn = match (several, bucket) {
            (false, _) => one,
            (true, Some(bucket)) => {
                // Bucket b of 10,000 belongs to the destination that holds the point b/10,000 of all weights.
                let mut point = u64::from(bucket) * total / hash::BUCKETS;
                weights.iter().position(|w| {
                    let here = point < u64::from(w);
                    point = point.saturating_sub(u64::from(w));
                    here
                })
            }
            (true, None) => self.choose.choose(&mut weights.iter(), total),
        };
        if let Some(n) = drawn {
            let of = weights.iter().filter(|w| *w > 0).count() as u32;
            self.watch.step(Step::Drawn { destination: &route.destinations[n], of, bucket });
        }
        drawn
    }

    /// A destination or where its fallbacks lead; `None`: nothing usable.
    fn follow(
        &mut self,
        route: &'p Route,
        compiled: &'p ChainRoute,
        start: usize,
        set: u32,
        tell: bool,
    ) -> Option<(u32, u32)> {
        let mut at = start;
        // Circles are found when rules are loaded; the bound makes a decision end whatever was built.
        for _ in 0..=route.destinations.len() {
            let destination = &route.destinations[at];
            let selected = self.select(compiled.selectors[at], set);
            let (instances, usable) = self.size(selected);
            let enough = destination.least == 0
                || u64::from(usable) * 1_000_000 >= u64::from(self.size(set).1) * u64::from(destination.least);
            let (found, case) = match (usable, instances) {
                (1.., _) if !enough => (Found::NoInstances, Case::NoInstances),
                (1.., _) => (Found::Usable, Case::Own),
                (_, 0) => (Found::NoInstances, Case::NoInstances),
                _ => (Found::NoneAvailable, Case::NoneAvailable),
            };
            if tell {
                self.watch.step(Step::Looked { destination, instances, usable, found });
            }
            if found == Found::Usable {
                return Some((selected, at as u32));
            }
            if tell && self.case == Case::Own {
                self.case = case;
            }
            at = usize::from(destination.fallback[usize::from(case == Case::NoneAvailable)]?);
        }
        None
    }

    /// What a selector leaves of a set.
    fn select(&mut self, selector: u32, set: u32) -> u32 {
        let plan = self.plan;
        let selected = match &plan.resolved[selector as usize] {
            Resolved::Fixed(selected) => Some(*selected),
            Resolved::ByValue { slot, values } => {
                let value = self.facts.value(usize::from(*slot), &plan.chain.fields[usize::from(*slot)]);
                value.and_then(|v| values.get(v)).copied()
            }
            Resolved::AtDecision => return self.evaluate(selector, set),
        };
        let Some(selected) = selected else { return self.keep(Vec::new()) };
        match (set as usize) < plan.sets.len() {
            true => match plan.narrow(set, selected) {
                Some(left) => left,
                None => self.keep(plan.intersect(&self.set(set).members, &self.set(selected).members)),
            },
            false => self.keep(plan.intersect(&self.set(set).members, &self.set(selected).members)),
        }
    }

    /// The rare way: each instance is asked, with values of the request.
    fn evaluate(&mut self, selector: u32, set: u32) -> u32 {
        let plan = self.plan;
        let chain = &plan.chain;
        let Selector::Where(condition) = &chain.selectors[selector as usize] else { return set };
        let facts = self.facts;
        let fits = |at: &u32| {
            let endpoint = &plan.endpoints()[*at as usize];
            condition.holds(&|field: &Field| match field.of_instance() || field.of_caller() {
                true => value_of(field, endpoint, chain),
                false => chain.slot_of(field).and_then(|slot| facts.value(slot, field)),
            })
        };
        let members = self.set(set).members.iter().copied().filter(fits).collect();
        self.keep(members)
    }

    fn keep(&mut self, members: Vec<u32>) -> u32 {
        let healthy = |at: &u32| self.plan.healthy(*at);
        let usable = members.iter().copied().filter(healthy).collect();
        self.made.push(Set { members: members.into(), usable });
        (self.plan.sets.len() + self.made.len() - 1) as u32
    }

    fn holds(&mut self, condition: &'p Cond) -> bool {
        holds(condition, &self.plan.chain.fields, self.facts, self.choose, self.watch)
    }
}

/// Whether a compiled condition holds.
pub(crate) fn holds<F: Facts + ?Sized, C: Choose, W: Watch>(
    condition: &Cond,
    fields: &[Field],
    facts: &F,
    choose: &mut C,
    watch: &mut W,
) -> bool {
    match condition {
        Cond::All(parts) => parts.iter().all(|c| holds(c, fields, facts, choose, watch)),
        Cond::Any(parts) => parts.iter().any(|c| holds(c, fields, facts, choose, watch)),
        Cond::Not(part) => !holds(part, fields, facts, choose, watch),
        Cond::Known(holds, what) => {
            watch.step(Step::Test { field: &what.0, test: &what.1, value: None, holds: *holds });
            *holds
        }
        Cond::Is(slot, other, test) => {
            let field = &fields[usize::from(*slot)];
            let value = facts.value(usize::from(*slot), field);
            let named = |f: &Field| other.and_then(|slot| facts.value(usize::from(slot), f));
            let holds = test.holds(value, &named);
            watch.step(Step::Test { field, test, value, holds });
            holds
        }
        Cond::Chance(share) => {
            let share = u32::from(*share).min(10_000);
            let holds = match share {
                0 => false,
                10_000 => true,
                _ => choose.choose(&mut [share, 10_000 - share].into_iter(), 10_000) == Some(0),
            };
            watch.step(Step::Chance { share: share as u16, holds });
            holds
        }
    }
}
