//! The stages of one service, compiled for one caller: values of the caller are known, values of the request have
//! numbers (slots), equal selectors are one. Shared by all lists of the service.

use super::index::RouteIndex;
use super::{Caller, Condition, Field, Selector, Service, Stage, Test};
use std::collections::HashMap;
use std::sync::Arc;

/// A compiled condition.
#[derive(Clone, Debug)]
pub(crate) enum Cond {
    /// A test of the caller's own values, made already.
    Known(bool, Box<(Field, Test)>),
    All(Box<[Cond]>),
    Any(Box<[Cond]>),
    Not(Box<Cond>),
    /// A test of the value in a slot; the second slot is the field that the test itself names.
    Is(u16, Option<u16>, Test),
    Chance(u16),
}

/// One stage: its rules as written and, by route, condition and selectors.
#[derive(Clone, Debug)]
pub(crate) struct ChainStage {
    pub rules: Arc<Stage>,
    pub routes: Vec<ChainRoute>,
    pub index: Option<RouteIndex>,
    /// By route: the selector of its only destination, if that has a weight and no least share.
    pub simple: Box<[u32]>,
}

/// The route is more than one destination with a weight.
pub(crate) const NOT_SIMPLE: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) struct ChainRoute {
    pub when: Cond,
    /// By destination, the number of its selector.
    pub selectors: Box<[u32]>,
    /// Slot of the key of a stable draw.
    pub draw_slot: Option<u16>,
}

/// The compiled chain. See the module's page.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    pub(crate) fields: Vec<Field>,
    pub(crate) stages: Vec<ChainStage>,
    pub(crate) selectors: Vec<Selector>,
    pub(crate) caller: Caller,
    /// The names under which a binding passes values, and by slot the position there.
    names: Vec<String>,
    name_at: Vec<Option<u16>>,
}

impl Chain {
    /// Compiles the entries that apply to a service, in their order.
    pub fn new(services: &[&Service], caller: &Caller) -> Chain {
        let mut build = Build { chain: Chain { caller: caller.clone(), ..Chain::default() }, slots: HashMap::new() };
        let mut numbers = HashMap::new();
        for rules in services.iter().flat_map(|s| &s.stages) {
            let mut routes = Vec::with_capacity(rules.routes.len());
            for route in &rules.routes {
                let when = build.condition(&route.when);
                let select = |d: &super::Destination| build.selector(&d.select, &mut numbers);
                let selectors = route.destinations.iter().map(select).collect();
                let draw_slot = match &route.draw {
                    super::Draw::Stable { field, .. } => Some(build.slot(field)),
                    _ => None,
                };
                routes.push(ChainRoute { when, selectors, draw_slot });
            }
            let index = RouteIndex::new(&routes);
            let simple = |(route, compiled): (&super::Route, &ChainRoute)| match &route.destinations[..] {
                [one] if one.weight > 0 && one.least == 0 => compiled.selectors[0],
                _ => NOT_SIMPLE,
            };
            let simple = rules.routes.iter().zip(&routes).map(simple).collect();
            build.chain.stages.push(ChainStage { rules: rules.clone(), routes, index, simple });
        }
        build.chain.name_values();
        build.chain
    }

    fn name_values(&mut self) {
        for field in &self.fields {
            if *field == Field::Tag {
                self.name_at.push(None);
                continue;
            }
            let name = crate::entry::name_of(field);
            let at = self.names.iter().position(|n| *n == name).unwrap_or(self.names.len());
            if at == self.names.len() {
                self.names.push(name);
            }
            self.name_at.push(Some(at as u16));
        }
    }

    /// The names under which a binding passes the values of a call ([`crate::entry::name_of`]); the tag is not one.
    pub fn passed(&self) -> &[String] {
        &self.names
    }

    /// The position of a slot's value in [`Chain::passed`].
    pub fn passed_at(&self, slot: usize) -> Option<usize> {
        self.name_at.get(slot).copied().flatten().map(usize::from)
    }

    /// The values of the request that deciding reads, by slot.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Whether some destination has a delay, an abort or a timeout: what a caller that sends the call itself can do.
    pub fn holds_up(&self) -> bool {
        let routes = self.stages.iter().flat_map(|stage| &stage.rules.routes);
        let mut policies = routes.flat_map(|route| &route.destinations).map(|destination| &destination.policy);
        policies.any(|policy| policy.delay.is_some() || policy.abort.is_some() || policy.timeout.is_some())
    }

    /// Whether no rule applies.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// The slot of a field.
    pub(crate) fn slot_of(&self, field: &Field) -> Option<usize> {
        self.fields.iter().position(|f| f == field)
    }
}

/// Compiles one condition by itself: for tag rules.
pub(crate) fn compile(conditions: &[&Condition], more: &[&Field], caller: &Caller) -> (Vec<Cond>, Vec<Field>) {
    let mut build = Build { chain: Chain { caller: caller.clone(), ..Chain::default() }, slots: HashMap::new() };
    let compiled = conditions.iter().map(|c| build.condition(c)).collect();
    more.iter().for_each(|field| {
        build.slot(field);
    });
    (compiled, build.chain.fields)
}

struct Build {
    chain: Chain,
    slots: HashMap<Field, u16>,
}

impl Build {
    fn slot(&mut self, field: &Field) -> u16 {
        if let Some(slot) = self.slots.get(field) {
            return *slot;
        }
        let slot = self.chain.fields.len() as u16;
        self.chain.fields.push(field.clone());
        self.slots.insert(field.clone(), slot);
        slot
    }

    fn condition(&mut self, condition: &Condition) -> Cond {
        match condition {
            Condition::All(parts) => Cond::All(parts.iter().map(|c| self.condition(c)).collect()),
            Condition::Any(parts) => Cond::Any(parts.iter().map(|c| self.condition(c)).collect()),
            Condition::Not(part) => Cond::Not(Box::new(self.condition(part))),
            Condition::Chance(share) => Cond::Chance(*share),
            Condition::Is(field, test) => {
                let constant = field.of_caller() && test.names().is_none_or(Field::of_caller);
                if constant {
                    let caller = &self.chain.caller;
                    let holds = test.holds(caller.value(field), &|f| caller.value(f));
                    return Cond::Known(holds, Box::new((field.clone(), test.clone())));
                }
                let other = test.names().cloned().map(|f| self.slot(&f));
                Cond::Is(self.slot(field), other, test.clone())
            }
        }
    }

    /// Equal selectors get one number.
    fn selector(&mut self, select: &Selector, numbers: &mut HashMap<String, u32>) -> u32 {
        match select {
            Selector::TagOfRequest => {
                self.slot(&Field::Tag);
            }
            Selector::Label { from, .. } if !from.of_caller() => {
                self.slot(from);
            }
            Selector::Where(condition) => condition.each_field(&mut |field| {
                if !field.of_instance() && !field.of_caller() {
                    self.slot(field);
                }
            }),
            _ => {}
        }
        let next = self.chain.selectors.len() as u32;
        let number = *numbers.entry(format!("{select:?}")).or_insert(next);
        if number == next {
            self.chain.selectors.push(select.clone());
        }
        number
    }
}
