//! Puts lanes, sources and settings together behind one public API, the only one that `ffi` and the Java agent use.
//!
//! | module | what |
//! |---|---|
//! | [`settings`] | every setting, its places and their order |
//! | [`inbound`] | a request comes in: carriers, entry rules, own tag → a tag |
//! | `edge` | what this process does not let in, what it passes on, and who came untagged |
//! | [`outbound`] | a call goes out: list + tag → subset, instance; may carriers be written? |
//! | `escape` | requests in the wrong lane's copy, calls that lost their tag |
//! | `dialects` | rules of other dialects: loading, decisions that read values of the call |
//! | `policy` | what such rules want done with a call besides, and what nobody does |
//! | `lists` | published lists by id |
//! | `shadow` | `next.yaml`: decided by, not acted on |
//! | `publish` | rules come into force, lists and state anew |
//! | `state` | the snapshot in force and what follows from it |
//! | `ctl` | the one thread: watches the rule file, says what happened |
//! | `guard` | hooks that fail too often |
//! | [`log`], [`count`] | words and numbers |
//! | `ring`, `sample` | the last sampled decisions, for `trilane explain --pid` |
//! | `trace` | which tag came with a trace id |
//! | `status`, [`page`] | what `trilane status` shows, and where it finds it |
#![deny(unsafe_code)]

pub mod count;
mod ctl;
mod dialects;
mod edge;
mod engine;
mod escape;
mod explain;
mod guard;
pub mod inbound;
mod lists;
pub mod log;
pub mod outbound;
pub mod page;
mod policy;
mod process;
mod publish;
#[cfg(test)]
mod reload_tests;
mod ring;
mod sample;
pub mod settings;
mod shadow;
mod state;
mod status;
#[cfg(feature = "net")]
pub mod transport;

mod trace;

pub use count::Counter;
pub use dialects::Asked;
pub use edge::{REMOVE, UNTRUSTED};
pub use engine::{Change, Engine, Instance, Options};
pub use inbound::Kind;
pub use log::Level;
pub use policy::Applied;
pub use status::Hook;
pub use trilane_lane::Mode;
pub use trilane_lane::tag::TagId;

/// The library's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
