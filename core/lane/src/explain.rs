//! A decision, told step by step, from the code that makes it.

use crate::Mode;
use crate::list::{EVERYONE, List};
use crate::route::{Decision, Found, Watch, route_watched};
use crate::rules::Snapshot;
use crate::tag::TagId;

/// One lane that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its tag; [`TagId::NONE`] for the baseline, [`TagId::UNKNOWN`] for a tag that nobody named.
    pub tag: TagId,
    /// How many instances carry the tag.
    pub instances: u32,
    /// How many of them are healthy.
    pub usable: u32,
    /// What was found.
    pub found: Found,
}

/// What was tried, in order, and what came of it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Lanes in the order tried. A lane met again ends the list: a circle fails.
    pub steps: Vec<Step>,
    /// Whether the way ran in a circle.
    pub circle: bool,
    /// The decision itself.
    pub decision: Decision,
    /// What is done with it for this list.
    pub mode: Mode,
    /// Line in the rule file of the service rule that applied.
    pub rule_line: Option<u32>,
    /// How many healthy instances the list has in all.
    pub candidates: u32,
}

struct Recorder<'a> {
    list: &'a List,
    steps: Vec<Step>,
    circle: bool,
}

impl Watch for Recorder<'_> {
    fn step(&mut self, tag: TagId, subset: Option<u16>, found: Found) {
        if self.circle || self.steps.iter().any(|s| s.tag == tag) {
            self.circle = true;
            return;
        }
        let subset = subset.and_then(|s| self.list.subsets().get(s as usize));
        let (instances, usable) = subset.map_or((0, 0), |s| (s.size, s.usable.len() as u32));
        self.steps.push(Step { tag, instances, usable, found });
    }
}

/// Decides as [`crate::route::route`] does, and tells how.
pub fn explain(list: &List, rules: &Snapshot, tag: TagId, entropy: u64) -> Explanation {
    let mut recorder = Recorder { list, steps: Vec::new(), circle: false };
    let decision = route_watched(list, tag, entropy, &mut recorder);
    Explanation {
        steps: recorder.steps,
        circle: recorder.circle,
        decision,
        mode: list.mode(),
        rule_line: list.service().map(|s| rules.rules().services[s].line),
        candidates: list.usable(EVERYONE).map_or(0, |e| e.len() as u32),
    }
}
