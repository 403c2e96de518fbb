//! The snapshot in force and what is derived from it; replaced whole.

use crate::inbound::{Asks, Kind, Plan};
use crate::settings::Settings;
use crate::shadow::Next;
use crate::trace::headers_of;
use std::collections::HashMap;
use std::sync::Arc;
use trilane_lane::Mode;
use trilane_lane::entry::EntryPlan;
use trilane_lane::rules::Snapshot;

/// Dialled authorities whose instances the rules give → list.
pub(crate) type Authorities = HashMap<Arc<str>, u64, foldhash::fast::FixedState>;

/// Everything a request may need to know besides lists and tags.
pub(crate) struct State {
    pub snapshot: Snapshot,
    /// Setting and rule file: the more cautious wins.
    pub mode: Mode,
    /// Own name and what gave it.
    pub service: Option<(String, String)>,
    /// Which values to read from a request, by kind.
    pub plans: [Plan; 3],
    pub authorities: Authorities,
    /// Headers that name a trace, lower-case: of the setting, then of the rules.
    pub traces: Vec<String>,
    /// Path of the rule file in force and 32 bits of its text's hash; none under the default policy.
    pub rules_file: Option<(String, u32)>,
}

impl State {
    pub fn new(
        settings: &Settings,
        base: Mode,
        snapshot: Snapshot,
        service: Option<(String, String)>,
        rules_file: Option<(String, u32)>,
    ) -> State {
        let mode = snapshot.rules().mode.map_or(base, |mode| mode.min(base));
        let entry = service.as_ref().and_then(|(name, _)| snapshot.entry_of(name));
        let trust = snapshot.rules().trust.as_ref().map(EntryPlan::of_condition);
        let tags = snapshot.tag_plan();
        let mut traces = settings.trace_headers.clone();
        traces.extend(snapshot.model().into_iter().flat_map(|model| headers_of(model)));
        let asks = Asks { entry, trust: trust.as_ref(), tags: tags.as_ref(), traces: &traces };
        let plans = [Kind::Http, Kind::Dubbo, Kind::Message].map(|kind| Plan::new(kind, settings, asks));
        State { snapshot, mode, service, plans, authorities: Authorities::default(), traces, rules_file }
    }

    /// Has requests coloured by the rules in shadow too.
    pub fn compare_with(&mut self, next: Option<&Next>) {
        let Some(next) = next else { return };
        let entry = self.service.as_ref().and_then(|(name, _)| next.snapshot.entry_of(name));
        self.plans[Kind::Http as usize].compare_with(entry);
        self.plans[Kind::Dubbo as usize].compare_with(entry);
    }

    /// What the start line says of the rule file.
    pub fn rules_said(&self) -> String {
        self.rules_file.as_ref().map_or("none".into(), |(path, hash)| format!("{path:?} rules.hash={hash:08x}"))
    }
}
