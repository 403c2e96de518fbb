//! Rules of other dialects in a process: loading them, and decisions that read values of the call.

use crate::engine::{Engine, now};
use crate::lists::Desk;
use crate::log::Level;
use crate::policy::gives_addresses;
use crate::state::State;
use std::sync::Arc;
use trilane_lane::entry::value_in;
use trilane_lane::list::List;
use trilane_lane::metadata::SERVICE_TAG;
use trilane_lane::model::decide::{Entropy, Facts, Left, Watch, decide};
use trilane_lane::model::plan::Plan;
use trilane_lane::model::{Caller, Field, Model, Name};
use trilane_lane::route::{Case, Decision};
use trilane_lane::rules::dialect::{self, Context, Dialect, Loaded};
use trilane_lane::rules::{Problem, Snapshot};
use trilane_lane::tag::{TagId, Tags};

/// What a tag that nobody named is for rules that compare it: no tag can be spelled so.
const UNNAMED: &str = "\u{0}";

/// The labels under which rules may know a process's tag.
const TAG_LABELS: [&str; 3] = [SERVICE_TAG, "ASM_TRAFFIC_TAG", "dubbo.tag"];
/// Dubbo's tag rules ask for it themselves.
const FORCE: &str = "dubbo.force.tag";

/// What deciding about a list asks of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The list's stamp; 0: it is gone.
    pub stamp: u32,
    /// Rules of another dialect decide: [`Engine::route_with`] wants values and entropy. Without, [`Engine::route`] is
    /// enough.
    pub by_call: bool,
    /// Destinations may have a delay, an abort or a timeout: [`Engine::policy`].
    pub policy: bool,
    /// The values that are read, by [`trilane_lane::entry::name_of`].
    pub names: Vec<String>,
}

/// The text of a call's tag for rules that compare it.
pub(crate) fn text_of(tags: &Tags, tag: TagId) -> Option<&str> {
    match tag {
        TagId::NONE => None,
        TagId::UNKNOWN => Some(UNNAMED),
        tag => tags.name(tag).map(|name| &**name),
    }
}

impl Engine {
    /// Reads a rule file of any dialect.
    pub(crate) fn load(&self, path: &str, text: &str) -> Result<Loaded, Vec<Problem>> {
        let context = Context { settings: &self.settings.dialect, service: &[] };
        let loaded = dialect::load(path, text, &context)?;
        let (dialect, notes) = match &loaded {
            Loaded::Native(rules) => (Dialect::Native, &rules.notes),
            Loaded::Other(dialect, lowered) => (*dialect, &lowered.notes),
        };
        for note in notes.iter().take(20) {
            self.log(Level::Info, "TRL-211", &format!("{} {note}", dialect.name()), &note.to_string());
        }
        Ok(loaded)
    }

    /// Publishes a list for each dialled name whose instances rules of another dialect give: of nothing but those.
    pub(crate) fn add_model_lists(&self, desk: &mut Desk, state: &mut State) {
        let Some(model) = state.snapshot.model().cloned() else { return };
        let services = model.layers.iter().flat_map(|layer| &layer.services);
        for service in services.filter(|service| gives_addresses(service)) {
            let exact = service.names.iter().filter_map(|name| match name {
                Name::Exact(name) => Some(Arc::from(&**name)),
                _ => None,
            });
            let names: Vec<Arc<str>> = exact.collect();
            let list = List::outside(names.clone().into(), &state.snapshot, state.mode, desk.next_stamp());
            if let Some(id) = list.and_then(|list| self.lists.add(desk, list)) {
                self.name_list(desk, &mut state.authorities, names, id);
            }
        }
    }

    pub(crate) fn compile(&self, loaded: Loaded, state: &State, tags: &mut Tags) -> Snapshot {
        let number = state.snapshot.number() + 1;
        match loaded {
            Loaded::Native(rules) => Snapshot::compile_at(rules, number, tags, now()),
            Loaded::Other(_, lowered) => {
                let caller = self.caller(state.service.as_ref().map(|(name, _)| name.as_str()));
                Snapshot::of_model(lowered.model.into(), caller, self.settings.metadata_read.clone(), number, tags)
            }
        }
    }

    /// This process as rules see it: its name, its tag under the labels by which they may know it, and what settings
    /// tell of it.
    pub(crate) fn caller(&self, service: Option<&str>) -> Caller {
        let tag = Some(self.own_tag()).filter(|tag| !tag.is_empty());
        let tags = TAG_LABELS.into_iter().filter_map(|name| tag.map(|tag| (Arc::from(name), Arc::from(tag))));
        let given = self.settings.caller_labels.iter().map(|(n, v)| (Arc::from(n.as_str()), Arc::from(v.as_str())));
        let host = self.settings.caller_host.as_deref().map(Arc::from);
        Caller { service: service.map(Arc::from), host, labels: tags.chain(given).collect() }
    }

    /// Says, once for each value, what the rules read of this process that nobody told it.
    pub(crate) fn say_unknown(&self, model: &Model) {
        let caller = self.caller(None);
        for field in model.caller_fields() {
            let setting = match &field {
                Field::CallerHost => "trilane.caller.host",
                Field::CallerLabel(name) if !TAG_LABELS.contains(&&**name) && **name != *FORCE => {
                    "trilane.caller.labels"
                }
                _ => continue,
            };
            if caller.value(&field).is_none() {
                let why =
                    format!("the rules read the {field}, which is not known here and counts as absent: set {setting}");
                self.log(Level::Warn, "TRL-213", &field.to_string(), &why);
            }
        }
    }

    /// What deciding about this list asks of a call; read again whenever the list's stamp moves.
    pub fn route_names(&self, list: u64) -> Asked {
        let Some(published) = self.lists.get(list) else { return Asked::default() };
        let Some(published) = published.as_ref() else { return Asked::default() };
        let stamp = published.list.stamp();
        let Some(plan) = published.list.plan() else { return Asked { stamp, ..Asked::default() } };
        let names = plan.chain().passed().to_vec();
        Asked { stamp, by_call: true, policy: plan.chain().holds_up(), names }
    }

    /// Whether rules of another dialect are in force: they may read values of calls.
    pub fn rules_by_call(&self) -> bool {
        self.state.load().snapshot.model().is_some()
    }

    /// A decision by rules of another dialect.
    pub(crate) fn planned(&self, plan: &Plan, tag: TagId, entropy: u64, values: &[Option<&[u8]>]) -> Decision {
        self.planned_watched(plan, tag, entropy, values, &mut ())
    }

    /// The same, watched.
    pub(crate) fn planned_watched<W: Watch>(
        &self,
        plan: &Plan,
        tag: TagId,
        entropy: u64,
        values: &[Option<&[u8]>],
        watch: &mut W,
    ) -> Decision {
        let tags = self.tags.load();
        let facts = Call { plan, values, tag: text_of(&tags, tag) };
        let decision = decide(plan, &facts, &mut Entropy(entropy), watch);
        match decision.left {
            Left::Prepared(set, _) => {
                Decision { subset: u16::try_from(set).ok(), index: decision.index, case: decision.case }
            }
            // Rare: a set that was not prepared has no number; the picked instance is the answer.
            Left::Made(_) => Decision { subset: None, index: decision.index, case: decision.case },
            Left::Nothing => Decision { subset: None, index: None, case: Case::Fail },
        }
    }
}

pub(crate) struct Call<'c> {
    pub plan: &'c Plan,
    pub values: &'c [Option<&'c [u8]>],
    pub tag: Option<&'c str>,
}

impl Facts for Call<'_> {
    fn value(&self, slot: usize, field: &Field) -> Option<&str> {
        if *field == Field::Tag {
            return self.tag;
        }
        let at = self.plan.chain().passed_at(slot)?;
        let bytes = (*self.values.get(at)?)?;
        value_in(field, str::from_utf8(bytes).ok()?)
    }
}
