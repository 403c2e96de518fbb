//! The status page: an anonymous file of this process that others find under `/proc/PID/fd`.
//!
//! No path, no port, no thread: it is there on a read-only root and in any mount namespace, goes away with the
//! process, and the kernel lets in who may look at the process's descriptors (its own user, and root). Why this and
//! not a socket: `docs/decisions/0005-status-page.md`.
//!
//! | bytes | what | written by |
//! |---|---|---|
//! | 0..8 | `trilane1` | the process |
//! | 8..16 | a number that changes with every question | who asks |
//! | 16..24 | the number that the text answers | the process |
//! | 24..32 | length of the text | the process |
//! | 32..40 | its XXH3, 64 bits: tells a text half written | the process |
//! | 64.. | the text, JSON | the process |

use crate::process;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use xxhash_rust::xxh3::xxh3_64;

/// What `/proc/PID/fd/N` of the page reads.
pub const LINK: &str = "/memfd:trilane-status (deleted)";
/// The first bytes; the digit is the number of this layout.
const MAGIC: &[u8; 8] = b"trilane1";
const ASKED: u64 = 8;
const ANSWERED: u64 = 16;
const TEXT: u64 = 64;
/// A longer text is no text of ours.
const MOST: u64 = 64 << 20;

/// The page of this process.
pub(crate) struct Page {
    file: File,
    answered: u64,
}

impl Page {
    /// Makes the page. Takes one descriptor, closed on exec.
    pub fn create() -> io::Result<Page> {
        let file = process::anonymous_file(c"trilane-status")?;
        file.write_all_at(MAGIC, 0)?;
        Ok(Page { file, answered: 0 })
    }

    /// The number of the last question, when it has no answer yet. One system call.
    pub fn question(&self) -> Option<u64> {
        let asked = number(&self.file, ASKED).ok()?;
        (asked != self.answered).then_some(asked)
    }

    /// Puts a text on the page.
    pub fn write(&mut self, question: Option<u64>, text: &str) -> io::Result<()> {
        self.answered = question.unwrap_or(self.answered);
        let mut head = [0; 24];
        head[..8].copy_from_slice(&self.answered.to_ne_bytes());
        head[8..16].copy_from_slice(&(text.len() as u64).to_ne_bytes());
        head[16..].copy_from_slice(&xxh3_64(text.as_bytes()).to_ne_bytes());
        self.file.write_all_at(text.as_bytes(), TEXT)?;
        self.file.write_all_at(&head, ANSWERED)
    }
}

/// Asks for a new text: any number that was not there before will do.
pub fn ask(page: &File, question: u64) -> io::Result<()> {
    page.write_all_at(&question.to_ne_bytes(), ASKED)
}

/// The number that the text answers; cheaper than reading it.
pub fn answered(page: &File) -> io::Result<u64> {
    number(page, ANSWERED)
}

/// The number that the text answers, and the text; `None` while it is being written.
pub fn read(page: &File) -> io::Result<Option<(u64, String)>> {
    let mut head = [0; 40];
    page.read_exact_at(&mut head, 0)?;
    let word = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().unwrap_or_default());
    if &head[..8] != MAGIC || word(24) > MOST {
        return Err(io::Error::other("a status page of another version of the library"));
    }
    let mut text = vec![0; word(24) as usize];
    let whole = page.read_exact_at(&mut text, TEXT).is_ok() && xxh3_64(&text) == word(32);
    Ok(if whole { String::from_utf8(text).ok().map(|text| (word(16), text)) } else { None })
}

fn number(page: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    page.read_exact_at(&mut bytes, at)?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_seen_and_its_answer_is_read_whole() {
        let mut page = Page::create().expect("an anonymous file");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&page.file);
        let path = format!("/proc/self/fd/{fd}");
        assert_eq!(std::fs::read_link(&path).unwrap().to_str(), Some(LINK));
        let other = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("its own user may");
        page.write(None, "{}").unwrap();
        assert_eq!(read(&other).unwrap(), Some((0, "{}".into())));
        assert_eq!(page.question(), None);
        ask(&other, 7).unwrap();
        assert_eq!(page.question(), Some(7));
        page.write(Some(7), "{\"longer\":1}").unwrap();
        assert_eq!(read(&other).unwrap(), Some((7, "{\"longer\":1}".into())));
        assert_eq!(page.question(), None);
        other.write_all_at(b"?", TEXT).unwrap();
        assert_eq!(read(&other).unwrap(), None, "a text half written is no text");
    }
}
