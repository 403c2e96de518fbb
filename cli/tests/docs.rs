//! What README and docs tell people to type and to write is what the program takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fragments of programs and who compiles them: each line of such a block, comments aside, is a line of that file. A
/// page's fragments need no frame of their own then, and what they show is what is tested.
const HELD: [(&str, &str, &[&str]); 5] = [
    // `go vet` and `go test` of bindings-go/test.sh; dubbo's in `make test-all`.
    (
        "docs/go.md",
        "go",
        &[
            "bindings-go/nethttp/example_test.go",
            "bindings-go/grpc/example_test.go",
            "bindings-go/dubbo/example_test.go",
        ],
    ),
    // tests/interop/examples.py
    ("docs/triple.md", "go", &["bindings-go/triple/example_test.go"]),
    ("docs/triple.md", "c", &["tests/c/triple.c"]),
    // bindings-java/client/test.py
    ("docs/triple.md", "java", &["bindings-java/client/src/test/java/io/github/trilane/grpc/Example.java"]),
    ("docs/triple.md", "rust", &["core/net/tests/page.rs"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the program stands in the tree")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn pages() -> Vec<(String, String)> {
    let root = root();
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

/// What is wrong with a block, by its language; one that nothing here knows is wrong.
fn wrong_with(page: &str, language: &str, block: &str) -> Vec<String> {
    match language {
        "sh" => shell_lines(block).iter().flat_map(|line| wrong_with_line(line)).collect(),
        "text" => wrong_with_output(block),
        "json" => wrong_with_question(page, block),
        // The test above, and cli/tests/rules.rs for the other dialects and the questions below them.
        "yaml" if block.starts_with("apiVersion: trilane/v1\n") || page == "docs/rules.md" => Vec::new(),
        "jsonl" if page == "docs/rules.md" => Vec::new(),
        _ => match HELD.iter().find(|(of, kind, _)| (*of, *kind) == (page, language)) {
            Some((.., programs)) => wrong_with_fragment(block, programs),
            None => vec![format!("no test knows a block of `{language}` here: sh, text, json, yaml, or one of HELD")],
        },
    }
}

fn wrong_with_fragment(block: &str, programs: &[&str]) -> Vec<String> {
    let texts: Vec<String> = programs.iter().map(|file| read(file)).collect();
    let code = |line: &str| {
        let end = [" //", " /*"].iter().filter_map(|mark| line.find(mark)).min().unwrap_or(line.len());
        line[..end].trim().to_string()
    };
    let lines: Vec<String> = block.lines().map(code).filter(|line| !line.is_empty()).collect();
    let whole = |text: &&String| lines.iter().all(|line| text.lines().any(|l| code(l) == *line));
    if texts.iter().any(|text| whole(&text)) { Vec::new() } else { vec![format!("not in {}", programs.join(", "))] }
}

/// The commands of a block: continued lines joined, comments and prompts away.
fn shell_lines(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let bare = |line: &str| line.split(" # ").next().unwrap_or(line).trim().trim_start_matches("$ ").to_string();
    joined.lines().map(bare).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// A command of a reader's shell: ours exist (their options: the test above), named files and targets exist, variables
/// are ones that we read.
fn wrong_with_line(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_variable = |word: &&&str| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let set: Vec<&str> = words.iter().take_while(is_variable).copied().collect();
    let mut wrong = Vec::new();
    let names = read("docs/names.md");
    for (name, value) in set.iter().filter_map(|word| word.split_once('=')) {
        let dotted = name.to_ascii_lowercase().replace('_', ".");
        match name {
            "JAVA_TOOL_OPTIONS" if value.starts_with("-agentpath:/") && value.ends_with("/libtrilane.so") => {}
            _ if name != "JAVA_TOOL_OPTIONS" && (names.contains(name) || names.contains(&format!("`{dotted}`"))) => {}
            _ => wrong.push(format!("docs/names.md has no variable {name}, or {value} is none of its values")),
        }
    }
    let exists = |path: &str| root().join(path).exists();
    match &words[set.len()..] {
        // A program of the reader's own, with our variables before it.
        ["java", "-jar", _] | [_] if !set.is_empty() => {}
        ["trilane" | "./trilane", ..] => {}
        ["make", goals @ ..] => {
            let made = read("Makefile");
            let there = |goal: &&&str| made.lines().any(|l| l.starts_with(&format!("{goal}:")));
            // `make bench BENCH="--only x"`: what follows the first variable is its value.
            let goals = goals.iter().take_while(|goal| !goal.contains('='));
            wrong.extend(goals.filter(|goal| !there(goal)).map(|goal| format!("make has no target {goal}")));
        }
        ["python3", "-m", "unittest", rest @ ..] => {
            let folder = rest.iter().skip_while(|word| **word != "-s").nth(1);
            wrong.extend(folder.filter(|f| !exists(f)).map(|f| format!("{f} does not exist")));
        }
        ["python3", file, ..] if exists(file) => {}
        ["cargo", rest @ ..] => wrong.extend(wrong_with_cargo(rest)),
        ["kubectl", "exec", _, "--", "/opt/trilane/current/trilane", ..] => {}
        ["jcmd", _, "JVMTI.agent_load", path] if path.starts_with('/') => {}
        ["ln" | "mv" | "rm", ..] => {}
        _ => wrong.push(format!("no test knows such a command: {line}")),
    }
    wrong
}

/// `cargo build|test|run -p PACKAGE --test|--example NAME`: both are there.
fn wrong_with_cargo(words: &[&str]) -> Vec<String> {
    let after = |option: &str| words.iter().skip_while(|word| **word != option).nth(1).copied();
    let all = ["core", "bindings-java", ".", "tests"].map(|folder| root().join(folder));
    let folders = all.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten().map(|e| e.path());
    let named = |package: &str| format!("name = \"{package}\"\n");
    let Some(package) = after("-p") else { return Vec::new() };
    let manifest = |folder: &PathBuf| std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let Some(folder) = folders.into_iter().find(|folder| manifest(folder).contains(&named(package))) else {
        return vec![format!("no package {package}")];
    };
    let targets = [("--test", "tests"), ("--example", "examples")];
    let missing = targets.iter().filter_map(|(option, of)| Some((after(option)?, *of))).filter(|(name, of)| {
        let file = folder.join(of).join(name);
        !file.with_extension("rs").exists() && !file.exists() && !manifest(&folder).contains(&named(name))
    });
    missing.map(|(name, of)| format!("{package} has no {name} in {of}")).collect()
}

/// What a program prints. `trilane check`'s words are what it says about the rule file before; of the rest the form.
fn wrong_with_output(block: &str) -> Vec<String> {
    let messages = read("docs/messages.md");
    let codes = block.match_indices("TRL-").map(|(at, _)| block[at..].chars().take(7).collect::<String>());
    let mut wrong: Vec<String> = codes.filter(|code| !messages.contains(&format!("{code} "))).collect();
    let status = read("cli/src/status/text.rs");
    let first = block.lines().next().unwrap_or("");
    let labels =
        block.lines().skip_while(|line| !line.starts_with("process  ")).filter_map(|l| l.split_whitespace().next());
    wrong.extend(labels.filter(|l| !status.contains(&format!("line(\"{l}\","))).map(|l| format!("status has no {l}")));
    if let Some(rest) = first.strip_prefix("lanes.yaml:") {
        wrong.extend(wrong_with_refusal(block, rest));
        return wrong;
    }
    let known = first.starts_with("trilane: ") && first.contains(" TRL-")
        || first.starts_with("process  ")
        || first.contains(" s ago: a call to ")
        || first.starts_with("text ─▶ dialect")
        || first.trim_start().starts_with("requests   users on gray");
    if !known {
        wrong.push(format!("no test knows such an output: {first}"));
    }
    wrong
}

/// The README's error, had anew: its smallest rule file with the word that the error shows.
fn wrong_with_refusal(block: &str, place: &str) -> Option<String> {
    let readme = read("README.md");
    let rules = blocks(&readme).into_iter().find(|(_, kind, _)| kind == "yaml")?.2.replace("lane: gray", "lane: grey");
    let folder = std::env::temp_dir().join(format!("trilane-refusal-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    std::fs::write(folder.join("lanes.yaml"), rules).expect("writable");
    let mut check = Command::new(env!("CARGO_BIN_EXE_trilane"));
    let said = check.args(["check", "lanes.yaml"]).current_dir(&folder).output().expect("it starts");
    let _ = std::fs::remove_dir_all(&folder);
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    (!said.contains(block.trim_end())).then(|| format!("at {place} the program says\n{said}"))
}

/// A question of `explain --batch` and the answer that the page gives below it.
fn wrong_with_question(page: &str, block: &str) -> Vec<String> {
    let text = read(page);
    let Some(answer) = text.split("and the answer `").nth(1).and_then(|rest| rest.split('`').next()) else {
        return vec!["no answer follows".into()];
    };
    // What the page leaves out for brevity.
    let question = block.replace("\\n…", "\\n").replace('\n', " ") + "\n";
    let mut explain = Command::new(env!("CARGO_BIN_EXE_trilane"));
    let piped = std::process::Stdio::piped;
    let mut asked = explain.args(["explain", "--batch"]).stdin(piped()).stdout(piped()).spawn().expect("it starts");
    std::io::Write::write_all(&mut asked.stdin.take().expect("piped"), question.as_bytes()).expect("it reads");
    let said = asked.wait_with_output().expect("it ends").stdout;
    let parsed = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    let (given, said) = (parsed(answer.as_bytes()), parsed(&said));
    let same = given.as_object().is_some_and(|all| !all.is_empty() && all.iter().all(|(key, v)| said[key] == *v));
    if same { Vec::new() } else { vec![format!("the program answers {said}")] }
}

#[test]
fn every_block_of_the_docs_is_of_a_kind_that_is_looked_at() {
    let (mut seen, mut wrong) = (BTreeMap::<String, u32>::new(), Vec::new());
    for (page, text) in pages() {
        for (line, language, block) in blocks(&text) {
            *seen.entry(language.clone()).or_default() += 1;
            wrong.extend(wrong_with(&page, &language, &block).iter().map(|what| format!("{page}:{line}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for kind in ["sh", "text", "json", "yaml", "jsonl", "go", "c", "java", "rust"] {
        assert!(seen.contains_key(kind), "no block of {kind}: {seen:?}");
    }
}

/// Commands within sentences: only those that begin like one of ours, with something behind them.
#[test]
fn every_command_in_a_sentence_names_what_exists() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for (page, text) in pages() {
        let prose: String = text.split("```").step_by(2).collect();
        for span in prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")) {
            let first = span.split_once(' ').map_or("", |(first, _)| first);
            if ["make", "cargo", "python3", "kubectl", "jcmd"].contains(&first) {
                seen += 1;
                wrong.extend(wrong_with_line(&span).iter().map(|what| format!("{page}: `{span}`: {what}")));
            }
        }
    }
    assert!(seen > 20, "only {seen} found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
