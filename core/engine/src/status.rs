//! What this process does, as JSON: the text of the status page.

use crate::count::{ALL, case_of};
use crate::engine::Engine;
use crate::page::Page;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use trilane_lane::Mode;
use trilane_lane::tag::TagId;

/// Number of this form of the text; moves when a field changes its meaning or goes.
const FORMAT: u32 = 1;
/// So many tags of one service are told apart, the others are left out and counted in `more_tags`.
const MOST_TAGS: usize = 64;

/// What the binding knows of one hooked library.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The name of its switch.
    pub name: &'static str,
    /// `active`, `off`, `failed`, `waiting` (no class of it was loaded yet) or `unsupported`.
    pub state: &'static str,
    /// How many classes got a call.
    pub classes: u32,
    /// How many classes or rows did not fit.
    pub misfits: u32,
}

/// Number of lists, mode, and by tag how many instances and how many of them usable.
type Listed = (u32, Mode, BTreeMap<String, (u32, u32)>);
type HookReport = Box<dyn Fn() -> Vec<Hook> + Send>;

/// What status tells besides what the engine has anyway.
pub(crate) struct Told {
    pub page: Option<Page>,
    started: SystemTime,
    /// When the rules in force came.
    pub rules_since: Option<SystemTime>,
    /// Code, text and time of the last trouble with the rule file; none once a file is in force again.
    pub rules_error: Option<(&'static str, String, SystemTime)>,
    /// The binding's own account, as printed in the start line.
    pub hooks_said: String,
    hooks: Option<HookReport>,
}

impl Told {
    pub fn new() -> Told {
        Told {
            page: None,
            started: SystemTime::now(),
            rules_since: None,
            rules_error: None,
            hooks_said: String::new(),
            hooks: None,
        }
    }
}

pub(crate) fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

impl Engine {
    /// Gives status a way to ask the binding for its hooks. Called on the control thread; must not call back.
    pub fn report_hooks(&self, report: Box<dyn Fn() -> Vec<Hook> + Send>) {
        self.told.lock().hooks = Some(report);
    }

    /// Makes the status page of the process. Without one, everything else works.
    pub(crate) fn open_page(&self) {
        match Page::create() {
            Ok(page) => self.told.lock().page = Some(page),
            Err(error) => {
                let why = format!("no status page ({error}): `trilane status` cannot look at this process");
                self.log(crate::Level::Warn, "TRL-112", "status", &why);
            }
        }
        self.write_page(None);
    }

    /// Answers a question on the page, if there is one.
    pub(crate) fn answer(&self) {
        let question = self.told.lock().page.as_ref().and_then(Page::question);
        if question.is_some() {
            self.write_page(question);
        }
    }

    /// Puts the present state on the page.
    pub(crate) fn write_page(&self, question: Option<u64>) {
        if self.told.lock().page.is_none() {
            return;
        }
        let text = self.status();
        if let Some(page) = self.told.lock().page.as_mut() {
            // A full memory group is the one reason; the next question tries again.
            let _ = page.write(question, &text);
        }
    }

    /// The process's state as JSON; fields: `docs/operator.md`.
    pub fn status(&self) -> String {
        let state = self.state.load_full();
        let services = self.services();
        let counters: Map<String, Value> = ALL.iter().map(|(c, n)| (n.to_string(), self.counted(*c).into())).collect();
        let (lists, watched) = (self.live_lists().len(), self.watched_path());
        let next = self.next_told();
        // Taken last and held alone: others take it while they hold the desk or the source.
        let told = self.told.lock();
        let error =
            told.rules_error.as_ref().map(|(code, text, at)| json!({"code": code, "text": text, "at": millis(*at)}));
        let (path, hash) = state.rules_file.clone().map_or((None, None), |(p, h)| (Some(p), Some(format!("{h:08x}"))));
        let hooks = told.hooks.as_ref().map(|report| report()).unwrap_or_default();
        let hook =
            |h: &Hook| json!({"name": h.name, "state": self.hook_state(h), "classes": h.classes, "misfits": h.misfits});
        let service = state.service.as_ref().map(|(name, source)| json!({"name": name, "source": source}));
        json!({
            "format": FORMAT,
            "version": crate::VERSION,
            "binding": self.binding,
            "pid": std::process::id(),
            "started": millis(told.started),
            "at": millis(SystemTime::now()),
            "answers": self.may_act(),
            "mode": self.mode().word(),
            "mode_setting": self.base_mode.word(),
            "mode_rules": state.snapshot.rules().mode.map(Mode::word),
            "other_agents": self.other_agents,
            "tag": self.own_tag(),
            "tag_source": self.settings.tag_source,
            "service": service,
            "rules": {
                "file": path, "watched": watched, "hash": hash,
                "since": told.rules_since.map(millis), "error": error,
            },
            "next": next,
            "hooks": hooks.iter().map(hook).collect::<Vec<_>>(),
            "hooks_said": told.hooks_said,
            "lists": lists,
            "services": services,
            "counters": counters,
            "untagged_from": self.untagged_peers().iter().map(|(peer, n)| {
                json!({"peer": peer.map(|peer| peer.to_string()), "requests": n})
            }).collect::<Vec<_>>(),
            "lost_at": self.lost_sites().iter().map(|(site, n)| json!({"site": site, "seen": n})).collect::<Vec<_>>(),
            "explained": self.sampled(),
        })
        .to_string()
    }

    /// Keeps the last trouble with the rule file for status.
    pub(crate) fn rules_trouble(&self, code: &'static str, why: &str) {
        self.told.lock().rules_error = Some((code, why.to_string(), SystemTime::now()));
    }

    fn watched_path(&self) -> Option<String> {
        self.source.lock().as_ref().map(|source| source.path().display().to_string())
    }

    fn hook_state(&self, hook: &Hook) -> &'static str {
        match hook.state {
            _ if self.guard.off(hook.name) => "switched-itself-off",
            "unsupported" => "unsupported",
            state if self.hook_enabled(hook.name) => state,
            _ => "off",
        }
    }

    /// Per service: its instances by tag, of the largest of its lists, and its decisions.
    fn services(&self) -> Vec<Value> {
        let mut tags: BTreeMap<Arc<str>, Listed> = BTreeMap::new();
        for id in self.live_lists() {
            let Some(published) = self.lists.get(id) else { continue };
            let Some(published) = published.as_ref() else { continue };
            let Some(name) = published.list.names().first() else { continue };
            let entry = tags.entry(name.clone()).or_insert((0, published.list.mode(), BTreeMap::new()));
            entry.0 += 1;
            for subset in published.list.subsets() {
                let tag = match subset.tag {
                    TagId::NONE => "baseline".to_string(),
                    TagId::UNKNOWN => "unreadable".to_string(),
                    tag => self.tag_name(tag).map_or_else(String::new, |t| t.to_string()),
                };
                let now = (subset.size, subset.usable.len() as u32);
                let most = entry.2.entry(tag).or_default();
                *most = (*most).max(now);
            }
        }
        let desk = self.desk.lock();
        let tell = |(name, tally): (&Arc<str>, &Arc<crate::count::Tally>)| {
            let (lists, mode, tags) = tags.remove(name).unwrap_or((0, Mode::Off, BTreeMap::new()));
            let more = tags.len().saturating_sub(MOST_TAGS);
            let instances: Map<String, Value> = tags
                .into_iter()
                .take(MOST_TAGS)
                .map(|(tag, (size, usable))| (tag, json!({"instances": size, "usable": usable})))
                .collect();
            let (observed, differed) = tally.observed();
            let (compared, next_differed) = tally.next();
            let decisions: Map<String, Value> = ALL
                .iter()
                .filter_map(|(counter, name)| Some((name.to_string(), tally.get(case_of(*counter)?).into())))
                .collect();
            json!({
                "service": &**name, "mode": (lists > 0).then(|| mode.word()), "lists": lists,
                "tags": instances, "more_tags": more, "decisions": decisions,
                "observed": observed, "would_have_differed": differed,
                "next_compared": compared, "next_differed": next_differed,
            })
        };
        desk.tallies.iter().map(tell).collect()
    }
}
