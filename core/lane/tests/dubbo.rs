//! Dubbo's dialects from outside: what is told of broken files, and that no text makes them stop or run away.

use std::path::{Path, PathBuf};
use trilane_lane::rules::Problem;
use trilane_lane::rules::dialect::{Context, Dialect, read};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/rules/dubbo/broken")
}

fn files() -> Vec<(Dialect, String, PathBuf)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    let told = |file: PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let kind = name.split('-').next().unwrap();
        (Dialect::parse(&format!("dubbo-{kind}")).expect(kind), name, file)
    };
    files.into_iter().map(told).collect()
}

fn problems(dialect: Dialect, name: &str, text: &str) -> String {
    match read(dialect, name, text, &Context::default()) {
        Ok(_) => panic!("{name} is accepted"),
        Err(problems) => problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n") + "\n",
    }
}

/// Each broken file has its messages beside it; `UPDATE=1` writes them, and a person reads them before they go in.
#[test]
fn broken_files_are_told_as_a_compiler_would() {
    let files = files();
    assert!(files.len() >= 45, "{}", files.len());
    let mut wrong = Vec::new();
    for (dialect, name, file) in &files {
        let found = problems(*dialect, name, &std::fs::read_to_string(file).unwrap());
        assert!(found.starts_with(&format!("{name}:")), "{found}");
        let golden = file.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{name}: expected\n{expected}found\n{found}"));
        }
    }
    println!("broken files of dubbo: {}", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_setting_has_two_words() {
    let settings = [("dubbo.meaning".to_string(), "rust".to_string())];
    let context = Context { settings: &settings, ..Context::default() };
    let told = read(Dialect::DubboTag, "rules", "tags: []\n", &context).expect_err("refused");
    assert!(told[0].to_string().contains("`rust` is not known"), "{}", told[0]);
}

/// The numbers of SplitMix64: the same texts at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % most as u64) as usize
    }
}

const WORDS: [&str; 24] = [
    "=>",
    "!=",
    "&",
    ",",
    "~",
    "$",
    "*",
    "[",
    "]",
    ":",
    "\n",
    "- ",
    "{",
    "}",
    "\"",
    "null",
    "-1",
    "99999999999999999999",
    "::",
    "/",
    "(a|b)*a(a|b){30}",
    "é",
    "&a",
    "*a",
];

/// Takes out, doubles, exchanges and puts in pieces.
fn mutated(text: &str, numbers: &mut Numbers) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..1 + numbers.below(4) {
        let at = numbers.below(text.len() + 1);
        let end = (at + numbers.below(12)).min(text.len());
        match numbers.below(4) {
            0 => drop(text.drain(at..end)),
            1 => {
                let piece: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, piece);
            }
            2 => drop(text.splice(at..at, WORDS[numbers.below(WORDS.len())].chars())),
            _ => {
                let piece: Vec<char> = text.drain(at..end).collect();
                let to = numbers.below(text.len() + 1);
                text.splice(to..to, piece);
            }
        }
    }
    text.into_iter().collect()
}

/// Broken files and good ones, changed at random: every text is read or refused with a place, and nothing panics.
#[test]
fn changed_texts_are_read_or_refused() {
    let mut seeds: Vec<(Dialect, String)> =
        files().into_iter().map(|(d, _, f)| (d, std::fs::read_to_string(f).unwrap())).collect();
    for table in ["tag", "condition", "mesh", "affinity"] {
        let rows = std::fs::read_to_string(folder().join(format!("../../cases/dubbo-{table}.jsonl"))).unwrap();
        let dialect = Dialect::parse(&format!("dubbo-{table}")).unwrap();
        for row in rows.lines() {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            seeds.push((dialect, row["case"]["rules"].as_str().unwrap().to_string()));
        }
    }
    let go = [("dubbo.meaning".to_string(), "go".to_string())];
    let mut numbers = Numbers(5);
    let (mut accepted, mut refused) = (0usize, 0usize);
    // `make test-all` sets more; the same number gives the same texts.
    let rounds = std::env::var("TRILANE_FUZZ_ROUNDS").map_or(3_000, |rounds| rounds.parse().expect("a number"));
    for round in 0..rounds {
        let (dialect, text) = &seeds[numbers.below(seeds.len())];
        let text = mutated(text, &mut numbers);
        let context = Context { settings: if round % 4 == 0 { &go } else { &[] }, ..Context::default() };
        match read(*dialect, "rules", &text, &context) {
            Ok(_) => accepted += 1,
            Err(problems) => {
                refused += 1;
                for problem in &problems {
                    assert!(problem.line >= 1 && problem.column >= 1, "{problem}\n{text}");
                    assert!(problem.line as usize <= text.lines().count() + 1, "{problem}\n{text}");
                    assert!(!problem.message.is_empty(), "{text}");
                }
            }
        }
    }
    println!("changed texts: {accepted} read, {refused} refused");
    assert!(accepted > rounds / 50 && refused > rounds / 2, "{accepted} {refused}");
}

/// Nothing grows faster than the text.
#[test]
fn long_texts_take_no_more_than_their_length() {
    let mut text = String::from("configVersion: v3.0\nkey: pricing\nconditions:\n");
    for n in 0..20_000 {
        text += &format!("- method=m{n} & attachments[user]=a*,b*,c* => region=r{n},$region\n");
    }
    let lowered =
        read(Dialect::DubboCondition, "rules", &text, &Context::default()).unwrap_or_else(|e| panic!("{}", e[0]));
    assert_eq!(lowered.model.layers[0].services[0].stages.len(), 20_000);
    let mut text = String::from("key: pricing\ntags:\n");
    for n in 0..10_000 {
        text += &format!("- {{name: \"t{n}|x\", addresses: [\"10.{}.{}.*\"]}}\n", n / 256, n % 256);
    }
    let lowered = read(Dialect::DubboTag, "rules", &text, &Context::default()).unwrap_or_else(|e| panic!("{}", e[0]));
    assert!(lowered.model.layers[0].services[0].stages[0].routes.len() <= 4 * 10_000 + 10);
}
