//! Mutated rule texts through every parser and what decides with the result: nothing panics, hostile texts stay cheap.
//!
//! The corpus is every text of `tests/rules`; `fuzz/run.py` starts a real fuzzer from the same texts, and what it found
//! (`fuzz/corpus/rules_*`) runs here too. Seeded: a failure names its number, and
//! `TRILANE_FUZZ_FROM=number TRILANE_FUZZ=1` repeats it. `TRILANE_FUZZ` is how many texts each dialect gets.

#[path = "../../../fuzz/rules.rs"]
mod target;

use std::path::{Path, PathBuf};
use target::through;
use trilane_lane::rules::Problem;
use trilane_lane::rules::dialect::{Context, Dialect, read};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Texts by dialect.
fn corpus() -> Vec<(Dialect, Vec<String>)> {
    let mut texts: Vec<(Dialect, Vec<String>)> = Dialect::ALL.iter().map(|(_, d)| (*d, Vec::new())).collect();
    let mut put = |dialect: Option<Dialect>, text: &str| {
        let all = texts.iter_mut().find(|(d, _)| Some(*d) == dialect).map(|(_, all)| all);
        if let Some(all) = all.filter(|all| !all.iter().any(|known| known == text)) {
            all.push(text.to_string());
        }
    };
    let rules = root().join("tests/rules");
    let files = |folder: PathBuf| {
        let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        all
    };
    for file in files(rules.clone()).into_iter().chain(files(rules.join("cases"))) {
        if file.extension().is_some_and(|e| e == "jsonl") {
            for line in std::fs::read_to_string(&file).unwrap().lines().filter(|l| !l.trim().is_empty()) {
                let row: serde_json::Value = serde_json::from_str(line).expect("a table's row");
                let case = &row["case"];
                let dialect = case["dialect"].as_str().and_then(Dialect::parse);
                put(dialect, case["rules"].as_str().unwrap_or(""));
            }
        }
    }
    for file in files(rules.join("istio/broken")).into_iter().filter(|f| f.extension().is_some_and(|e| e == "yaml")) {
        let asm = file.file_name().unwrap().to_string_lossy().starts_with("asm-");
        put(Some(if asm { Dialect::Asm } else { Dialect::Istio }), &std::fs::read_to_string(&file).unwrap());
    }
    texts.retain(|(_, all)| !all.is_empty());
    texts
}

const PIECES: &[&str] = &[
    "*a",
    "&a ",
    "<<: *a",
    "{",
    "}",
    "[",
    "]",
    "- ",
    ": ",
    "\"",
    "'",
    "|\n",
    ">\n",
    "---\n",
    "!!str ",
    "!!int ",
    "? ",
    "# ",
    "\t",
    "\u{feff}",
    "\0",
    "\u{2028}",
    "null",
    "~",
    "-1",
    "99999999999999999999",
    "1e400",
    "NaN",
    ".inf",
    "(",
    "(?i",
    "[^",
    "{99999}",
    "$trafficLabel",
    "$",
    "*/*",
    "*",
    "%",
    "\u{1F600}",
    "==",
    "=>",
    "host = ",
    " & ",
    "~",
    "0x10",
];

fn mutate(texts: &[String], random: &mut Random) -> String {
    let mut bytes = texts[random.below(texts.len())].clone().into_bytes();
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => {
                let end = (at + 1 + random.below(40)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            2 => {
                let piece = PIECES[random.below(PIECES.len())].bytes();
                bytes.splice(at..at, piece);
            }
            3 => {
                let end = (at + random.below(80)).min(bytes.len());
                let again: Vec<u8> = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let other = texts[random.below(texts.len())].as_bytes();
                let from = random.below(other.len() + 1);
                let end = (from + random.below(200)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            5 => bytes.truncate(at),
            _ => bytes.splice(at..at, PIECES[random.below(PIECES.len())].repeat(40).bytes()).for_each(drop),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn mutated_texts_never_panic() {
    let (from, count) = (number("TRILANE_FUZZ_FROM", 0), number("TRILANE_FUZZ", 300));
    for (dialect, texts) in corpus() {
        let mut accepted = 0;
        for n in from..from + count {
            let text = mutate(&texts, &mut Random(n));
            let caught = std::panic::catch_unwind(|| through(dialect, &text));
            accepted += u64::from(caught.unwrap_or_else(|_| panic!("{} text {n}:\n{text}", dialect.name())));
        }
        println!("fuzz {}: {} texts kept, {count} mutated, {accepted} accepted", dialect.name(), texts.len());
    }
}

#[test]
fn what_the_fuzzer_found_stays_mended() {
    let mut count = 0;
    for (name, dialect) in Dialect::ALL {
        // A dialect in which nothing was found has no folder.
        let Ok(found) = std::fs::read_dir(root().join("fuzz/corpus").join(format!("rules_{name}"))) else { continue };
        for file in found.map(|e| e.unwrap().path()) {
            let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
            let caught = std::panic::catch_unwind(|| through(dialect, &text));
            assert!(caught.is_ok(), "{}", file.display());
            count += 1;
        }
    }
    assert!(count >= 1);
}

fn refused(dialect: Dialect, text: &str) -> String {
    read(dialect, "f", text, &Context::default()).err().map_or_else(String::new, |p: Vec<Problem>| p[0].to_string())
}

const HEAD: &str =
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r}\nspec:\n  hosts: [a]\n  http:\n";

#[test]
fn large_and_hostile_texts_are_refused_or_cheap() {
    let meshes = [Dialect::Istio, Dialect::Asm];
    // 10 MB.
    let line = "  - {route: [{destination: {host: a}}]}\n";
    let large = format!("{HEAD}{}", line.repeat(10_000_000 / line.len()));
    // Nested anchors.
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..30 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    let deep = format!("{HEAD}  - {}", "[".repeat(10_000));
    for dialect in meshes {
        assert!(refused(dialect, &large).contains("bytes"));
        assert!(refused(dialect, &bomb).contains("too large"));
        assert!(!refused(dialect, &deep).is_empty());
    }
    // 10,000 routes are no attack.
    let mut many = HEAD.to_string();
    for n in 0..10_000 {
        many +=
            &format!("  - {{match: [{{headers: {{x-u: {{exact: u{n}}}}}}}], route: [{{destination: {{host: a}}}}]}}\n");
    }
    for dialect in meshes {
        assert_eq!(refused(dialect, &many), "");
    }
}

#[test]
fn regex_bombs_are_refused_and_end() {
    // One that needs too much, and many of them: after the first ones none is tried.
    let one = format!(
        "{HEAD}  - {{match: [{{uri: {{regex: \"(a|b)*a(a|b){{200}}\"}}}}], route: [{{destination: {{host: a}}}}]}}\n"
    );
    assert!(refused(Dialect::Istio, &one).contains("regex"), "{}", refused(Dialect::Istio, &one));
    let mut many = HEAD.to_string();
    for n in 0..5_000 {
        let pattern = format!("{n}(a|b)*a(a|b){{200}}");
        many += &format!(
            "  - {match_}: [{{uri: {{regex: \"{pattern}\"}}}}], route: [{{destination: {{host: a}}}}]}}\n",
            match_ = "{match"
        );
    }
    let problems = read(Dialect::Istio, "f", &many, &Context::default()).expect_err("refused");
    assert!(problems.len() <= 100 && problems[99].to_string().contains("32 MiB together"), "{}", problems[99]);
    // The same pattern ten thousand times is one automaton.
    let mut same = HEAD.to_string();
    for _ in 0..5_000 {
        same += "  - {match: [{uri: {regex: \"/api/v[0-9]+/.*\"}}], route: [{destination: {host: a}}]}\n";
    }
    assert_eq!(refused(Dialect::Istio, &same), "");
}
