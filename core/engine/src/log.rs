//! Words for the operator: one line each, to stderr or a file, never stdout, the same one at most once a minute.
//!
//! Text: `trilane: LEVEL CODE time=… about="…" [repeated=N] …`; JSON: one object a line with the same fields and `text`.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
    json: bool,
    said: Mutex<HashMap<String, Said>>,
}

enum Out {
    Off,
    Stderr,
    File(std::path::PathBuf),
    Held(Mutex<Vec<(Level, String, String, String)>>),
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
    /// `trilane.log`: `off`, `stderr` or a file's path; `json` and `json:` before a path for JSON.
    pub fn new(place: &str) -> Log {
        let (json, place) = match place.strip_prefix("json") {
            Some("") => (true, ""),
            Some(path) if path.starts_with(':') => (true, &path[1..]),
            _ => (false, place),
        };
        let out = match place {
            "" | "stderr" => Out::Stderr,
            "off" => Out::Off,
            path => Out::File(path.into()),
        };
        Log { out, json, said: Mutex::default() }
    }

    /// Keeps what is said until [`Log::release`]: the log's place is a setting, and reading settings may say something.
    pub(crate) fn held() -> Log {
        Log { out: Out::Held(Mutex::default()), json: false, said: Mutex::default() }
    }

    /// The log of this place, in which everything is said that was held.
    pub(crate) fn release(self, place: &str) -> Log {
        let log = Log::new(place);
        if let Out::Held(lines) = self.out {
            lines.into_inner().iter().for_each(|(level, code, key, message)| log.write(*level, code, key, message));
        }
        log
    }

    /// Says nothing.
    pub fn off() -> Log {
        Log { out: Out::Off, json: false, said: Mutex::default() }
    }

    /// Says a line. `code` is the message's number, `key` what it is about: the pair is what "the same" means.
    /// Neither may hold a header, cookie or argument value. A forked child says nothing: the lock may be held for ever.
    pub fn write(&self, level: Level, code: &str, key: &str, message: &str) {
        if crate::process::disabled() {
            return;
        }
        if let Out::Held(lines) = &self.out {
            return lines.lock().push((level, code.into(), key.into(), message.into()));
        }
        let Some(repeats) = self.due(code, key, Instant::now()) else { return };
        let word = ["error", "warn", "info"][level as usize];
        let (time, text) = (stamp(SystemTime::now()), message.trim_end().replace('\r', "\\r"));
        if self.json {
            let fields = serde_json::json!({
                "time": time, "level": word, "code": code, "about": key, "repeated": repeats, "text": text,
            });
            return self.put(&fields.to_string());
        }
        let again = if repeats > 0 { format!(" repeated={repeats}") } else { String::new() };
        self.put(&format!("trilane: {word} {code} time={time} about={key:?}{again} {text}"));
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
            Out::Off | Out::Held(_) => {}
            // In one system call: lines of other processes do not come between.
            Out::Stderr => _ = std::io::stderr().write_all(format!("{line}\n").as_bytes()),
            Out::File(path) => {
                let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
                _ = opened.and_then(|mut f| writeln!(f, "{line}"));
            }
            #[cfg(test)]
            Out::Memory(lines) => lines.lock().push(line.to_string()),
        }
    }
}

/// A point in time as RFC 3339, UTC, in seconds. Days to date: Hinnant, "chrono-compatible low-level date algorithms".
fn stamp(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", year + era * 400 + turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_is_said_once_a_minute_with_its_count() {
        let log = Log { out: Out::Memory(Mutex::default()), json: false, said: Mutex::default() };
        let start = Instant::now();
        assert_eq!(log.due("TRL-1", "a", start), Some(0));
        assert_eq!(log.due("TRL-1", "a", start + QUIET / 2), None);
        assert_eq!(log.due("TRL-1", "b", start + QUIET / 2), Some(0));
        assert_eq!(log.due("TRL-1", "a", start + QUIET), Some(1));
        log.write(Level::Warn, "TRL-2", "", "a\rb");
        let Out::Memory(lines) = &log.out else { unreachable!() };
        let line = lines.lock()[0].clone();
        assert!(line.starts_with("trilane: warn TRL-2 time=20") && line.ends_with("Z about=\"\" a\\rb"), "{line}");
    }

    #[test]
    fn what_is_held_is_said_when_the_place_is_known() {
        let directory = std::env::temp_dir().join(format!("trilane-log-{}", std::process::id()));
        let held = Log::held();
        held.write(Level::Warn, "TRL-4", "key", "early");
        held.release(directory.to_str().expect("UTF-8")).write(Level::Info, "TRL-5", "key", "late");
        let said = std::fs::read_to_string(&directory).expect("it was written");
        std::fs::remove_file(&directory).expect("it is there");
        let words: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(words, ["early", "late"]);
    }

    #[test]
    fn json_has_a_field_for_each_part() {
        let log = Log { out: Out::Memory(Mutex::default()), json: true, said: Mutex::default() };
        log.write(Level::Error, "TRL-3", "a \"key\"", "two\nlines");
        let Out::Memory(lines) = &log.out else { unreachable!() };
        let line: serde_json::Value = serde_json::from_str(&lines.lock()[0]).expect("one line of JSON");
        assert_eq!([&line["level"], &line["code"], &line["about"]], ["error", "TRL-3", "a \"key\""]);
        assert_eq!(
            [&line["text"], &line["time"].as_str().map_or(0, str::len).into()],
            [&serde_json::json!("two\nlines"), &serde_json::json!(20)]
        );
        assert!(Log::new("json").json && matches!(Log::new("json").out, Out::Stderr));
        assert!(matches!(Log::new("json:/x/y").out, Out::File(path) if path.to_str() == Some("/x/y")));
        assert!(matches!(Log::new("jsonl.log").out, Out::File(_)));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |seconds| stamp(UNIX_EPOCH + Duration::from_secs(seconds));
        // date -u -d @N +%FT%TZ
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_795_372_268), "2026-11-22T18:31:08Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59Z");
    }
}
