//! Lists: the instances of one service as a caller's framework knows them, indexed by tag and health.
//!
//! A [`List`] is immutable. A new rule snapshot, a health change or a changed membership makes a new one that
//! shares what did not change; readers keep the old one until they are done with it.

use crate::Mode;
use crate::metadata::{self, Registered};
use crate::model::chain::Chain;
use crate::model::plan::{Endpoint, Plan};
use crate::rules::{BaselineMissing, Fallback, Snapshot};
use crate::tag::TagId;
use std::sync::Arc;

/// Most subsets and lanes that one list can tell apart: their numbers are 16 bits wide.
pub const MAX_LANES: usize = 65_000;

/// One address of one service.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `host:port`, as the framework spells it.
    pub address: Arc<str>,
    /// What its registered metadata says; [`TagId::NONE`] leaves the word to the rule file.
    pub registered: TagId,
    /// Its one health bit.
    pub healthy: bool,
    /// Its metadata as far as it was handed over: what rules of other dialects select by.
    pub labels: Arc<[(Arc<str>, Arc<str>)]>,
}

/// The instances of a list that carry one tag.
#[derive(Clone, Debug)]
pub struct Subset {
    /// The tag they share; [`TagId::NONE`] for the baseline.
    pub tag: TagId,
    /// How many there are, healthy or not.
    pub size: u32,
    /// Positions of the healthy ones, ascending.
    pub usable: Arc<[u32]>,
}

/// Where a lane goes on when its own subset cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// To this node.
    Node(u16),
    /// Every healthy instance serves.
    All,
    /// Stay and fail.
    Fail,
}

/// One lane as this list sees it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub tag: TagId,
    /// Its subset; `None` where no instance carries the tag.
    pub subset: Option<u16>,
    pub on_no_instances: Next,
    pub on_none_available: Next,
}

/// An immutable, indexed list. See the module's page.
///
/// What every decision reads stands first, in one cache line: between two calls of a busy process all of it is cold.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct List {
    /// `[BASELINE]`, `[UNLISTED]`, then the lanes in ascending order of tag, then the steps of written chains.
    pub(crate) nodes: Arc<[Node]>,
    subsets: Vec<Subset>,
    /// Where rules of another dialect decide about this service.
    plan: Option<Arc<Plan>>,
    lanes: u32,
    stamp: u32,
    mode: Mode,
    pub(crate) baseline_missing: BaselineMissing,
    /// Every healthy instance: what `baseline_missing: all` serves.
    everyone: Arc<[u32]>,
    names: Arc<[Arc<str>]>,
    instances: Arc<[Instance]>,
    /// The tag of each instance under the snapshot it was indexed for.
    tags: Arc<[TagId]>,
    service: Option<usize>,
}

/// The baseline's node.
pub(crate) const BASELINE: u16 = 0;
/// The node of every tag that neither the rules nor an instance of this list names.
pub(crate) const UNLISTED: u16 = 1;
/// The subset number that means every instance of the list.
pub const EVERYONE: u16 = 0xFFFE;

impl List {
    /// Indexes instances under a snapshot. `mode` is the process's; a service's own rule can lower it.
    /// `stamp` is the number by which readers recognise this state of the list.
    pub fn new(names: Arc<[Arc<str>]>, instances: Arc<[Instance]>, rules: &Snapshot, mode: Mode, stamp: u32) -> List {
        let service = rules.service_of(&names);
        let by_address = |i: &Instance| service.and_then(|s| rules.tag_by_address(s, &i.address));
        let tag = |i: &Instance| match i.registered {
            none @ (TagId::NONE | TagId::UNKNOWN) => by_address(i).unwrap_or(none),
            registered => registered,
        };
        let tags: Arc<[TagId]> = instances.iter().map(tag).collect();
        let subsets = group(&instances, &tags);
        let (nodes, lanes) = plan(&subsets, rules, service, &rules.lanes_elsewhere(&names));
        let nodes = nodes.into();
        let rule = service.map(|s| &rules.rules().services[s]);
        let mode = rule.and_then(|r| r.mode).map_or(mode, |m| m.min(mode));
        let baseline_missing = rule.map_or(BaselineMissing::Reject, |r| r.baseline_missing);
        let everyone = healthy(&instances, |_| true);
        let plan = rules.chain_of(&names).map(|chain| Arc::new(planned(chain, &instances, rules)));
        List { plan, names, instances, tags, subsets, everyone, nodes, lanes, baseline_missing, service, mode, stamp }
    }

    /// A list of the addresses that rules of another dialect give a dialled service, outside any registry; `None`
    /// where they give none.
    pub fn outside(names: Arc<[Arc<str>]>, rules: &Snapshot, mode: Mode, stamp: u32) -> Option<List> {
        let plan = Plan::new(rules.chain_of(&names)?, &[]);
        let instance = |endpoint: &Endpoint| Instance {
            address: endpoint.address.clone(),
            registered: TagId::NONE,
            healthy: endpoint.healthy,
            labels: endpoint.labels.clone(),
        };
        let instances: Arc<[Instance]> = plan.endpoints().iter().map(instance).collect();
        if instances.is_empty() {
            return None;
        }
        // Indexed like any other list; but the plan knows that these addresses come from nowhere else.
        Some(List { plan: Some(Arc::new(plan)), ..List::new(names, instances, rules, mode, stamp) })
    }

    /// The same instances under other rules.
    pub fn reindex(&self, rules: &Snapshot, mode: Mode, stamp: u32) -> List {
        List::new(self.names.clone(), self.instances.clone(), rules, mode, stamp)
    }

    /// The same list with one health bit changed; `None` when it has that value already or there is no such instance.
    pub fn with_health(&self, index: u32, healthy_now: bool, stamp: u32) -> Option<List> {
        let instance = self.instances.get(index as usize)?;
        if instance.healthy == healthy_now {
            return None;
        }
        let mut instances = self.instances.to_vec();
        instances[index as usize].healthy = healthy_now;
        let tag = self.tags[index as usize];
        let mut list = List { instances: instances.into(), stamp, ..self.clone() };
        if let Some(subset) = list.subsets.iter_mut().find(|s| s.tag == tag) {
            subset.usable = healthy(&list.instances, |i| list.tags[i] == tag);
        }
        list.everyone = healthy(&list.instances, |_| true);
        list.plan = list.plan.map(|plan| Arc::new(plan.with_health(index, healthy_now)));
        Some(list)
    }

    /// The names under which rules may know this list.
    pub fn names(&self) -> &Arc<[Arc<str>]> {
        &self.names
    }

    /// Its instances, by position.
    pub fn instances(&self) -> &Arc<[Instance]> {
        &self.instances
    }

    /// The tag of an instance: its metadata's, else the rule file's by address.
    pub fn tag(&self, index: u32) -> Option<TagId> {
        self.tags.get(index as usize).copied()
    }

    /// All subsets by number: the baseline is number 0, also when it is empty.
    pub fn subsets(&self) -> &[Subset] {
        &self.subsets
    }

    /// The usable instances of a subset, ascending; [`EVERYONE`] names all of them.
    pub fn usable(&self, subset: u16) -> Option<&Arc<[u32]>> {
        if subset == EVERYONE {
            return Some(&self.everyone);
        }
        if let Some(plan) = &self.plan {
            return plan.set(u32::from(subset)).map(|set| &set.usable);
        }
        self.subsets.get(subset as usize).map(|s| &s.usable)
    }

    /// The plan by which rules of another dialect decide here; its sets are the subsets then.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        self.plan.as_ref()
    }

    /// What to do with decisions about this list.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The number of this state. It moves with every snapshot and every health change.
    pub fn stamp(&self) -> u32 {
        self.stamp
    }

    /// The position in the rule file of the service rule that applies.
    pub fn service(&self) -> Option<usize> {
        self.service
    }

    /// The node where a tag's decision begins. O(log lanes), at most 16 steps.
    pub(crate) fn node_of(&self, tag: TagId) -> u16 {
        if tag == TagId::NONE {
            return BASELINE;
        }
        let lanes = &self.nodes[2..2 + self.lanes as usize];
        lanes.binary_search_by_key(&tag, |n| n.tag).map_or(UNLISTED, |at| at as u16 + 2)
    }
}

/// Indexes the instances for a chain. Addresses outside the list are left out: a framework has no such instance.
fn planned(chain: Arc<Chain>, instances: &[Instance], rules: &Snapshot) -> Plan {
    let endpoint = |instance: &Instance| {
        let labels: Vec<(&str, &str)> = instance.labels.iter().map(|(n, v)| (&**n, &**v)).collect();
        let tag = match metadata::tag_of(&labels, rules.metadata()) {
            Registered::Tag(tag) => Some(tag.into()),
            _ => None,
        };
        let (address, labels) = (instance.address.clone(), instance.labels.clone());
        Endpoint { address, tag, labels, healthy: instance.healthy }
    };
    Plan::within(chain, instances.iter().map(endpoint).collect())
}

fn healthy(instances: &[Instance], wanted: impl Fn(usize) -> bool) -> Arc<[u32]> {
    let positions = instances.iter().enumerate().filter(|(at, i)| i.healthy && wanted(*at));
    positions.map(|(at, _)| at as u32).collect::<Vec<_>>().into()
}

/// Subset 0 is the baseline; the others follow in ascending order of tag.
fn group(instances: &[Instance], tags: &[TagId]) -> Vec<Subset> {
    let mut order: Vec<u32> = (0..instances.len() as u32).collect();
    order.sort_unstable_by_key(|&at| (tags[at as usize], at));
    let mut subsets = vec![Subset { tag: TagId::NONE, size: 0, usable: Arc::new([]) }];
    for run in order.chunk_by(|a, b| tags[*a as usize] == tags[*b as usize]).take(MAX_LANES) {
        let tag = tags[run[0] as usize];
        let usable = run.iter().copied().filter(|&at| instances[at as usize].healthy).collect();
        let subset = Subset { tag, size: run.len() as u32, usable };
        if tag == TagId::NONE { subsets[0] = subset } else { subsets.push(subset) }
    }
    subsets
}

/// The lanes of a list and where each goes on (design §6.5: the service's word, else the lane's, else baseline), and
/// how many lanes there are. `elsewhere`: lanes that do not run through this service; the baseline serves them.
fn plan(subsets: &[Subset], rules: &Snapshot, service: Option<usize>, elsewhere: &[TagId]) -> (Vec<Node>, u32) {
    let mut lanes: Vec<TagId> = subsets.iter().skip(1).map(|s| s.tag).chain(rules.lanes()).collect();
    // Instances past the tag table's cap share one number; no request has it, so it is no lane.
    lanes.retain(|&tag| tag != TagId::UNKNOWN);
    lanes.sort_unstable();
    lanes.dedup();
    lanes.truncate(MAX_LANES);
    let subset_of = |tag: TagId| subsets.iter().skip(1).position(|s| s.tag == tag).map(|at| at as u16 + 1);
    let fail = |tag, subset| Node { tag, subset, on_no_instances: Next::Fail, on_none_available: Next::Fail };
    let mut nodes = vec![fail(TagId::NONE, Some(0)), fail(TagId::UNKNOWN, None)];
    nodes.extend(lanes.iter().map(|&tag| fail(tag, subset_of(tag))));
    for at in 1..nodes.len() {
        let tag = nodes[at].tag;
        if elsewhere.contains(&tag) {
            nodes[at].subset = Some(0);
            continue;
        }
        let [absent, down] = rules.fallbacks(service, tag);
        let absent_next = next(&absent, &lanes, &mut nodes, &subset_of);
        let down_next = if down == absent { absent_next } else { next(&down, &lanes, &mut nodes, &subset_of) };
        (nodes[at].on_no_instances, nodes[at].on_none_available) = (absent_next, down_next);
    }
    (nodes, lanes.len() as u32)
}

/// The node of a fallback; the steps of a chain get nodes of their own, whose both cases lead to the next step.
fn next(fallback: &Fallback, lanes: &[TagId], nodes: &mut Vec<Node>, subset_of: &dyn Fn(TagId) -> Option<u16>) -> Next {
    match fallback {
        Fallback::Baseline => Next::Node(BASELINE),
        Fallback::None => Next::Fail,
        Fallback::All => Next::All,
        Fallback::Tag(tag) => lanes.binary_search(tag).map_or(Next::Node(UNLISTED), |at| Next::Node(at as u16 + 2)),
        Fallback::Chain(steps) => {
            let mut after = Next::Fail;
            for step in steps.iter().rev() {
                let (tag, subset) = match step {
                    Fallback::Baseline => (TagId::NONE, Some(0)),
                    Fallback::Tag(tag) => (*tag, subset_of(*tag)),
                    Fallback::All => {
                        after = Next::All;
                        continue;
                    }
                    Fallback::None | Fallback::Chain(_) => {
                        after = Next::Fail;
                        continue;
                    }
                };
                // Numbers are 16 bits wide; a file of 4 MiB does not reach that many chains with that many lanes.
                let Ok(number) = u16::try_from(nodes.len()) else { return Next::Fail };
                nodes.push(Node { tag, subset, on_no_instances: after, on_none_available: after });
                after = Next::Node(number);
            }
            after
        }
    }
}
