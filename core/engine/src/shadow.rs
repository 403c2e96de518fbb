//! `next.yaml`: rules that lie beside those in force and are decided by in shadow, so that one sees what would change
//! before anybody switches.
//!
//! Every list is indexed under both while such a file is there, every decision made twice, and what differs counted by
//! service. Nothing is done by it.

use crate::count::Counter;
use crate::engine::Engine;
use crate::inbound::{CARRIED, Kind};
use crate::lists::Published;
use crate::log::Level;
use crate::state::State;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use trilane_lane::list::List;
use trilane_lane::route::{Decision, route};
use trilane_lane::rules::dialect::Loaded;
use trilane_lane::rules::{MAX_FILE, Snapshot};
use trilane_lane::tag::{TagId, Tags};
use trilane_sources::{FileSource, Read};

/// The file's name; it lies where the active one does.
pub const NAME: &str = "next.yaml";

/// Rules that are decided by in shadow.
#[derive(Clone)]
pub(crate) struct Next {
    pub snapshot: Snapshot,
    path: String,
    hash: u32,
    since: SystemTime,
}

/// The watched file, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Shadow(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    source: Option<FileSource>,
    error: Option<(&'static str, String, SystemTime)>,
}

impl Engine {
    /// Looks at the file; on `trilane-ctl`.
    pub(crate) fn look_next(&self) {
        let Some(path) = self.next_path() else { return };
        let mut watched = self.shadow.0.lock();
        let source = match &mut watched.source {
            Some(source) if source.path() == path => source,
            other => other.insert(FileSource::new(path.clone(), MAX_FILE as u64)),
        };
        let path = path.display().to_string();
        watched.error = match source.look() {
            Read::Unchanged => return,
            Read::Missing => {
                self.put_next(None);
                None
            }
            Read::Unreadable(why) => Some(("TRL-220", format!("{path} cannot be read ({why})"), SystemTime::now())),
            Read::Text(text) => match self.load(&path, &text) {
                Ok(loaded) => {
                    let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u32;
                    let said = format!("{path} hash={hash:08x} is decided by in shadow; what differs is counted");
                    self.log(Level::Info, "TRL-221", &format!("{path} {hash:08x}"), &said);
                    self.put_next(Some((loaded, path.clone(), hash)));
                    None
                }
                Err(problems) => {
                    let shown: Vec<String> = problems.iter().take(20).map(|p| p.to_string()).collect();
                    let why = format!("{path} has {} problem(s):\n{}", problems.len(), shown.join("\n"));
                    Some(("TRL-220", why, SystemTime::now()))
                }
            },
        };
        if let Some((code, why, _)) = &watched.error {
            self.put_next(None);
            self.log(Level::Warn, code, &path, why);
        }
    }

    fn next_path(&self) -> Option<PathBuf> {
        let source = self.source.lock();
        let active = source.as_ref()?.path();
        let folder = if active.is_dir() { active } else { active.parent().unwrap_or(Path::new("")) };
        Some(folder.join(NAME)).filter(|next| next != active)
    }

    /// Puts rules into shadow, or takes them away. Lists are indexed anew and bindings read the names anew.
    fn put_next(&self, next: Option<(Loaded, String, u32)>) {
        let mut desk = self.desk.lock();
        if next.is_none() && desk.next.is_none() {
            return;
        }
        let state = self.state.load_full();
        desk.next = next.map(|(loaded, path, hash)| {
            let mut tags = Tags::clone(&self.tags.load());
            let snapshot = self.compile(loaded, &state, &mut tags);
            self.tags.store(Arc::new(tags));
            Arc::new(Next { snapshot, path, hash, since: SystemTime::now() })
        });
        desk.tallies.iter().for_each(|(_, tally)| tally.forget_next());
        let mut snapshot = state.snapshot.clone();
        snapshot.renumber(snapshot.number() + 1);
        self.publish(&mut desk, snapshot, state.service.clone(), state.rules_file.clone());
    }

    /// Decides the same call by the rules in shadow.
    #[cold]
    #[inline(never)]
    pub(crate) fn compare(
        &self,
        published: &Published,
        next: &List,
        tag: TagId,
        entropy: u64,
        values: &[Option<&[u8]>],
        decision: &Decision,
    ) {
        let in_force = published.list.plan().map(|plan| plan.chain().passed());
        let other = match next.plan() {
            // The binding passes what the rules in force read: where the next ones read other values, nothing can be said.
            Some(plan) if !plan.chain().passed().is_empty() && in_force != Some(plan.chain().passed()) => return,
            Some(plan) => self.planned(plan, tag, entropy, values),
            None => route(next, tag, entropy),
        };
        let differs = match (set(&published.list, decision), set(next, &other)) {
            (Some(a), Some(b)) => a != b,
            _ => decision.index != other.index || decision.case != other.case,
        };
        published.tally.compared(differs);
    }

    /// Colours the same request by the rules in shadow.
    pub(crate) fn compare_in(&self, state: &State, kind: Kind, answer: u64, values: &[Option<&[u8]>]) {
        let source = answer >> 16 & 0xff;
        if source == CARRIED {
            return;
        }
        let now = if source == crate::inbound::COLOURED { TagId(answer as u16) } else { TagId::NONE };
        if let Some(next) = state.plans[kind as usize].next_colour(values) {
            self.counts.add(Counter::NextRequests);
            if next != now {
                self.counts.add(Counter::NextRequestsDiffered);
            }
        }
    }

    /// What status tells of the file; null where none lies there.
    pub(crate) fn next_told(&self) -> Value {
        // In this order, as `look_next` takes them: what is wrong and what is in shadow belong together.
        let watched = self.shadow.0.lock();
        let next = self.desk.lock().next.clone();
        let millis = crate::status::millis;
        let error = watched.error.as_ref().map(|(c, text, at)| json!({"code": c, "text": text, "at": millis(*at)}));
        match (next, error) {
            (None, None) => Value::Null,
            (None, error) => json!({"file": watched.source.as_ref().map(|s| s.path().display().to_string()),
                "hash": null, "since": null, "error": error}),
            (Some(next), error) => json!({"file": next.path, "hash": format!("{:08x}", next.hash),
                "since": millis(next.since), "error": error}),
        }
    }
}

/// The instances that may serve; `None` where nothing may, or the set has no number.
fn set<'l>(list: &'l List, decision: &Decision) -> Option<&'l [u32]> {
    decision.subset.and_then(|subset| list.usable(subset)).map(|usable| &**usable)
}
