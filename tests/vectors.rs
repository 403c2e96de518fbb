//! The shared vectors through the Rust API: see `tests/vectors/README.md`.

mod vectors {
    pub mod runner;
}

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use trilane_lane::hash::bucket;
use vectors::runner::{Bench, Mismatch};

type Check = fn(&mut Bench, &Value) -> Result<(), Mismatch>;

const FILES: [(&str, Check); 11] = [
    ("tags", Bench::tag),
    ("carriers", Bench::carrier),
    ("metadata", Bench::metadata),
    ("route", Bench::route),
    ("pick", Bench::pick),
    ("percent", Bench::percent),
    ("entry", Bench::entry),
    ("badrules", Bench::bad_rules),
    ("known", Bench::known),
    ("edge", Bench::edge),
    ("trace", Bench::trace),
];

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("trilane-vectors-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory for temporary files");
    dir
}

/// Runs every case of one file; answers how many ran, and says which failed.
fn run(name: &str, check: Check, bench: &mut Bench, failed: &mut Vec<String>) -> usize {
    let text = std::fs::read_to_string(here().join(format!("{name}.json"))).expect("the committed vectors");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("an array of cases");
    for case in &cases {
        if let Err(Mismatch { what, expected, found }) = check(bench, case) {
            let id = case["id"].as_str().unwrap_or("?");
            println!("FAILED {id}: {what}\n  expected {expected}\n  found    {found}\n  why      {}", case["why"]);
            failed.push(id.to_string());
        }
    }
    cases.len()
}

/// `buckets.txt`; answers how many ran.
fn buckets(failed: &mut Vec<String>) -> usize {
    let text = std::fs::read_to_string(here().join("buckets.txt")).expect("the committed vectors");
    for (n, line) in text.lines().enumerate() {
        let (expected, key) = line.split_once(' ').expect("a bucket and a key");
        let found = bucket(b"autumn", key.as_bytes());
        if expected.parse() != Ok(found) {
            println!("FAILED buckets.txt:{}: {key}\n  expected {expected}\n  found    {found}", n + 1);
            failed.push(format!("buckets.txt:{}", n + 1));
        }
    }
    text.lines().count()
}

/// `generate.py` gives the committed bytes.
fn generated(failed: &mut Vec<String>) {
    let out = scratch("generated");
    let script = here().join("generate.py");
    match Command::new("python3").arg(&script).arg("--out").arg(&out).output() {
        Err(e) => println!("skipped: generate.py was not compared, python3 does not start ({e})"),
        Ok(o) if !o.status.success() => {
            println!("FAILED generate.py\n{}", String::from_utf8_lossy(&o.stderr));
            failed.push("generate.py".into());
        }
        Ok(_) => {
            let files = FILES.iter().map(|(name, _)| format!("{name}.json"));
            for file in files.chain(["buckets.txt".to_string()]) {
                if std::fs::read(out.join(&file)).ok() != std::fs::read(here().join(&file)).ok() {
                    println!("FAILED {file}: generate.py gives other bytes; run python3 {}", script.display());
                    failed.push(file);
                }
            }
        }
    }
    let _ = std::fs::remove_dir_all(out);
}

fn main() -> ExitCode {
    let files = scratch("rules");
    let mut failed = Vec::new();
    let mut count = 0;
    let mut bench = Bench::new(files.clone());
    for (name, check) in FILES {
        count += run(name, check, &mut bench, &mut failed);
    }
    count += buckets(&mut failed);
    generated(&mut failed);
    let _ = std::fs::remove_dir_all(files);
    println!("vectors: rust={count}");
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("vectors: {} failed: {}", failed.len(), failed.join(" "));
    ExitCode::FAILURE
}
