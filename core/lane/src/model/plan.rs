//! A chain over one list of instances: the sets that its selectors give are made when the list is published, so that
//! deciding costs the same for ten instances and for ten thousand.

use super::chain::Chain;
use super::select::{Resolved, Table, resolve};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Most sets, and most members of all sets together, that are prepared; past that, later stages are narrowed when
/// they are needed.
const MAX_SETS: usize = 20_000;
const MAX_MEMBERS: usize = 2_000_000;

/// One instance as rules see it.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// `host:port`.
    pub address: Arc<str>,
    /// Its registered tag (design §3); none: baseline.
    pub tag: Option<Arc<str>>,
    /// Labels or registry metadata.
    pub labels: Arc<[(Arc<str>, Arc<str>)]>,
    /// Its one health bit.
    pub healthy: bool,
}

impl Endpoint {
    /// The part before the port, without the brackets of an IPv6 literal.
    pub fn host(&self) -> &str {
        let host = self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host);
        host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
    }

    /// The port's digits.
    pub fn port(&self) -> &str {
        self.address.rsplit_once(':').map_or("", |(_, port)| port)
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(n, _)| **n == *name).map(|(_, v)| &**v)
    }
}

/// A set of instances, by position.
#[derive(Clone, Debug)]
pub struct Set {
    /// All, ascending.
    pub members: Arc<[u32]>,
    /// The healthy ones, ascending.
    pub usable: Arc<[u32]>,
}

/// The set of every instance of the list.
pub const EVERYTHING: u32 = 0;

/// A chain over a list. Immutable.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) chain: Arc<Chain>,
    endpoints: Arc<[Endpoint]>,
    /// By position; apart, so that one bit changes without the endpoints.
    health: Arc<[bool]>,
    /// Positions from here on are addresses that the rules name and the list does not have.
    known: u32,
    pub(crate) sets: Vec<Set>,
    /// By selector.
    pub(crate) resolved: Vec<Resolved>,
    narrowed: HashMap<(u32, u32), u32, foldhash::fast::RandomState>,
}

impl Plan {
    /// Indexes instances for a chain, and adds the addresses that only its rules name.
    pub fn new(chain: Arc<Chain>, endpoints: &[Endpoint]) -> Plan {
        Plan::made(chain, endpoints.to_vec(), true)
    }

    /// Indexes instances for a chain; addresses that only its rules name select nothing.
    pub fn within(chain: Arc<Chain>, endpoints: Vec<Endpoint>) -> Plan {
        Plan::made(chain, endpoints, false)
    }

    fn made(chain: Arc<Chain>, mut all: Vec<Endpoint>, outside: bool) -> Plan {
        let known = all.len() as u32;
        let mut table = Table::new(&mut all, &chain.selectors, outside);
        let mut sets = Sets::new(&all, known);
        let resolved = chain.selectors.iter().map(|s| resolve(s, &chain, &all, &mut table, &mut sets)).collect();
        drop(table);
        let Sets { list: sets, .. } = sets;
        let health = all.iter().map(|e| e.healthy).collect();
        let mut plan =
            Plan { health, chain, endpoints: all.into(), known, sets, resolved, narrowed: HashMap::default() };
        plan.prepare();
        plan
    }

    /// The same with one health bit changed.
    pub fn with_health(&self, index: u32, healthy: bool) -> Plan {
        let mut plan = self.clone();
        let mut health = plan.health.to_vec();
        let Some(bit) = health.get_mut(index as usize) else { return plan };
        *bit = healthy;
        for set in plan.sets.iter_mut().filter(|set| set.members.binary_search(&index).is_ok()) {
            set.usable = set.members.iter().copied().filter(|at| health[*at as usize]).collect();
        }
        plan.health = health.into();
        plan
    }

    /// Whether an instance is healthy: what its endpoint said, or [`Plan::with_health`] since.
    pub fn healthy(&self, index: u32) -> bool {
        self.health.get(index as usize).copied().unwrap_or(false)
    }

    /// All instances by position: those of the list, then those that only the rules name.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// How many of them the list gave.
    pub fn known(&self) -> u32 {
        self.known
    }

    /// The compiled chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// A prepared set.
    pub fn set(&self, number: u32) -> Option<&Set> {
        self.sets.get(number as usize)
    }

    /// What is left of a set under a selected one, if that was prepared.
    pub(crate) fn narrow(&self, before: u32, selected: u32) -> Option<u32> {
        if before == EVERYTHING || before == selected {
            return Some(selected);
        }
        if selected == EVERYTHING {
            return Some(before);
        }
        self.narrowed.get(&(before, selected)).copied()
    }

    /// The intersection; addresses that only the rules name stay.
    pub(crate) fn intersect(&self, before: &[u32], selected: &[u32]) -> Vec<u32> {
        let stays = |at: &u32| *at >= self.known || before.binary_search(at).is_ok();
        selected.iter().copied().filter(stays).collect()
    }

    /// Walks all sets that one stage can leave to the next, and prepares what the next makes of them.
    fn prepare(&mut self) {
        let mut made = Sets::over(&self.endpoints, std::mem::take(&mut self.sets));
        let mut reached: Vec<u32> = vec![EVERYTHING];
        for stage in 0..self.chain.stages.len() {
            let mut next = reached.clone();
            let mut seen = vec![false; made.list.len()];
            reached.iter().for_each(|&set| seen[set as usize] = true);
            let selected: Vec<u32> = self.selected_by(stage);
            let mut open: VecDeque<(u32, u32)> =
                reached.iter().flat_map(|&before| selected.iter().map(move |&s| (before, s))).collect();
            while let Some((before, selected)) = open.pop_front() {
                let set = match self.narrow(before, selected) {
                    Some(set) => set,
                    None if made.full() => continue,
                    None => {
                        let left = {
                            let (a, b) = (&made.list[before as usize], &made.list[selected as usize]);
                            self.intersect(&a.members, &b.members)
                        };
                        let set = made.add(left);
                        self.narrowed.insert((before, selected), set);
                        set
                    }
                };
                seen.resize(made.list.len(), false);
                if !std::mem::replace(&mut seen[set as usize], true) {
                    next.push(set);
                }
            }
            reached = next;
        }
        self.sets = made.list;
    }

    /// The sets that the destinations of a stage select, each once.
    fn selected_by(&self, stage: usize) -> Vec<u32> {
        let selectors = self.chain.stages[stage].routes.iter().flat_map(|r| r.selectors.iter());
        let mut selectors: Vec<u32> = selectors.copied().collect();
        selectors.sort_unstable();
        selectors.dedup();
        let mut sets = Vec::new();
        for selector in selectors {
            match &self.resolved[selector as usize] {
                Resolved::Fixed(set) => sets.push(*set),
                Resolved::ByValue { values, .. } => sets.extend(values.values()),
                Resolved::AtDecision => {}
            }
        }
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}

/// Sets in the making: equal ones are one.
pub(crate) struct Sets<'e> {
    endpoints: &'e [Endpoint],
    pub list: Vec<Set>,
    by_members: HashMap<Arc<[u32]>, u32, foldhash::fast::RandomState>,
    total: usize,
}

impl<'e> Sets<'e> {
    fn new(endpoints: &'e [Endpoint], known: u32) -> Sets<'e> {
        let mut sets = Sets { endpoints, list: Vec::new(), by_members: HashMap::default(), total: 0 };
        sets.add((0..known).collect());
        sets
    }

    fn over(endpoints: &'e [Endpoint], list: Vec<Set>) -> Sets<'e> {
        let by_members = list.iter().enumerate().map(|(n, set)| (set.members.clone(), n as u32)).collect();
        let total = list.iter().map(|set| set.members.len()).sum();
        Sets { endpoints, list, by_members, total }
    }

    fn full(&self) -> bool {
        self.list.len() >= MAX_SETS || self.total >= MAX_MEMBERS
    }

    /// The number of the set with these members, ascending.
    pub fn add(&mut self, members: Vec<u32>) -> u32 {
        if let Some(number) = self.by_members.get(&members[..]) {
            return *number;
        }
        let members: Arc<[u32]> = members.into();
        let healthy = |at: &u32| self.endpoints[*at as usize].healthy;
        let usable = match members.iter().all(healthy) {
            true => members.clone(),
            false => members.iter().copied().filter(healthy).collect(),
        };
        let number = self.list.len() as u32;
        self.total += members.len();
        self.by_members.insert(members.clone(), number);
        self.list.push(Set { members, usable });
        number
    }
}
