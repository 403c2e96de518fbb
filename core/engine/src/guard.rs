//! Care: a hook that fails again and again switches itself off, and beside another routing agent we only observe.

use crate::count::Counter;
use crate::engine::Engine;
use crate::log::{Level, Log};
use crate::settings::Settings;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use trilane_lane::Mode;

/// So many failures within `WITHIN` are too many.
const TOO_MANY: usize = 10;
const WITHIN: Duration = Duration::from_secs(60);

/// The failures of each library's hooks, and who was switched off for them.
#[derive(Default)]
pub(crate) struct Guard {
    failures: Mutex<BTreeMap<&'static str, VecDeque<Instant>>>,
    off: ArcSwap<BTreeSet<&'static str>>,
    /// Somebody was switched off and the bindings have not been told.
    untold: AtomicBool,
}

impl Guard {
    /// Whether a library was switched off.
    pub fn off(&self, library: &str) -> bool {
        self.off.load().contains(library)
    }

    /// Whether the bindings are to be told of a change; true once per change.
    pub fn untold(&self) -> bool {
        self.untold.swap(false, Ordering::AcqRel)
    }

    /// Notes a failure; true when this one was too many.
    fn failed(&self, library: &'static str, now: Instant) -> bool {
        let mut failures = self.failures.lock();
        if self.off(library) {
            return false;
        }
        let times = failures.entry(library).or_default();
        times.push_back(now);
        while times.front().is_some_and(|at| now.duration_since(*at) > WITHIN) {
            times.pop_front();
        }
        if times.len() < TOO_MANY {
            return false;
        }
        let mut off = BTreeSet::clone(&self.off.load());
        off.insert(library);
        self.off.store(Arc::new(off));
        self.untold.store(true, Ordering::Release);
        true
    }
}

impl Engine {
    /// A hook of this library failed; the application went on. The tenth failure within a minute switches the
    /// library's hooks off until the process ends; `trilane-ctl` tells the binding within a second.
    pub fn hook_failed(&self, library: &'static str) {
        self.count(Counter::HookError);
        if self.guard.failed(library, Instant::now()) {
            self.count(Counter::HookSwitchedOff);
            let why = format!(
                "the hooks of {library} failed {TOO_MANY} times in {} s: they are off until this process ends",
                WITHIN.as_secs()
            );
            self.log(Level::Error, "TRL-407", library, &why);
        }
    }
}

/// The mode that the settings ask for, or what is wise beside these agents. Names settings of MSE that do nothing here.
pub(crate) fn mode(settings: &Settings, other_agents: &[&str], log: &Log) -> Mode {
    for (name, source) in settings.unsupported() {
        let why = format!("{name} ({source}) is a setting of MSE that has no effect here: {}", effect(name));
        log.write(Level::Warn, "TRL-107", name, &why);
    }
    if let Some(mode) = settings.mode {
        return mode;
    }
    if other_agents.is_empty() {
        return Mode::On;
    }
    let others = other_agents.join(", ");
    let why = format!("{others} routes in this process: mode=observe until trilane.mode says otherwise");
    log.write(Level::Warn, "TRL-106", "other agents", &why);
    Mode::Observe
}

/// What does not happen because a setting of MSE is not supported.
fn effect(name: &str) -> &'static str {
    match name {
        n if n.starts_with("mse.lossless") => "instances come and go without delay, warm-up or readiness check of ours",
        n if n.starts_with("micro.service.") || n.starts_with("profiler.micro.service.") => {
            "that part of MSE's governance is not here; lanes work without it"
        }
        _ => "lanes work without it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_another_routing_agent_only_a_mode_has_us_act() {
        let log = Log::off();
        let decided = |option: &str| mode(&Settings::read(option, &[], false, &log), &["MSE's agent"], &log);
        assert_eq!(decided("mse.enable=true"), Mode::Observe);
        assert_eq!(decided("mse.enable=true,mode=on"), Mode::On);
        assert_eq!(decided("mse.enable=false"), Mode::Off);
    }

    #[test]
    fn the_tenth_failure_in_a_minute_is_one_too_many() {
        let (guard, start) = (Guard::default(), Instant::now());
        for n in 0..30 {
            assert!(!guard.failed("slow", start + WITHIN / 5 * n), "never ten in a minute");
        }
        for n in 1..=12 {
            assert_eq!(guard.failed("fast", start + WITHIN / 10 * n), n == 10, "{n}");
        }
        assert!(guard.off("fast") && !guard.off("slow"));
        assert!(guard.untold() && !guard.untold());
    }
}
