//! Words for the operator: one line each, to stderr or a file, never stdout, the same one at most once a minute.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// Something will not work until somebody acts.
    Error = 0,
    /// Something is not as it should be; we go on.
    Warn = 1,
    /// What the library does.
    Info = 2,
}

/// Where lines go.
pub struct Log {
    out: Out,
    said: Mutex<HashMap<String, Said>>,
}

enum Out {
    Off,
    Stderr,
    File(std::path::PathBuf),
    #[cfg(test)]
    Memory(Mutex<Vec<String>>),
}

struct Said {
    at: Instant,
    repeats: u32,
}

/// The same line is not said again before this time is over.
const QUIET: Duration = Duration::from_secs(60);
/// So many different lines are remembered; past that, the memory starts anew.
const REMEMBERED: usize = 512;

impl Log {
    /// `trilane.log`: `off`, `stderr` or a file's path.
    pub fn new(place: &str) -> Log {
        let out = match place {
            "" | "stderr" => Out::Stderr,
            "off" => Out::Off,
            path => Out::File(path.into()),
        };
        Log { out, said: Mutex::default() }
    }

    /// Says nothing.
    pub fn off() -> Log {
        Log { out: Out::Off, said: Mutex::default() }
    }

    /// Says a line. `code` is the message's number, `key` what it is about: the pair is what "the same" means.
    /// Neither may hold a header, cookie or argument value.
    pub fn write(&self, level: Level, code: &str, key: &str, message: &str) {
        let Some(repeats) = self.due(code, key, Instant::now()) else { return };
        let word = ["error", "warn", "info"][level as usize];
        let again = if repeats > 0 { format!(" repeated={repeats}") } else { String::new() };
        self.put(&format!("trilane: {word} {code} {}{again}", message.trim_end().replace('\r', "\\r")));
    }

    /// How often it was swallowed before; `None` while it is to be swallowed.
    fn due(&self, code: &str, key: &str, now: Instant) -> Option<u32> {
        let mut said = self.said.lock();
        if said.len() >= REMEMBERED {
            said.clear();
        }
        let id = format!("{code} {key}");
        match said.get_mut(&id) {
            Some(earlier) if now.duration_since(earlier.at) < QUIET => {
                earlier.repeats += 1;
                None
            }
            Some(earlier) => {
                earlier.at = now;
                Some(std::mem::take(&mut earlier.repeats))
            }
            None => {
                said.insert(id, Said { at: now, repeats: 0 });
                Some(0)
            }
        }
    }

    fn put(&self, line: &str) {
        // A full disk or a closed stderr is no reason to disturb the application.
        match &self.out {
            Out::Off => {}
            Out::Stderr => _ = writeln!(std::io::stderr().lock(), "{line}"),
            Out::File(path) => {
                let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
                _ = opened.and_then(|mut f| writeln!(f, "{line}"));
            }
            #[cfg(test)]
            Out::Memory(lines) => lines.lock().push(line.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_is_said_once_a_minute_with_its_count() {
        let log = Log { out: Out::Memory(Mutex::default()), said: Mutex::default() };
        let start = Instant::now();
        assert_eq!(log.due("TRL-1", "a", start), Some(0));
        assert_eq!(log.due("TRL-1", "a", start + QUIET / 2), None);
        assert_eq!(log.due("TRL-1", "b", start + QUIET / 2), Some(0));
        assert_eq!(log.due("TRL-1", "a", start + QUIET), Some(1));
        log.write(Level::Warn, "TRL-2", "", "a\rb");
        let Out::Memory(lines) = &log.out else { unreachable!() };
        assert_eq!(*lines.lock(), ["trilane: warn TRL-2 a\\rb"]);
    }
}
