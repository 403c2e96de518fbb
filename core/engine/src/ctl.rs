//! The one thread, `trilane-ctl`: looks at the rule file once a second, and says what decisions must not say.

use crate::engine::Engine;
use crate::log::Level;
use crate::process;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use trilane_lane::tag::TagId;
use trilane_sources::Read;

/// A changed file is seen within this time and the time of compiling it.
const TICK: Duration = Duration::from_millis(1000);

/// How the thread is told to end.
#[derive(Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    pub fn ring(&self) {
        *self.stopped.lock() = true;
        self.bell.notify_all();
    }

    /// Waits one tick; true when it is time to end.
    fn wait(&self) -> bool {
        let mut stopped = self.stopped.lock();
        if !*stopped {
            self.bell.wait_for(&mut stopped, TICK);
        }
        *stopped
    }
}

/// Starts the thread. It holds the engine weakly, so that dropping the last handle ends it.
pub(crate) fn start(engine: &Arc<Engine>) {
    let (weak, stop) = (Arc::downgrade(engine), engine.stop.clone());
    let spawned = process::spawn("trilane-ctl", move || run(&weak, &stop));
    if let Err(error) = spawned {
        let why = format!("no thread could be started ({error}): the rule file is read once and not watched");
        engine.log(Level::Error, "TRL-110", "ctl", &why);
    }
}

fn run(engine: &Weak<Engine>, stop: &Stop) {
    while !stop.wait() {
        let Some(engine) = engine.upgrade() else { return };
        // A panic here must end neither the process nor the watching.
        let tick = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine.tick()));
        if tick.is_err() {
            engine.log(Level::Error, "TRL-111", "ctl", "the control thread met an error of its own and goes on");
        }
    }
}

impl Engine {
    /// One look around: rule file, failures to speak of.
    pub(crate) fn tick(&self) {
        self.warm_up();
        self.refill_samples();
        self.note_tagged();
        let reloaded = self.reload();
        self.look_next();
        if self.guard.untold() || reloaded {
            self.notify();
        }
        self.tell_failures();
        self.tell_strays();
        self.answer();
    }

    /// Looks at the rule file; true when a new snapshot is in force.
    pub(crate) fn reload(&self) -> bool {
        let mut guard = self.source.lock();
        let Some(source) = guard.as_mut() else { return false };
        let path = source.path().display().to_string();
        match source.look() {
            Read::Unchanged => false,
            Read::Text(text) => self.take_rules(&path, &text),
            Read::Missing => {
                if self.rules_were_read() {
                    let why = format!("{path} is gone; the rules read last stay in force");
                    self.rules_trouble("TRL-201", &why);
                    self.log(Level::Warn, "TRL-201", &path, &why);
                } else if self.settings.rules.is_some() {
                    let why = format!("{path} does not exist; the default policy holds until it does");
                    self.rules_trouble("TRL-202", &why);
                    self.log(Level::Warn, "TRL-202", &path, &why);
                }
                false
            }
            Read::Unreadable(why) => {
                let why = format!("{path} cannot be read ({why}); what is in force stays");
                self.rules_trouble("TRL-203", &why);
                self.log(Level::Error, "TRL-203", &path, &why);
                false
            }
        }
    }

    /// Requests that found nothing: which list, and how the decision went.
    fn tell_failures(&self) {
        for id in self.live_lists() {
            let Some(published) = self.lists.get(id) else { continue };
            let Some(published) = published.as_ref() else { continue };
            let noted = published.failed.swap(0, Ordering::Relaxed);
            if noted != 0 {
                let name = published.list.names().first().map_or("?", |n| n);
                let tag = TagId((noted - 1) as u16);
                let text = match tag {
                    TagId::UNKNOWN => "a-tag-that-nobody-named".into(),
                    tag => self.tag_name(tag).unwrap_or_default(),
                };
                let how = self.explain(id, text.as_bytes(), 0, 0);
                let asked =
                    if text.is_empty() { "an untagged request".into() } else { format!("a request of lane `{text}`") };
                let why = format!("{asked} to `{name}` found no instance that may serve it: {how}");
                self.log(Level::Warn, "TRL-301", name, &why);
            }
        }
    }
}
