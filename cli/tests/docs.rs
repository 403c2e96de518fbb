//! What README and docs tell people to type and to write is what the program takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the program stands in the tree");
    let docs = std::fs::read_dir(root.join("docs")).expect("readable").map(|e| e.expect("readable").path());
    let mut pages: Vec<PathBuf> = docs.filter(|p| p.extension().is_some_and(|e| e == "md")).collect();
    pages.push(root.join("README.md"));
    pages.push(root.join("bindings-java/agent/README.md"));
    pages.sort();
    let name = |p: &Path| p.strip_prefix(root).expect("it stands there").display().to_string();
    pages.iter().map(|p| (name(p), std::fs::read_to_string(p).expect("readable"))).collect()
}

/// The fenced blocks of a page: first line's number, language, text.
fn blocks(page: &str) -> Vec<(usize, String, String)> {
    let (mut found, mut open) = (Vec::new(), None::<(usize, String, String)>);
    for (n, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some((n + 2, language.trim().to_string(), String::new())),
            (Some(_), Some(block)) => found.push(block),
            (None, Some(block)) => open = Some((block.0, block.1, block.2 + line + "\n")),
            (None, None) => {}
        }
    }
    found
}

/// `trilane …` in blocks and between backticks.
fn commands(page: &str) -> Vec<String> {
    let joined = |text: &str| text.replace("\\\n", " ");
    let lines = blocks(page).into_iter().flat_map(|b| joined(&b.2).lines().map(str::to_string).collect::<Vec<_>>());
    let spans = page.split('`').skip(1).step_by(2).map(|span| joined(span).replace('\n', " "));
    let is_command = |line: &String| line.trim_start_matches("./").starts_with("trilane ") && !line.contains("TRL-");
    lines.chain(spans).map(|l| l.trim().trim_start_matches("$ ").to_string()).filter(is_command).collect()
}

fn help(of: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_trilane")).args(of).arg("--help").output().expect("it starts");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_command_in_the_docs_exists_with_its_options() {
    let (mut helps, mut seen, mut wrong) = (BTreeMap::new(), 0, Vec::new());
    for (page, text) in pages() {
        for line in commands(&text) {
            let words: Vec<&str> =
                line.split_whitespace().skip(1).take_while(|w| !w.starts_with(['#', '|', '>'])).collect();
            // `go build` takes what Go's does; a placeholder names no command.
            let Some(sub) = words.first().filter(|s| s.chars().all(|c| c.is_ascii_lowercase()) && **s != "go") else {
                continue;
            };
            seen += 1;
            let Some(help) = helps.entry(sub.to_string()).or_insert_with(|| help(&[sub])).clone() else {
                wrong.push(format!("{page}: no command `{sub}`: {line}"));
                continue;
            };
            let options = words[1..]
                .iter()
                .take_while(|w| **w != "--")
                .map(|w| w.trim_matches(['[', ']', '|', ',', ';', ':', ')']));
            for option in options.flat_map(|w| w.split('|')).filter(|w| w.starts_with('-') && w.len() > 1) {
                let option = option.split('=').next().unwrap_or(option);
                let there = help.split_whitespace().any(|w| w.trim_end_matches(',') == option);
                if !there {
                    wrong.push(format!("{page}: `trilane {sub}` has no {option}: {line}"));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} commands found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_native_rule_file_in_the_docs_is_one() {
    let file = std::env::temp_dir().join(format!("trilane-docs-{}.yaml", std::process::id()));
    let (mut seen, mut wrong) = (0, Vec::new());
    for (page, text) in pages() {
        for (line, language, block) in blocks(&text) {
            if !["yaml", ""].contains(&language.as_str()) || !block.contains("apiVersion: trilane/v1\n") {
                continue;
            }
            seen += 1;
            std::fs::write(&file, &block).expect("writable");
            let checked =
                Command::new(env!("CARGO_BIN_EXE_trilane")).arg("check").arg(&file).output().expect("it starts");
            if !checked.status.success() {
                let said = [checked.stdout, checked.stderr].concat();
                wrong.push(format!("{page}:{line}: {}", String::from_utf8_lossy(&said)));
            }
        }
    }
    let _ = std::fs::remove_file(&file);
    assert!(seen >= 2, "only {seen} found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
