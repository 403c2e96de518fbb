//! Where rules and instances come from. Now: the rule file. Registries come with their own issues.
#![forbid(unsafe_code)]

mod file;

pub use file::{FileSource, Read};
