//! From a selector to the instances it means, when a list is published.

use super::chain::Chain;
use super::plan::{Endpoint, Sets};
use super::{Condition, Field, Selector, Test};
use std::collections::HashMap;
use std::sync::Arc;

/// What a selector means for one list.
#[derive(Clone, Debug)]
pub(crate) enum Resolved {
    /// Always this set.
    Fixed(u32),
    /// The set of the value in a slot.
    ByValue { slot: u16, values: HashMap<Arc<str>, u32, foldhash::fast::RandomState> },
    /// It names values of the request in a way that no index answers.
    AtDecision,
}

/// The instances by label and value, made for the labels that are asked for.
pub(crate) struct Table {
    by_label: HashMap<Box<str>, HashMap<Arc<str>, Vec<u32>>>,
    by_address: HashMap<Arc<str>, u32>,
    nothing: Vec<u32>,
}

impl Table {
    /// `outside`: adds the addresses that only the rules name to the instances.
    pub fn new(endpoints: &mut Vec<Endpoint>, selectors: &[Selector], outside: bool) -> Table {
        let wanted: Vec<&str> = selectors.iter().flat_map(addresses).collect();
        let mut by_address = HashMap::new();
        if !wanted.is_empty() {
            by_address = endpoints.iter().enumerate().map(|(n, e)| (e.address.clone(), n as u32)).collect();
        }
        for address in wanted.into_iter().filter(|_| outside) {
            if !by_address.contains_key(address) {
                let address: Arc<str> = address.into();
                by_address.insert(address.clone(), endpoints.len() as u32);
                endpoints.push(Endpoint { address, healthy: true, ..Endpoint::default() });
            }
        }
        Table { by_label: HashMap::new(), by_address, nothing: Vec::new() }
    }

    fn label(&mut self, name: &str, endpoints: &[Endpoint]) -> &HashMap<Arc<str>, Vec<u32>> {
        self.by_label.entry(name.into()).or_insert_with(|| {
            let mut values: HashMap<Arc<str>, Vec<u32>> = HashMap::new();
            for (at, endpoint) in endpoints.iter().enumerate() {
                if let Some((_, value)) = endpoint.labels.iter().find(|(n, _)| **n == *name) {
                    values.entry(value.clone()).or_default().push(at as u32);
                }
            }
            values
        })
    }

    /// The shortest list that surely holds every instance for which the condition can hold; `None`: all of them.
    fn candidates(&mut self, condition: &Condition, endpoints: &[Endpoint]) -> Option<&[u32]> {
        let exact = |c: &Condition| match c {
            Condition::Is(Field::Label(name), Test::Exact(value)) => Some((name.clone(), value.clone())),
            _ => None,
        };
        let parts: Vec<(Box<str>, Box<str>)> = match condition {
            Condition::All(parts) => parts.iter().filter_map(exact).collect(),
            other => exact(other).into_iter().collect(),
        };
        let length = |table: &mut Table, (name, value): &(Box<str>, Box<str>)| {
            table.label(name, endpoints).get(&**value).map_or(0, Vec::len)
        };
        let (name, value) = parts.iter().min_by_key(|part| length(self, part))?;
        if self.label(name, endpoints).contains_key(&**value) {
            return self.by_label.get(name)?.get(&**value).map(Vec::as_slice);
        }
        Some(&self.nothing)
    }
}

/// Every address that a selector names.
fn addresses(selector: &Selector) -> Vec<&str> {
    match selector {
        Selector::Addresses(addresses) => addresses.iter().map(|a| &**a).collect(),
        Selector::Union(parts) => parts.iter().flat_map(addresses).collect(),
        _ => Vec::new(),
    }
}

/// The sets of a selector.
pub(crate) fn resolve(
    selector: &Selector,
    chain: &Chain,
    endpoints: &[Endpoint],
    table: &mut Table,
    sets: &mut Sets,
) -> Resolved {
    let known = sets.list[0].members.len();
    let listed = &endpoints[..known];
    let all = |wanted: &dyn Fn(&Endpoint) -> bool| {
        listed.iter().enumerate().filter(|(_, e)| wanted(e)).map(|(n, _)| n as u32).collect::<Vec<_>>()
    };
    match selector {
        Selector::All => Resolved::Fixed(0),
        Selector::Nothing => Resolved::Fixed(sets.add(Vec::new())),
        Selector::Baseline => Resolved::Fixed(sets.add(all(&|e| e.tag.is_none()))),
        Selector::Tag(tag) => Resolved::Fixed(sets.add(all(&|e| e.tag.as_deref() == Some(&**tag)))),
        Selector::TagOfRequest => {
            let mut values: HashMap<Arc<str>, Vec<u32>> = HashMap::new();
            for (at, endpoint) in listed.iter().enumerate() {
                if let Some(tag) = &endpoint.tag {
                    values.entry(tag.clone()).or_default().push(at as u32);
                }
            }
            by_value(&Field::Tag, values, chain, sets)
        }
        Selector::Label { label, from } if from.of_caller() => {
            let wanted = chain.caller.value(from);
            Resolved::Fixed(sets.add(all(&|e| wanted.is_some() && e.label(label) == wanted)))
        }
        Selector::Label { label, from } => {
            let values = table.label(label, listed).clone();
            by_value(from, values, chain, sets)
        }
        Selector::Where(condition) => {
            let mut later = false;
            condition.each_field(&mut |field| later |= !field.of_instance() && !field.of_caller());
            if later {
                return Resolved::AtDecision;
            }
            let fits = |at: u32| condition.holds(&|field| value_of(field, &listed[at as usize], chain));
            let members = match table.candidates(condition, listed) {
                Some(candidates) => candidates.iter().copied().filter(|at| fits(*at)).collect(),
                None => (0..known as u32).filter(|at| fits(*at)).collect(),
            };
            Resolved::Fixed(sets.add(members))
        }
        Selector::Union(parts) => {
            let mut members = Vec::new();
            for part in parts {
                if let Resolved::Fixed(set) = resolve(part, chain, endpoints, table, sets) {
                    members.extend(sets.list[set as usize].members.iter());
                }
            }
            members.sort_unstable();
            members.dedup();
            Resolved::Fixed(sets.add(members))
        }
        Selector::Addresses(addresses) => {
            let mut members: Vec<u32> = addresses.iter().filter_map(|a| table.by_address.get(&**a).copied()).collect();
            members.sort_unstable();
            members.dedup();
            Resolved::Fixed(sets.add(members))
        }
    }
}

fn by_value(from: &Field, values: HashMap<Arc<str>, Vec<u32>>, chain: &Chain, sets: &mut Sets) -> Resolved {
    let values = values.into_iter().map(|(value, members)| (value, sets.add(members))).collect();
    Resolved::ByValue { slot: chain.slot_of(from).unwrap_or(0) as u16, values }
}

/// A value of an instance or of the caller.
pub(crate) fn value_of<'e>(field: &Field, endpoint: &'e Endpoint, chain: &'e Chain) -> Option<&'e str> {
    match field {
        Field::Label(name) => endpoint.label(name),
        Field::InstanceHost => Some(endpoint.host()),
        Field::InstancePort => Some(endpoint.port()),
        Field::InstanceAddress => Some(&endpoint.address),
        Field::InstanceTag => endpoint.tag.as_deref(),
        other => chain.caller.value(other),
    }
}
