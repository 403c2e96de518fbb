//! The engine: what one process has once.

use crate::count::{self, Counter, Counts};
use crate::ctl::{self, Stop};
use crate::edge::Border;
use crate::escape::{Strays, is_own};
use crate::guard::{self, Guard};
use crate::lists::{Desk, Lists};
use crate::log::{Level, Log};
use crate::process;
use crate::ring::Ring;
use crate::settings::{DEFAULT_RULES, Settings};
use crate::shadow::Shadow;
use crate::state::State;
use crate::status::Told;
use crate::trace::Traces;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use trilane_lane::Mode;
use trilane_lane::list::{Instance as Listed, List};
use trilane_lane::metadata::{self, Registered};
use trilane_lane::rules::{MAX_FILE, Rules, Snapshot};
use trilane_lane::tag::{TagId, Tags};
use trilane_sources::FileSource;

/// What a binding gathers at an explicit start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What follows `libtrilane.so=`: `k=v,k=v`.
    pub agent_option: String,
    /// System properties that are settings: see [`crate::settings::PROPERTY_PREFIXES`].
    pub properties: Vec<(String, String)>,
    /// Whether loading was the switch (`-agentpath`, attach, a woven build): takes part without a tag.
    pub explicit: bool,
    /// `java`, `go` or `c`.
    pub binding: &'static str,
    /// False in tests: environment and pod files are not read.
    pub read_environment: bool,
    /// Other routing agents that the binding saw in this process: then `observe` is the default.
    pub other_agents: Vec<&'static str>,
}

/// An instance as a binding hands it over.
#[derive(Clone, Debug)]
pub struct Instance<'a> {
    /// `host:port` as the framework spells it.
    pub address: &'a str,
    /// The values of [`Engine::metadata_keys`] that it has.
    pub metadata: &'a [(&'a str, &'a str)],
    /// Its one health bit.
    pub healthy: bool,
}

/// What a derived list has and has not.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    /// Positions that are left out.
    pub removed: &'a [u32],
    /// Instances that come behind the rest.
    pub added: &'a [Instance<'a>],
}

type Observer = Box<dyn Fn(&Engine) + Send>;

/// See the module's page. Shared by reference; every method may be called from any thread.
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) tags: ArcSwap<Tags>,
    pub(crate) state: ArcSwap<State>,
    pub(crate) lists: Lists,
    pub(crate) counts: Counts,
    pub(crate) source: Mutex<Option<FileSource>>,
    pub(crate) stop: Arc<Stop>,
    pub(crate) border: Border,
    log: Log,
    own_tag_id: TagId,
    pub(crate) base_mode: Mode,
    pub(crate) binding: &'static str,
    pub(crate) other_agents: Vec<&'static str>,
    /// The publishing lock: whoever holds it may change tags, state or lists.
    pub(crate) desk: Mutex<Desk>,
    observers: Mutex<Vec<Observer>>,
    pub(crate) told: Mutex<Told>,
    /// What is left to chance: each use moves it on.
    pub(crate) chances: AtomicU64,
    pub(crate) guard: Guard,
    /// The last sampled decisions.
    pub(crate) ring: OnceLock<Ring>,
    /// The newest list of this process's own service; 0 for none.
    pub(crate) own_list: AtomicU64,
    pub(crate) strays: Strays,
    pub(crate) shadow: Shadow,
    /// What was said not to be applied.
    pub(crate) unapplied: Mutex<BTreeSet<String>>,
    /// Where a setting or a rule has named a header for it.
    pub(crate) traces: OnceLock<Traces>,
}

static DEFAULT: OnceLock<Arc<Engine>> = OnceLock::new();

impl Engine {
    /// Starts an engine. Never fails: what is wrong is said in the log, and the library stays off or on defaults.
    pub fn start(options: Options) -> Arc<Engine> {
        process::watch_fork();
        let held = Log::held();
        let settings = Settings::read(&options.agent_option, &options.properties, options.read_environment, &held);
        let log = held.release(&settings.log);
        let takes_part = options.explicit || settings.asks_to_take_part();
        let base_mode = if takes_part { guard::mode(&settings, &options.other_agents, &log) } else { Mode::Off };
        let mut tags = Tags::new();
        let own_tag_id = if settings.tag.is_empty() { TagId::NONE } else { tags.intern(&settings.tag) };
        let path = settings.rules.clone().unwrap_or_else(|| DEFAULT_RULES.into());
        let watched = base_mode != Mode::Off && (settings.rules.is_some() || options.read_environment);
        let source = watched.then(|| FileSource::new(path.into(), MAX_FILE as u64));
        let snapshot = Snapshot::compile(Rules::default(), 1, &mut tags);
        let state = State::new(&settings, base_mode, snapshot, settings.service.clone(), None);
        let engine = Arc::new(Engine {
            settings,
            tags: ArcSwap::from_pointee(tags),
            state: ArcSwap::from_pointee(state),
            lists: Lists::new(),
            counts: Counts::default(),
            source: Mutex::new(source),
            stop: Arc::default(),
            border: Border::default(),
            log,
            own_tag_id,
            base_mode,
            binding: options.binding,
            other_agents: options.other_agents,
            desk: Mutex::default(),
            observers: Mutex::default(),
            told: Mutex::new(Told::new()),
            chances: AtomicU64::new(u64::from(std::process::id()) << 32 ^ now().rotate_left(7)),
            guard: Guard::default(),
            ring: OnceLock::new(),
            own_list: AtomicU64::new(0),
            strays: Strays::default(),
            shadow: Shadow::default(),
            unapplied: Mutex::default(),
            traces: OnceLock::new(),
        });
        engine.open_traces(&engine.state.load());
        engine.reload();
        if watched {
            ctl::start(&engine);
        }
        engine
    }

    /// The process's one engine, started by whoever comes first.
    pub fn default_or_start(options: Options) -> Arc<Engine> {
        let start = || {
            let engine = Engine::start(options);
            engine.open_page();
            engine
        };
        DEFAULT.get_or_init(start).clone()
    }

    /// The process's one engine, if it was started.
    #[allow(clippy::should_implement_trait)]
    pub fn default() -> Option<Arc<Engine>> {
        DEFAULT.get().cloned()
    }

    /// Calls `f` on the control thread after every new snapshot.
    pub fn on_change(&self, f: Box<dyn Fn(&Engine) + Send>) {
        self.observers.lock().push(f);
    }

    pub(crate) fn notify(&self) {
        self.observers.lock().iter().for_each(|observer| observer(self));
    }

    /// What holds for the process: the more cautious of setting and rule file.
    pub fn mode(&self) -> Mode {
        if process::disabled() { Mode::Off } else { self.state.load().mode }
    }

    /// Whether the mode can ever become other than off: setting `off` is final.
    pub fn may_act(&self) -> bool {
        self.base_mode != Mode::Off
    }

    /// Whether a library's hooks act: not when the mode is off, its setting says off, or the rule file does.
    pub fn hook_enabled(&self, library: &str) -> bool {
        let state = self.state.load();
        let in_rules = state.snapshot.rules().hooks.iter().rev().find(|(name, _)| name == library).map(|(_, on)| *on);
        let in_settings = self.settings.hooks.get(library).copied();
        state.mode != Mode::Off && !self.guard.off(library) && in_rules.unwrap_or(true) && in_settings.unwrap_or(true)
    }

    /// This process's tag; empty for the baseline.
    pub fn own_tag(&self) -> &str {
        &self.settings.tag
    }

    /// Its number.
    pub fn own_tag_id(&self) -> TagId {
        self.own_tag_id
    }

    /// Prints the start line. `hooks` is the binding's own account.
    pub fn start_line(&self, hooks: &str) {
        let state = self.state.load();
        let tag = match self.own_tag() {
            "" => "baseline".to_string(),
            tag => format!("{tag} tag.source={:?}", self.settings.tag_source),
        };
        let service = match &state.service {
            Some((name, source)) => format!("{name:?} service.source={source:?}"),
            None => "unknown (entry rules and per-service settings of this process wait for a name)".into(),
        };
        let (version, mode, binding) = (crate::VERSION, state.mode.word(), self.binding);
        let others = match self.other_agents.join(",") {
            names if names.is_empty() => String::new(),
            names => format!(" other.agents={names:?}"),
        };
        let line = format!(
            "version={version} binding={binding} mode={mode}{others} tag={tag} service={service} rules={} hooks={hooks:?}",
            state.rules_said()
        );
        self.log.write(Level::Info, "TRL-001", "start", &line);
        self.told.lock().hooks_said = hooks.to_string();
        self.write_page(None);
        if !self.own_tag().is_empty() && state.mode != Mode::On {
            let why = format!("mode={mode}: this copy is tagged but joins as baseline", mode = state.mode.word());
            self.log.write(Level::Warn, "TRL-002", "start", &why);
        }
    }

    /// Says a line; the same `code` and `key` at most once a minute.
    pub fn log(&self, level: Level, code: &str, key: &str, message: &str) {
        self.log.write(level, code, key, message);
    }

    /// Counts one.
    pub fn count(&self, counter: Counter) {
        self.counts.add(counter);
    }

    /// How often it was counted. Of a forked child's parent: 0, as everything that takes the lock of lists: whoever held
    /// it when the process forked is not there to give it back.
    pub fn counted(&self, counter: Counter) -> u64 {
        if process::disabled() {
            return 0;
        }
        match count::case_of(counter) {
            Some(case) => self.desk.lock().tallies.iter().map(|(_, tally)| tally.get(case)).sum(),
            None => self.counts.get(counter),
        }
    }

    /// The number of a request's tag: [`TagId::NONE`] when malformed or empty, [`TagId::UNKNOWN`] when nobody named it.
    pub fn tag_find(&self, tag: &[u8]) -> TagId {
        self.tags.load().find(tag)
    }

    /// The text of a number.
    pub fn tag_name(&self, id: TagId) -> Option<Arc<str>> {
        self.tags.load().name(id).cloned()
    }

    /// Publishes a list under its names. 0 when there is no room for another one; that is said.
    pub fn list_new(&self, names: &[&str], instances: &[Instance]) -> u64 {
        if process::disabled() {
            return 0;
        }
        let mut desk = self.desk.lock();
        let listed = self.listed(instances);
        let names = names.iter().map(|n| Arc::from(*n)).collect();
        self.add_list(&mut desk, names, listed)
    }

    /// Publishes the list that comes of another one by a change; the other one stays until it is freed.
    pub fn list_change(&self, list: u64, change: &Change) -> u64 {
        if process::disabled() {
            return 0;
        }
        let mut desk = self.desk.lock();
        let Some(old) = self.lists.get(list) else { return 0 };
        let Some(old) = old.as_ref() else { return 0 };
        let stays = |at: &(usize, &Listed)| !change.removed.contains(&(at.0 as u32));
        let mut listed: Vec<Listed> =
            old.list.instances().iter().enumerate().filter(stays).map(|(_, i)| i.clone()).collect();
        listed.extend(self.listed(change.added));
        self.add_list(&mut desk, old.list.names().clone(), listed)
    }

    /// Sets one health bit.
    pub fn list_health(&self, list: u64, index: u32, healthy: bool) {
        if process::disabled() {
            return;
        }
        let mut desk = self.desk.lock();
        let Some(old) = self.lists.get(list) else { return };
        let stamp = desk.next_stamp();
        if let Some(new) = old.as_ref().and_then(|p| p.list.with_health(index, healthy, stamp)) {
            self.lists.replace(&mut desk, list, new);
        }
    }

    /// Takes a list away; false when it is gone already.
    pub fn list_free(&self, list: u64) -> bool {
        if process::disabled() {
            return false;
        }
        let mut desk = self.desk.lock();
        self.lists.remove(&mut desk, list)
    }

    /// The ids of all live lists.
    pub fn live_lists(&self) -> Vec<u64> {
        if process::disabled() {
            return Vec::new();
        }
        let desk = self.desk.lock();
        self.lists.ids(&desk)
    }

    fn add_list(&self, desk: &mut Desk, names: Arc<[Arc<str>]>, listed: Vec<Listed>) -> u64 {
        let state = self.state.load();
        let list = List::new(names, listed.into(), &state.snapshot, state.mode, desk.next_stamp());
        self.make_ring();
        let own = is_own(&state, &list);
        let id = self.lists.add(desk, list);
        if let Some(id) = id.filter(|_| own) {
            self.own_list.store(id, Ordering::Relaxed);
        }
        id.unwrap_or_else(|| {
            let why = "65,536 lists are live: this one is left to its framework; are lists not freed?";
            self.log.write(Level::Error, "TRL-302", "lists", why);
            0
        })
    }

    /// Called with the publishing lock held: interns the tags of published instances.
    fn listed(&self, instances: &[Instance]) -> Vec<Listed> {
        let mut tags = self.tags.load_full();
        let mut grown = false;
        let mut id_of = |tag: &str| {
            let known = tags.find(tag.as_bytes());
            if known != TagId::UNKNOWN {
                return known;
            }
            grown = true;
            Arc::make_mut(&mut tags).intern(tag)
        };
        let listed: Vec<Listed> = instances
            .iter()
            .map(|i| Listed {
                address: i.address.into(),
                registered: match metadata::tag_of(i.metadata, &self.settings.metadata_read) {
                    Registered::Untagged => TagId::NONE,
                    Registered::Tag(tag) => id_of(tag),
                    Registered::Unreadable => TagId::UNKNOWN,
                },
                healthy: i.healthy,
                labels: i.metadata.iter().map(|(key, value)| (Arc::from(*key), Arc::from(*value))).collect(),
            })
            .collect();
        if grown {
            if tags.len() == Tags::CAPACITY {
                let why = "65,534 tags have a number; instances with further ones are in no lane and not baseline";
                self.log.write(Level::Error, "TRL-303", "tags", why);
            }
            self.tags.store(tags);
        }
        listed
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.ring();
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
