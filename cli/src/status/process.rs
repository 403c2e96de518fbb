//! Finds the status pages of living processes and asks them.

use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trilane_engine::page;

/// A process looks at its page once a second; one that is this late does not answer. Far more than a second: on a machine
/// that is overloaded its thread waits for a processor.
const PATIENCE: Duration = Duration::from_secs(10);
/// A question is repeated after this time.
const AGAIN: Duration = Duration::from_millis(1200);
/// Without a pid only so many descriptors of a process are looked at: the page is among its first.
const FIRST: usize = 512;

/// The page of a process.
pub struct Process {
    /// Its number here.
    pub pid: u32,
    file: File,
    /// Opened for reading only: it cannot be asked, only read.
    mute: bool,
}

/// What became of a question.
pub struct Answer {
    /// The state as JSON.
    pub state: Value,
    /// It is what stood there before: the process does not answer, or may not be asked.
    pub old: Option<&'static str>,
}

/// Why a named process has no page.
pub enum Missing {
    /// The library is mapped, but nothing started it.
    Inert,
    /// What to tell the user.
    Unable(String),
}

/// All processes with a page that this user may look at.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids.into_iter().filter_map(|pid| find(pid, FIRST).ok().flatten()).collect()
}

/// The page of one process.
pub fn one(pid: u32) -> Result<Process, Missing> {
    let why = match find(pid, usize::MAX) {
        Ok(Some(process)) => return Ok(process),
        Ok(None) => {
            let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
            if maps.contains("libtrilane") {
                return Err(Missing::Inert);
            }
            format!("process {pid} has no trilane in it: is JAVA_TOOL_OPTIONS set in its environment, was it woven?")
        }
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            format!("process {pid} may not be looked at: be its user (see `ls -ld /proc/{pid}`) or root")
        }
        Err(_) if !Path::new(&format!("/proc/{pid}")).exists() => format!("there is no process {pid} here"),
        Err(e) => format!("process {pid}: {e}"),
    };
    Err(Missing::Unable(why))
}

fn find(pid: u32, most: usize) -> std::io::Result<Option<Process>> {
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().take(most) {
        let path = entry.path();
        if fs::read_link(&path).is_ok_and(|link| link.as_os_str() == page::LINK) {
            let opened = OpenOptions::new().read(true).write(true).open(&path);
            let mute = opened.is_err();
            let file = opened.or_else(|_| File::open(&path))?;
            // A forked child has its parent's page.
            let process = Process { pid, file, mute };
            return Ok(process.is_its_own().then_some(process));
        }
    }
    Ok(None)
}

impl Process {
    fn is_its_own(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let inner = status.lines().find_map(|l| l.strip_prefix("NSpid:")).and_then(|l| l.split_whitespace().last());
        let inner: Option<u64> = inner.and_then(|pid| pid.parse().ok());
        let state = self.present().map(|(_, state)| state);
        inner.is_none() || state.is_none_or(|state| state["pid"].as_u64() == inner)
    }

    /// Whether it is gone, or only waits for its parent to hear of that.
    pub fn ended(&self) -> bool {
        match fs::read_dir(format!("/proc/{}/fd", self.pid)) {
            Ok(mut open) => open.next().is_none(),
            Err(why) => why.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// What stands there. A writer may be held up in the middle of a text, so for a second it is read again.
    fn present(&self) -> Option<(u64, Value)> {
        (0..1000).find_map(|_| {
            let (answers, text) = page::read(&self.file).ok()?.or_else(|| {
                sleep(Duration::from_millis(1));
                None
            })?;
            Some((answers, serde_json::from_str(&text).ok()?))
        })
    }

    /// Asks and waits for the answer, at most some seconds.
    pub fn ask(&self) -> Result<Answer, String> {
        let unreadable =
            || format!("process {}: its status page cannot be read: another version of trilane?", self.pid);
        let (_, before) = self.present().ok_or_else(unreadable)?;
        if before["answers"] != true {
            return Ok(Answer { state: before, old: None }); // off at start: nothing moves any more
        }
        let question = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64);
        if self.mute || page::ask(&self.file, question).is_err() {
            return Ok(Answer { state: before, old: Some("this user may not ask the process") });
        }
        let start = Instant::now();
        let mut again = AGAIN;
        while start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20));
            if self.ended() {
                return Err(format!("process {} has ended", self.pid));
            }
            // Another asker's later question stands for ours too.
            if page::answered(&self.file).is_ok_and(|answered| answered >= question) {
                let (_, state) = self.present().ok_or_else(unreadable)?;
                return Ok(Answer { state, old: None });
            }
            if start.elapsed() > again {
                again += AGAIN;
                _ = page::ask(&self.file, question); // an earlier question may have come in between
            }
        }
        Ok(Answer { state: before, old: Some("the process does not answer: its thread trilane-ctl is stuck or gone") })
    }
}
