//! Edits every method of every class of the given jars and of the JDK at hand, and links all of it.
//!
//! `cargo run --release -p trilane-classedit --example stress -- DIRECTORY_OR_JAR...`; JAVA_HOME names the JDK.
//! The classes of the JDK are edited twice: with all operations for linking in a loader of their own (which takes no
//! `java.*`), and with harmless calls in place, so that a JVM and a compiler run on them.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use support::stress::{self, Class, Outcome, Rows, Totals};
use support::{Jdk, Scratch};

/// All jars below a path.
fn jars(path: &Path, found: &mut Vec<String>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut entries: Vec<_> = entries.map(|e| e.path()).collect();
        entries.sort();
        entries.iter().for_each(|p| jars(p, found));
    } else if path.extension().is_some_and(|e| e == "jar") {
        found.push(path.to_string_lossy().into_owned());
    }
}

fn print(what: &str, totals: &Totals, outcome: &Outcome) -> usize {
    let Totals { classes, methods, refused, without_args, reasons, time } = totals;
    let Outcome { linked, unlinkable, errors } = outcome;
    errors.iter().take(100).for_each(|e| println!("error: {e}"));
    reasons.iter().for_each(|r| println!("  {r}"));
    println!(
        "{what}: linked={linked} unlinkable={unlinkable} finally-without-arguments={without_args} editing={time:?}"
    );
    println!("stress: classes={classes} methods={methods} refused={refused} errors={}", errors.len());
    errors.len()
}

/// Links in loaders; how many errors.
fn in_loaders(jdk: &Jdk, scratch: &Scratch, what: &str, classes: &[Class]) -> usize {
    let (edited, totals) = stress::edit_classes(classes, Rows::All);
    print(what, &totals, &stress::link(jdk, scratch.path(), classes, &edited))
}

/// Runs the JDK with its own classes edited.
fn own(jdk: &Jdk, scratch: &Scratch, classes: &[Class]) -> usize {
    let (edited, totals) = stress::edit_classes(classes, Rows::Probe);
    let options = stress::patch_options(jdk, scratch.path(), &edited);
    print("JDK in place", &totals, &stress::link_own(jdk, scratch.path(), &options, classes))
}

fn main() -> ExitCode {
    let Some(jdk) = Jdk::find() else {
        return ExitCode::SUCCESS;
    };
    let scratch = stress::compile(&jdk);
    let mut errors = 0;
    let mut found = Vec::new();
    for arg in std::env::args().skip(1) {
        jars(Path::new(&arg), &mut found);
    }
    if !found.is_empty() {
        let classes = stress::extract(&jdk, scratch.path(), &found);
        errors += in_loaders(&jdk, &scratch, &format!("{} jars", found.len()), &classes);
    }
    let classes = stress::extract(&jdk, scratch.path(), &["jrt:".to_owned()]);
    errors += in_loaders(&jdk, &scratch, "JDK in a loader", &classes);
    errors += own(&jdk, &scratch, &classes);
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
