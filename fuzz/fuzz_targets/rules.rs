//! A program for each dialect: the one whose name it has.
#![no_main]
#[path = "../rules.rs"]
mod target;

use std::sync::LazyLock;
use trilane_lane::rules::dialect::Dialect;

static DIALECT: LazyLock<Dialect> = LazyLock::new(|| {
    let name = env!("CARGO_BIN_NAME");
    name.strip_prefix("rules_").and_then(Dialect::parse).unwrap_or_else(|| panic!("{name}: no dialect of this name"))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    target::through(*DIALECT, &String::from_utf8_lossy(data));
});
