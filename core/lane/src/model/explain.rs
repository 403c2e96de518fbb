//! What was tried, in order, as sentences with their numbers: recorded from the code that decides.

use super::decide::{Step, Watch};
use super::{IfNothing, Otherwise};
use crate::route::Found;

/// One recorded step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// How deep it is below the decision: stage 0, route 1, test and destination 2.
    pub depth: u8,
    /// Which kind: `stage`, `route`, `test`, `drawn`, `looked`, `nothing`, `left`.
    pub kind: &'static str,
    /// Line in the rule text; 0 where none is meant.
    pub line: u32,
    /// What was found.
    pub text: String,
    /// Instances and usable ones at this point.
    pub counts: Option<(u32, u32)>,
    /// Whether a test or a route held.
    pub holds: Option<bool>,
}

/// Records every step. Values of the request are shown, cut at 40 characters: the one who asks gave them.
#[derive(Debug, Default)]
pub struct Recorder {
    /// In order.
    pub told: Vec<Told>,
}

impl Recorder {
    fn add(&mut self, depth: u8, kind: &'static str, line: u32, text: String) -> &mut Told {
        self.told.push(Told { depth, kind, line, text, counts: None, holds: None });
        self.told.last_mut().unwrap_or_else(|| unreachable!("it was pushed"))
    }

    /// The last route that was begun: its answer is known after its tests.
    fn open_route(&mut self) -> Option<&mut Told> {
        self.told.iter_mut().rev().find(|t| t.kind == "route")
    }
}

impl Watch for Recorder {
    const WATCHES: bool = true;

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Stage { stage, instances, usable } => {
                self.add(0, "stage", 0, stage.title.to_string()).counts = Some((instances, usable));
            }
            Step::Route { route } => {
                let name = if route.name.is_empty() { "route" } else { &route.name };
                self.add(1, "route", route.line, name.to_string());
            }
            Step::Test { field, test, value, holds } => {
                let shown = match value {
                    _ if field.of_caller() => String::new(),
                    None => ", the request has none".into(),
                    Some(value) => format!(", it is `{}`", value.chars().take(40).collect::<String>()),
                };
                self.add(2, "test", 0, format!("{field} {test}{shown}")).holds = Some(holds);
            }
            Step::Chance { share, holds } => {
                let text = format!("by chance, {}.{:02} %", share / 100, share % 100);
                self.add(2, "test", 0, text).holds = Some(holds);
            }
            Step::Holds { holds } => {
                if let Some(route) = self.open_route() {
                    route.holds = Some(holds);
                }
            }
            Step::Drawn { destination, of, bucket } => {
                let how = match (of, bucket) {
                    (1, _) => "the only one with a weight".to_string(),
                    (of, Some(bucket)) => format!("one of {of}, by bucket {bucket}"),
                    (of, None) => format!("one of {of}, by chance"),
                };
                let text = format!("{} (weight {}): {how}", name(&destination.name), destination.weight);
                self.add(2, "drawn", destination.line, text);
            }
            Step::Looked { destination, instances, usable, found } => {
                let found = match found {
                    Found::Usable => "usable",
                    Found::NoInstances => "noinstances",
                    Found::NoneAvailable => "noavailabled",
                };
                let text = format!("{}: {found}", name(&destination.name));
                self.add(2, "looked", destination.line, text).counts = Some((instances, usable));
            }
            Step::Nothing { then } => {
                let then = match then {
                    IfNothing::Fail => "the call fails",
                    IfNothing::Keep => "the instances stay as they were",
                    IfNothing::Next => "the next route is asked",
                    IfNothing::Last => "the last route is asked",
                    IfNothing::OtherThenKeep => "no other destination serves; the instances stay as they were",
                    IfNothing::Reset => "the instances are what the list has, and no further stage is asked",
                };
                self.add(2, "nothing", 0, format!("nothing usable: {then}"));
            }
            Step::NoRoute { then } => {
                let then = if then == Otherwise::Keep { "the instances stay as they were" } else { "the call fails" };
                self.add(1, "nothing", 0, format!("no route decides: {then}"));
            }
            Step::Left { instances, usable } => {
                self.add(1, "left", 0, "left".into()).counts = Some((instances, usable));
            }
        }
    }
}

fn name(name: &str) -> &str {
    if name.is_empty() { "destination" } else { name }
}
