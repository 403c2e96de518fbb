//! The trilane program.

fn main() {}
