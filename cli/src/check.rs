//! `trilane check FILE...`: the rule loader's own messages, nothing of its own.

use serde_json::json;
use std::path::{Path, PathBuf};
use trilane_lane::rules::dialect::{self, Context, Dialect, Loaded};
use trilane_lane::rules::{self, Problem};

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Dialect, where the text does not tell it
    #[arg(long, value_parser = dialect_of)]
    dialect: Option<Dialect>,
    /// One JSON object a line: a problem, a note, or `ok`
    #[arg(long)]
    json: bool,
}

pub(crate) fn dialect_of(name: &str) -> Result<Dialect, String> {
    Dialect::parse(name).ok_or_else(|| format!("one of {}", Dialect::ALL.map(|(name, _)| name).join(", ")))
}

/// Checks each file and says what is wrong with it. Status 0: all are good, 1: one is wrong, 2: one cannot be read.
pub fn run(options: &Options) -> u8 {
    let statuses = options.files.iter().map(|file| one(file, options));
    statuses.max().unwrap_or(crate::OK)
}

fn one(file: &Path, options: &Options) -> u8 {
    let name = file.display().to_string();
    let text = match std::fs::read(file).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => return unable(&name, "is no UTF-8 text", options.json),
        Err(e) => return unable(&name, &format!("cannot be read: {e}"), options.json),
    };
    match load(&name, &text, options.dialect) {
        Ok((dialect, notes)) => {
            notes.iter().for_each(|note| tell("note", note, options.json));
            match options.json {
                true => println!("{}", json!({"file": name, "severity": "ok", "dialect": dialect.name()})),
                false => println!("{name}: ok"),
            }
            crate::OK
        }
        Err(problems) => {
            problems.iter().for_each(|problem| tell("error", problem, options.json));
            crate::WRONG
        }
    }
}

/// The dialect and what is accepted without meaning, or every problem.
pub(crate) fn load(name: &str, text: &str, dialect: Option<Dialect>) -> Result<(Dialect, Vec<Problem>), Vec<Problem>> {
    match dialect {
        Some(Dialect::Native) => rules::check(name, text).map(|rules| (Dialect::Native, rules.notes)),
        Some(dialect) => dialect::read(dialect, name, text, &Context::default()).map(|l| (dialect, l.notes)),
        None => dialect::load(name, text, &Context::default()).map(|loaded| match loaded {
            Loaded::Native(rules) => (Dialect::Native, rules.notes),
            Loaded::Other(dialect, lowered) => (dialect, lowered.notes),
        }),
    }
}

fn unable(name: &str, why: &str, in_json: bool) -> u8 {
    match in_json {
        true => println!("{}", json!({"file": name, "severity": "unable", "message": why})),
        false => eprintln!("{name}: {why}"),
    }
    crate::UNABLE
}

fn tell(severity: &str, problem: &Problem, in_json: bool) {
    if !in_json {
        let before = if severity == "note" { "note: " } else { "" };
        eprintln!("{before}{problem}");
        return;
    }
    let Problem { file, line, column, field, message, expected, source } = problem;
    let told = json!({
        "severity": severity, "file": file, "line": line, "column": column, "field": field, "message": message,
        "expected": expected, "source": source,
    });
    println!("{told}");
}
