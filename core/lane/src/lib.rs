//! The lane engine: which instance may a tagged request meet?
//!
//! Pure: no I/O, no threads, no clock, no `unsafe`. The modules in the order in which a request meets them:
//!
//! | module | question |
//! |---|---|
//! | [`tag`] | is this text a tag, and which number has it here? |
//! | [`carrier`] | which tag does an incoming header, attachment or baggage carry? |
//! | [`entry`] | does an entry rule colour this request? |
//! | [`hash`] | which of 10,000 buckets does a user fall into? |
//! | [`list`] | which instances does the caller's framework know, by tag and health? |
//! | [`route`] | **which subset, which instance, and why?** |
//! | [`explain`] | the same decision, told step by step |
//! | [`target`] | may a carrier be written towards this host? |
//! | [`pass`] | which further headers ride along, and how many of them? |
//! | [`peer`] | is this caller's address one that an edge trusts? |
//! | [`metadata`] | which tag does a registered instance carry? |
//! | [`model`] | the one model that every rule dialect lowers to, and what decides with it |
//! | [`rules`] | the rule file: text → checked [`rules::Rules`] |
#![forbid(unsafe_code)]

pub mod carrier;
pub mod entry;
pub mod explain;
pub mod hash;
mod json;
pub mod list;
pub mod metadata;
pub mod model;
pub mod pass;
pub mod peer;
pub mod route;
pub mod rules;
pub mod tag;
pub mod target;

/// What the library does with its decisions. The order is the order of caution: `Off < Observe < On`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Mode {
    /// As if not there: nothing is read, written, filtered or counted.
    Off = 0,
    /// Decides, counts and explains; writes and filters nothing.
    Observe = 1,
    /// Decides and acts.
    On = 2,
}

impl Mode {
    /// Reads a mode as settings and rule files spell it.
    pub fn parse(text: &str) -> Option<Mode> {
        match text {
            "off" | "false" => Some(Mode::Off),
            "observe" => Some(Mode::Observe),
            "on" | "true" => Some(Mode::On),
            _ => None,
        }
    }

    /// The word for it in settings, rule files and log lines.
    pub fn word(self) -> &'static str {
        ["off", "observe", "on"][self as usize]
    }
}
