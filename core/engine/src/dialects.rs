//! Rules of other dialects in a process: loading them, and decisions that read values of the call.

use crate::engine::{Engine, now};
use crate::log::Level;
use crate::state::State;
use std::sync::Arc;
use trilane_lane::entry::value_in;
use trilane_lane::metadata::SERVICE_TAG;
use trilane_lane::model::decide::{Entropy, Facts, Left, Watch, decide};
use trilane_lane::model::plan::Plan;
use trilane_lane::model::{Caller, Field};
use trilane_lane::route::{Case, Decision};
use trilane_lane::rules::dialect::{self, Context, Loaded};
use trilane_lane::rules::{Problem, Snapshot};
use trilane_lane::tag::{TagId, Tags};

/// What a tag that nobody named is for rules that compare it: no tag can be spelled so.
const UNNAMED: &str = "\u{0}";

impl Engine {
    /// Reads a rule file of any dialect.
    pub(crate) fn load(&self, path: &str, text: &str) -> Result<Loaded, Vec<Problem>> {
        let loaded = dialect::load(path, text, &Context::default())?;
        if let Loaded::Other(dialect, lowered) = &loaded {
            for note in lowered.notes.iter().take(20) {
                self.log(Level::Info, "TRL-211", &format!("{} {note}", dialect.name()), &note.to_string());
            }
        }
        Ok(loaded)
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

    /// This process as rules see it: its name, and its tag under the labels by which they may know it.
    fn caller(&self, service: Option<&str>) -> Caller {
        let tag = Some(self.own_tag()).filter(|tag| !tag.is_empty());
        let label = |name: &str| tag.map(|tag| (Arc::from(name), Arc::from(tag)));
        let labels = [SERVICE_TAG, "ASM_TRAFFIC_TAG", "dubbo.tag"].into_iter().filter_map(label).collect();
        Caller { service: service.map(Arc::from), host: None, labels }
    }

    /// The values of a call that deciding about this list reads, by
    /// [`trilane_lane::entry::name_of`]; empty where none are read, and
    /// [`Engine::route`] is enough. Also the list's stamp, 0 when it is gone.
    pub fn route_names(&self, list: u64) -> (u32, Vec<String>) {
        let Some(published) = self.lists.get(list) else { return (0, Vec::new()) };
        let Some(published) = published.as_ref() else { return (0, Vec::new()) };
        let names = published.list.plan().map(|plan| plan.chain().passed().to_vec()).unwrap_or_default();
        (published.list.stamp(), names)
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
        let text = match tag {
            TagId::NONE => None,
            TagId::UNKNOWN => Some(UNNAMED),
            tag => tags.name(tag).map(|name| &**name),
        };
        let facts = Call { plan, values, tag: text };
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

struct Call<'c> {
    plan: &'c Plan,
    values: &'c [Option<&'c [u8]>],
    tag: Option<&'c str>,
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
