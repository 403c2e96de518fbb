//! A decision as JSON, for people and for status.

use crate::engine::Engine;
use serde_json::json;
use trilane_lane::explain::{Step as LaneStep, explain};
use trilane_lane::list::{EVERYONE, List};
use trilane_lane::model::decide::{Step, Watch};
use trilane_lane::model::explain::{Recorder, Told};
use trilane_lane::model::plan::Plan;
use trilane_lane::route::{Case, Found};
use trilane_lane::tag::{self, TagId};

impl Engine {
    /// Decides as [`Engine::route`] does for this tag's bytes (none = untagged), and tells how, as JSON:
    /// `{"service","tag","mode","rule_line","candidates","steps":[{"lane","instances","usable","found"}],"case",
    /// "subset","pick"}`. `null` when the list is gone.
    pub fn explain(&self, list: u64, tag: &[u8], key: u64, entropy: u64) -> String {
        let _ = key;
        let Some(published) = self.lists.get(list) else { return "null".into() };
        let Some(published) = published.as_ref() else { return "null".into() };
        let list = &published.list;
        if let Some(plan) = list.plan() {
            return self.explain_plan(list, plan, tag, entropy);
        }
        let tags = self.tags.load();
        let id = tags.find(tag);
        let told = explain(list, &self.state.load().snapshot, id, entropy);
        let asked = || String::from_utf8_lossy(tag).into_owned();
        let lane = |id: TagId| match id {
            TagId::NONE => "baseline".to_string(),
            TagId::UNKNOWN => asked(),
            id => tags.name(id).map_or_else(asked, |n| n.to_string()),
        };
        let found = |f: Found| match f {
            Found::Usable => "usable",
            Found::NoInstances => "noinstances",
            Found::NoneAvailable => "noavailabled",
        };
        let step = |s: &LaneStep| {
            let (instances, usable) = (s.instances, s.usable);
            json!({"lane": lane(s.tag), "instances": instances, "usable": usable, "found": found(s.found)})
        };
        let case = word(told.decision.case);
        let subset = told.decision.subset.map(|s| match s {
            EVERYONE => "everyone".to_string(),
            s => list.subsets().get(s as usize).map_or_else(String::new, |s| lane(s.tag)),
        });
        let pick = told.decision.index.and_then(|i| list.instances().get(i as usize)).map(|i| i.address.to_string());
        json!({
            "service": list.names().first().map(|n| n.to_string()),
            "tag": (id != TagId::NONE).then(|| lane(id)),
            "mode": told.mode.word(),
            "rule_line": told.rule_line,
            "candidates": told.candidates,
            "steps": told.steps.iter().map(step).collect::<Vec<_>>(),
            "circle": told.circle,
            "case": case,
            "subset": subset,
            "pick": pick,
        })
        .to_string()
    }

    /// The same for a list that rules of another dialect decide about; values of the call count as absent.
    fn explain_plan(&self, list: &List, plan: &Plan, tag: &[u8], entropy: u64) -> String {
        let mut recorder = Recorder::default();
        let told = self.planned_watched(
            plan,
            self.tags.load().find(tag),
            entropy,
            &[],
            &mut Through(&mut |step| recorder.step(step)),
        );
        let step = |t: &Told| {
            let (instances, usable) = t.counts.unzip();
            json!({"depth": t.depth, "step": t.kind, "text": t.text, "line": t.line, "holds": t.holds,
                "instances": instances, "usable": usable})
        };
        let pick = told.index.and_then(|i| list.instances().get(i as usize)).map(|i| i.address.to_string());
        json!({
            "service": list.names().first().map(|n| n.to_string()),
            "tag": tag::parse(tag),
            "mode": list.mode().word(),
            "candidates": list.usable(EVERYONE).map_or(0, |e| e.len()),
            "steps": recorder.told.iter().map(step).collect::<Vec<_>>(),
            "case": word(told.case),
            "subset": told.subset,
            "pick": pick,
        })
        .to_string()
    }
}

/// Watches a plan's decision through a closure: the walk is compiled once for all that watch it here.
pub(crate) struct Through<'a>(pub &'a mut dyn FnMut(Step<'_>));

impl Watch for Through<'_> {
    const WATCHES: bool = true;

    fn step(&mut self, step: Step<'_>) {
        (self.0)(step);
    }
}

pub(crate) fn word(case: Case) -> &'static str {
    match case {
        Case::Own => "own",
        Case::NoInstances => "noinstances",
        Case::NoneAvailable => "noavailabled",
        Case::Fail => "fail",
        Case::BaselineMissing => "baseline_missing",
    }
}
