//! Rules come into force: a file's text, shares that warm up, a name that is learnt. Each publishes lists and state anew.

use crate::engine::{Engine, now};
use crate::inbound::MOST_VALUES;
use crate::lists::Desk;
use crate::log::Level;
use crate::process;
use crate::state::{Authorities, State};
use std::collections::BTreeSet;
use std::sync::Arc;
use trilane_lane::list::{Instance as Listed, List};
use trilane_lane::rules::Snapshot;
use trilane_lane::tag::{TagId, Tags};

impl Engine {
    /// The service's own name, learnt by a hook; a name from a setting stands.
    pub fn learn_service(&self, name: &str) {
        if process::disabled() {
            return;
        }
        let mut desk = self.desk.lock();
        let state = self.state.load_full();
        if name.is_empty() || state.service.is_some() {
            return;
        }
        let service = Some((name.to_string(), "learnt from the framework".to_string()));
        let mut snapshot = state.snapshot.clone();
        snapshot.renumber(snapshot.number() + 1);
        snapshot.called_by(self.caller(Some(name)));
        if let Some(next) = &mut desk.next {
            Arc::make_mut(next).snapshot.called_by(self.caller(Some(name)));
        }
        self.publish(&mut desk, snapshot, service, state.rules_file.clone());
        self.log(Level::Info, "TRL-003", name, &format!("service={name:?} (learnt from the framework)"));
    }

    /// Puts a rule file's text in force; false, with the reasons in the log, when it is refused.
    pub(crate) fn take_rules(&self, path: &str, text: &str) -> bool {
        match self.load(path, text) {
            Ok(loaded) => {
                let mut desk = self.desk.lock();
                let state = self.state.load_full();
                let mut tags = Tags::clone(&self.tags.load());
                let snapshot = self.compile(loaded, &state, &mut tags);
                self.tags.store(Arc::new(tags));
                let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u32;
                self.publish(&mut desk, snapshot, state.service.clone(), Some((path.to_string(), hash)));
                let number = state.snapshot.number() + 1;
                self.log(
                    Level::Info,
                    "TRL-210",
                    &format!("snapshot {number}"),
                    &format!("{path} hash={hash:08x} is in force"),
                );
                if let Some(model) = self.state.load().snapshot.model() {
                    self.say_unapplied(model);
                    self.say_unknown(model);
                }
                let mut told = self.told.lock();
                (told.rules_since, told.rules_error) = (Some(std::time::SystemTime::now()), None);
                true
            }
            Err(problems) => {
                let stays = if self.rules_were_read() {
                    "the rules read last stay in force"
                } else {
                    "the default policy holds"
                };
                let shown: Vec<String> = problems.iter().take(20).map(|p| p.to_string()).collect();
                let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
                let why = format!("{} problem(s), {stays}:\n{}", problems.len(), shown.join("\n"));
                self.rules_trouble("TRL-204", &why);
                self.log(Level::Error, "TRL-204", &format!("{path} {hash}"), &why);
                false
            }
        }
    }

    /// Gives shares that warm up their size of now. Names and lists stay, so nobody has to read anything again.
    pub(crate) fn warm_up(&self) {
        let desk = self.desk.lock();
        let old = self.state.load_full();
        // A little past the end too, so that the last step to the full size is taken.
        if !old.snapshot.grows_at(now().saturating_sub(3)) {
            return;
        }
        let mut tags = Tags::clone(&self.tags.load());
        let rules = old.snapshot.rules().clone();
        let snapshot = Snapshot::compile_at(rules, old.snapshot.number(), &mut tags, now());
        let file = old.rules_file.clone();
        let mut state = State::new(&self.settings, self.base_mode, snapshot, old.service.clone(), file);
        state.authorities = old.authorities.clone();
        state.compare_with(desk.next.as_deref());
        self.state.store(Arc::new(state));
    }

    pub(crate) fn rules_were_read(&self) -> bool {
        self.state.load().rules_file.is_some()
    }

    /// Has these dialled names lead to a list; one that no name leads to any longer goes.
    pub(crate) fn name_list(&self, desk: &mut Desk, known: &mut Authorities, names: Vec<Arc<str>>, id: u64) {
        for name in names {
            let before = known.insert(name, id).filter(|before| *before != id);
            if let Some(before) = before.filter(|before| !known.values().any(|id| id == before)) {
                self.lists.remove(desk, before);
            }
        }
    }

    /// Re-indexes every live list, then publishes the state: a reader never meets rules that its lists do not have.
    pub(crate) fn publish(
        &self,
        desk: &mut Desk,
        snapshot: Snapshot,
        service: Option<(String, String)>,
        file: Option<(String, u32)>,
    ) {
        let mut state = State::new(&self.settings, self.base_mode, snapshot, service, file);
        state.compare_with(desk.next.as_deref());
        let old = self.state.load_full();
        let mut replaced: Vec<u64> = old.authorities.values().copied().collect();
        for id in self.lists.ids(desk).into_iter().filter(|id| !replaced.contains(id)) {
            let stamp = desk.next_stamp();
            let Some(new) =
                self.lists.get(id).and_then(|p| p.as_ref().map(|p| p.list.reindex(&state.snapshot, state.mode, stamp)))
            else {
                continue;
            };
            self.lists.replace(desk, id, new);
        }
        for service in &state.snapshot.rules().services {
            if service.authorities.is_empty() || service.instances.is_empty() {
                continue;
            }
            let listed = service.instances.iter().map(|i| Listed {
                address: i.address.as_str().into(),
                registered: TagId::NONE,
                healthy: true,
                labels: Arc::new([]),
            });
            let names: Arc<[Arc<str>]> =
                [&service.name].into_iter().chain(&service.authorities).map(|n| n.as_str().into()).collect();
            let list = List::new(names, listed.collect(), &state.snapshot, state.mode, desk.next_stamp());
            if let Some(id) = self.lists.add(desk, list) {
                let keys = service.authorities.iter().map(|a| Arc::from(a.to_ascii_lowercase()));
                self.name_list(desk, &mut state.authorities, keys.collect(), id);
            }
        }
        let left_out: BTreeSet<&String> = state.plans.iter().flat_map(|plan| &plan.left_out).collect();
        if let Some(first) = left_out.first() {
            let why = format!(
                "the rules (with next.yaml) read more values of a request than {MOST_VALUES}: {first:?} and {} others \
                 count as absent",
                left_out.len() - 1
            );
            self.log(Level::Error, "TRL-214", "values", &why);
        }
        self.add_model_lists(desk, &mut state);
        self.open_traces(&state);
        let state = Arc::new(state);
        self.state.store(Arc::clone(&state));
        replaced.sort_unstable();
        replaced.dedup();
        for id in replaced {
            self.lists.remove(desk, id);
        }
        self.find_own_list(desk, &state);
    }
}
