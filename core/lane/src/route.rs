//! Which subset serves a request, which instance of it, and why (design §6.2, §6.5).
//!
//! No lock, no allocation, no system call; the cost does not depend on the number of instances.

use crate::list::{BASELINE, EVERYONE, List, Next, Node};
use crate::rules::BaselineMissing;
use crate::tag::TagId;

/// Why a subset was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Case {
    /// The request's own lane, or the baseline for an untagged request.
    Own = 0,
    /// Fallback: the lane has no instance of this service (`noinstances`).
    NoInstances = 1,
    /// Fallback: the lane has instances, none of them healthy (`noavailabled`; the field's spelling).
    NoneAvailable = 2,
    /// Nothing may serve: the caller's framework gets an empty list.
    Fail = 3,
    /// Untagged, only tagged instances exist, and the rules say `baseline_missing: all`.
    BaselineMissing = 4,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Number of the subset; `None` with [`Case::Fail`].
    pub subset: Option<u16>,
    /// Position of the picked instance.
    pub index: Option<u32>,
    /// Why. After a chain of fallbacks: why the request's own lane was left.
    pub case: Case,
}

/// What was found at one step; [`crate::explain`] collects them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Healthy instances: the search ends here.
    Usable,
    /// No instance carries the tag.
    NoInstances,
    /// Instances, none healthy.
    NoneAvailable,
}

/// Watches a decision being made. The unit type watches nothing and costs nothing.
pub trait Watch {
    /// One lane was looked at; `tag` is [`TagId::NONE`] for the baseline.
    fn step(&mut self, tag: TagId, subset: Option<u16>, found: Found);
}

impl Watch for () {
    fn step(&mut self, _: TagId, _: Option<u16>, _: Found) {}
}

/// Decides and picks. `entropy` chooses among the usable instances, evenly.
pub fn route(list: &List, tag: TagId, entropy: u64) -> Decision {
    route_watched(list, tag, entropy, &mut ())
}

/// [`route`], watched: one code path, so that what is explained is what is done (design §6.8).
pub fn route_watched<W: Watch>(list: &List, tag: TagId, entropy: u64, watch: &mut W) -> Decision {
    let start = list.node_of(tag);
    let mut at = start;
    let mut left_because = Case::Own;
    // A subset already tried = fail. The way is fixed while we walk, so meeting a node again means a circle;
    // Brent's marker finds one without a list of the nodes seen.
    let (mut marked, mut steps, mut limit) = (u16::MAX, 0u32, 1u32);
    while at != marked {
        if steps == limit {
            (marked, limit) = (at, limit * 2);
        }
        steps += 1;
        let node = &list.nodes[at as usize];
        let found = look(list, node);
        watch.step(node.tag, node.subset, found);
        let (next, case) = match found {
            Found::Usable => return chosen(list, node.subset, left_because, entropy),
            Found::NoInstances => (node.on_no_instances, Case::NoInstances),
            Found::NoneAvailable => (node.on_none_available, Case::NoneAvailable),
        };
        if left_because == Case::Own {
            left_because = case;
        }
        match next {
            Next::Node(next) => at = next,
            Next::All => return everyone(list, left_because, entropy),
            Next::Fail if start == BASELINE && found == Found::NoInstances => return baseline_missing(list, entropy),
            Next::Fail => break,
        }
    }
    Decision { subset: None, index: None, case: Case::Fail }
}

fn look(list: &List, node: &Node) -> Found {
    match node.subset.map(|s| &list.subsets()[s as usize]) {
        Some(subset) if !subset.usable.is_empty() => Found::Usable,
        Some(subset) if subset.size > 0 => Found::NoneAvailable,
        _ => Found::NoInstances,
    }
}

fn chosen(list: &List, subset: Option<u16>, case: Case, entropy: u64) -> Decision {
    let usable = subset.and_then(|s| list.usable(s));
    Decision { subset, index: usable.and_then(|u| pick(u, entropy)), case }
}

/// A fallback to every instance.
fn everyone(list: &List, case: Case, entropy: u64) -> Decision {
    match list.usable(EVERYONE).and_then(|everyone| pick(everyone, entropy)) {
        Some(index) => Decision { subset: Some(EVERYONE), index: Some(index), case },
        None => Decision { subset: None, index: None, case: Case::Fail },
    }
}

/// An untagged request where only tagged instances exist.
fn baseline_missing(list: &List, entropy: u64) -> Decision {
    match list.usable(EVERYONE).and_then(|everyone| pick(everyone, entropy)) {
        Some(index) if list.baseline_missing == BaselineMissing::All => {
            Decision { subset: Some(EVERYONE), index: Some(index), case: Case::BaselineMissing }
        }
        _ => Decision { subset: None, index: None, case: Case::Fail },
    }
}

/// Multiply-shift (Lemire, "Fast Random Integer Generation in an Interval", 2019): even, exact, no division.
fn pick(usable: &[u32], entropy: u64) -> Option<u32> {
    let at = (u128::from(entropy) * usable.len() as u128) >> 64;
    usable.get(at as usize).copied()
}
