//! The kept corpus of the fuzz targets, and deterministic mutations of it, without a fuzzer.

#[path = "../../../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let seed = fs::read(entry.unwrap().path()).unwrap();
        target(&seed);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed.len() as u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        for _ in 0..3000 {
            let mut bytes = seed.clone();
            for _ in 0..1 + random() % 4 {
                if bytes.is_empty() {
                    break;
                }
                let at = random() % bytes.len();
                match random() % 4 {
                    0 => bytes[at] = random() as u8,
                    1 => bytes[at] ^= 1 << (random() % 8),
                    2 => bytes.truncate(at),
                    _ => bytes.insert(at, random() as u8),
                }
            }
            target(&bytes);
        }
        count += 1;
    }
    assert!(count >= 3, "{name}: {count} seeds");
}

#[test]
fn frames() {
    run("frames", targets::frames);
}

#[test]
fn metadata() {
    run("metadata", targets::metadata);
}

#[test]
fn status() {
    run("status", targets::status);
}

#[test]
fn timeouts() {
    run("timeouts", targets::timeouts);
}
