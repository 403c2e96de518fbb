//! Style as a test: what reviews would otherwise say again and again (design §12).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_COLUMNS: usize = 140;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the tree").to_path_buf()
}

/// The files that git tracks, as paths below the root; in a tree without git, nothing can be judged.
fn tracked() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files", "--cached"]).current_dir(root()).output().expect("git runs");
    assert!(listed.status.success(), "tidy asks git which files there are");
    let files = String::from_utf8(listed.stdout).unwrap();
    files.lines().filter(|f| root().join(f).is_file()).map(str::to_string).collect()
}

fn code(extensions: &[&str]) -> Vec<(String, String)> {
    let wanted = |f: &String| extensions.iter().any(|e| f.ends_with(e));
    let read = |f: String| fs::read_to_string(root().join(&f)).map(|text| (f, text)).unwrap();
    tracked().into_iter().filter(wanted).map(read).collect()
}

fn report(problems: Vec<String>) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn files_and_lines_are_short() {
    let mut problems = Vec::new();
    for (file, text) in code(&[".rs", ".java", ".go", ".c", ".py", ".sh"]) {
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            problems.push(format!("{file}: {lines} lines, at most {MAX_FILE_LINES}: which room is missing?"));
        }
        for (n, line) in text.lines().enumerate().filter(|(_, l)| l.chars().count() > MAX_COLUMNS) {
            problems.push(format!("{file}:{}: {} columns", n + 1, line.chars().count()));
        }
    }
    report(problems);
}

/// Counts from a line with `fn` to the line with the closing brace of the same indentation, as rustfmt leaves it.
#[test]
fn functions_are_short() {
    let mut problems = Vec::new();
    for (file, text) in code(&[".rs"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let bare = line.trim_start();
            let indent = line.len() - bare.len();
            let words = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "unsafe fn ", "pub unsafe extern"];
            if !words.iter().any(|w| bare.starts_with(w)) {
                continue;
            }
            let end = lines[start..].iter().position(|l| {
                l.starts_with('}') && indent == 0
                    || l.len() > indent && l.starts_with(&" ".repeat(indent)) && l[indent..].starts_with('}')
            });
            if let Some(length) = end.filter(|l| *l > MAX_FUNCTION_LINES) {
                problems.push(format!("{file}:{}: a function of {length} lines", start + 1));
            }
        }
    }
    report(problems);
}

/// Crates know only what design §4 lets them know.
#[test]
fn module_edges_hold() {
    let pure = ["tokio", "std::fs", "std::env", "std::net::Tcp", "std::net::Udp", "extern \"C\"", "jni"];
    let rules: [(&str, &[&str]); 6] = [
        ("core/lane/src", &pure),
        ("core/wire/src", &pure),
        ("core/net/src", &["trilane_lane", "trilane_sources", "extern \"C\"", "no_mangle", "jni"]),
        ("core/sources/src", &["extern \"C\"", "no_mangle", "jni"]),
        ("core/engine/src", &["no_mangle", "jni_sys"]),
        ("bindings-java/classedit/src", &["unsafe", "std::fs", "std::env"]),
    ];
    let mut problems = Vec::new();
    for (file, text) in code(&[".rs"]) {
        for (folder, never) in rules.iter().filter(|(folder, _)| file.starts_with(folder)) {
            for (n, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or("");
                let allowed = code.contains("unsafe_code");
                for word in never.iter().filter(|word| code.contains(**word) && !allowed) {
                    problems.push(format!("{file}:{}: {folder} must not mention `{word}`", n + 1));
                }
            }
        }
        let inside = ["trilane_lane::", "trilane_sources::"];
        let bindings = file.starts_with("ffi/src") || file.starts_with("bindings-java/agent/src");
        if bindings && inside.iter().any(|word| text.contains(word)) {
            problems.push(format!("{file}: bindings use the engine's public API, not the insides of core"));
        }
    }
    report(problems);
}

#[test]
fn every_export_is_in_the_boundary() {
    let mut problems = Vec::new();
    for (file, text) in code(&[".rs"]).into_iter().filter(|(f, _)| f.starts_with("ffi/src")) {
        let exports = text.matches("#[unsafe(no_mangle)]").count();
        let bounded = text.matches(" boundary(").count();
        if exports > 0 && bounded < exports {
            problems.push(format!("{file}: {exports} exports, {bounded} boundaries"));
        }
    }
    report(problems);
}

/// Paths in backquotes in the documents exist.
#[test]
fn documents_name_what_is_there() {
    let starts = ["core/", "ffi/", "include/", "bindings-java/", "bindings-go/", "cli/", "tests/", "docs/", ".ci/"];
    let mut problems = Vec::new();
    for (file, text) in code(&[".md"]) {
        for (n, line) in text.lines().enumerate() {
            for word in line.split('`').skip(1).step_by(2) {
                let path = word.split(['#', ':', ' ']).next().unwrap_or("");
                let plain = !path.contains(['*', '<', '{', '$', '…']);
                if plain && starts.iter().any(|s| path.starts_with(s)) && !root().join(path).exists() {
                    problems.push(format!("{file}:{}: {path} does not exist", n + 1));
                }
            }
        }
    }
    report(problems);
}

#[test]
fn nothing_of_a_machine_is_in_the_tree() {
    let homes = ["/ro\u{6f}t/", "/wo\u{72}k/", "/tmp/t\u{6c}/"];
    let mut problems = Vec::new();
    for (file, text) in code(&[".rs", ".java", ".go", ".c", ".py", ".sh", ".md", ".xml", ".yml", ".yaml", "Makefile"]) {
        for (n, line) in text.lines().enumerate() {
            if let Some(word) = homes.iter().find(|h| line.contains(**h)) {
                problems.push(format!("{file}:{}: {word} is a path of some machine", n + 1));
            }
        }
    }
    report(problems);
}

/// What is linked into the library or the program is under a licence that Apache-2.0 goes with.
#[test]
fn licences_are_permissive() {
    let allowed = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "BSL-1.0",
        "CC0-1.0",
        "Unicode-3.0",
        "Unlicense",
        "0BSD",
    ];
    let ask = ["tree", "--workspace", "--edges", "normal", "--prefix", "none", "--format", "{p}|{l}", "--offline"];
    let told = Command::new(env!("CARGO")).args(ask).current_dir(root()).output().expect("cargo runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).unwrap();
    let mut problems = Vec::new();
    for (package, licence) in text.lines().filter_map(|l| l.trim_end_matches(" (*)").split_once('|')) {
        let one_of = licence.split(" OR ").flat_map(|part| part.split('/'));
        let good = one_of
            .map(|l| l.trim_matches(['(', ')', ' ']))
            .any(|l| l.split(" AND ").all(|l| allowed.contains(&l.trim_matches(['(', ')']))));
        if !good && !licence.is_empty() {
            problems.push(format!("{package}: {licence}"));
        }
    }
    problems.sort();
    problems.dedup();
    report(problems);
}
