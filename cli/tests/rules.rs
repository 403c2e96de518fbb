//! The tables of `tests/rules` through `trilane explain --batch`: see `tests/rules/README.md`.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn tables() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rules")
}

fn batch(lines: &str) -> Vec<Value> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_trilane"))
        .args(["explain", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("trilane starts");
    let mut input = program.stdin.take().expect("a pipe");
    let text = lines.to_string();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let out = program.wait_with_output().expect("trilane ends");
    writer.join().expect("the writer ends").expect("trilane reads all");
    assert!(out.status.success(), "status {}", out.status);
    String::from_utf8(out.stdout).unwrap().lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

/// What differs between an answer and what the table says.
fn differs(expected: &Value, found: &Value) -> Option<String> {
    let sorted = |v: &Value| {
        let mut ids: Vec<String> =
            v.as_array().into_iter().flatten().filter_map(|x| x.as_str().map(str::to_string)).collect();
        ids.sort();
        ids
    };
    let expected = expected.as_object()?;
    for (name, wanted) in expected {
        let got = &found[name];
        let same = match name.as_str() {
            "set" => sorted(wanted) == sorted(got),
            "share" => {
                let part = |v: &Value, id: &str| v[id].as_f64().unwrap_or(0.0);
                let ids = wanted.as_object().into_iter().flatten().chain(got.as_object().into_iter().flatten());
                ids.map(|(id, _)| id).all(|id| (part(wanted, id) - part(got, id)).abs() < 1e-9)
            }
            // A part of the message, or null for none.
            "error" => match wanted.as_str() {
                Some(part) => got.as_str().is_some_and(|e| e.contains(part)),
                None => got.is_null(),
            },
            _ => wanted == got,
        };
        if !same {
            return Some(format!("{name}: expected {wanted}, found {got}"));
        }
    }
    let error = &found["error"];
    (!expected.contains_key("error") && !error.is_null()).then(|| format!("error: {error}"))
}

#[test]
fn the_tables_hold() {
    let folders = [tables(), tables().join("cases")];
    let mut files: Vec<PathBuf> =
        folders.iter().flat_map(|f| std::fs::read_dir(f).unwrap()).map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    assert!(!files.is_empty());
    let (mut failed, mut count) = (Vec::new(), 0);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let mut rows: Vec<Value> = Vec::new();
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let mut row: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}:{}: {e}", n + 1));
            if let Some(other) = row["case"]["rules"].as_str().and_then(|r| r.strip_prefix('@')) {
                row["case"]["rules"] = std::fs::read_to_string(tables().join(other)).unwrap().into();
            }
            rows.push(row);
        }
        let answers = batch(&rows.iter().map(|r| format!("{}\n", r["case"])).collect::<String>());
        assert_eq!(answers.len(), rows.len(), "{name}: one answer a line");
        println!("rule table {name}: {} cases", rows.len());
        for (row, found) in rows.iter().zip(&answers) {
            count += 1;
            if let Some(how) = differs(&row["expect"], found) {
                failed.push(format!("{name} {}: {how}\n    why: {}", row["case"]["id"], row["why"]));
            }
        }
    }
    println!("rule tables: {count} cases");
    assert!(failed.is_empty(), "{} of {count} cases failed:\n{}", failed.len(), failed.join("\n"));
}

/// Rules in `docs/rules.md` are followed by questions, each with a part of its answer below it.
#[test]
fn the_examples_of_the_page_hold() {
    let page = std::fs::read_to_string(tables().join("../../docs/rules.md")).unwrap();
    let mut blocks = page.split("```").skip(1).step_by(2);
    let (mut rules, mut count) = ("", 0);
    let mut examples = Vec::new();
    while let Some((kind, text)) = blocks.next().and_then(|b| b.split_once('\n')) {
        match kind {
            "yaml" => rules = text,
            "jsonl" => {
                let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
                for pair in lines.chunks(2) {
                    let mut case = pair[0].clone();
                    case["rules"] = rules.into();
                    examples.push((case, pair[1].clone()));
                }
            }
            _ => {}
        }
    }
    let answers = batch(&examples.iter().map(|(case, _)| format!("{case}\n")).collect::<String>());
    for ((case, expected), found) in examples.iter().zip(&answers) {
        count += 1;
        assert_eq!(differs(expected, found), None, "{case}");
    }
    println!("examples of docs/rules.md: {count}");
    assert!(count >= 6);
}

#[test]
fn a_broken_line_is_answered_and_ends_nothing() {
    let answers = batch(
        "{\"id\": 1, \"instances\": 5}\nnonsense\n\n{\"id\": \"x\", \"dialect\": \"no\", \"rules\": \"a: 1\"}\n{\"dialect\": \"no\"}\n{}\n",
    );
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[0]["id"], 1);
    for (n, part) in ["cannot be read", "cannot be read", "`no` is no dialect", "`no` is no dialect"].iter().enumerate()
    {
        assert!(answers[n]["error"].as_str().unwrap().contains(part), "{}", answers[n]);
    }
    assert!(answers[4]["error"].is_null());
}

#[test]
fn a_line_of_other_bytes_ends_nothing() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trilane"))
        .args(["explain", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("trilane starts");
    child.stdin.take().unwrap().write_all(b"{\"id\": \"\xff\"}\n{\"id\": 2}\n").unwrap();
    let out = child.wait_with_output().unwrap();
    let told = String::from_utf8(out.stdout).unwrap();
    let answers: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((out.status.code(), answers.len()), (Some(0), 2));
    assert!(answers[0]["error"].as_str().unwrap().contains("cannot be read") && answers[1]["id"] == 2, "{told}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trilane"))
        .arg("man")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("trilane starts");
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// By chance, the colour of a request says nothing about which instance of its lane it meets.
#[test]
fn simulated_requests_are_coloured_and_placed_independently() {
    let path = std::env::temp_dir().join(format!("trilane-chance-{}.yaml", std::process::id()));
    let rules = "apiVersion: trilane/v1\nlanes: [{tag: gray}]\nentry: [{service: shop, rules: [RULE]}]\n";
    std::fs::write(&path, rules.replace("RULE", "{lane: gray, percent: 10, random: true}")).unwrap();
    let instances = ["-i", "a:1", "-i", "b:1", "-i", "c:1,dubbo.tag=gray", "-i", "d:1,dubbo.tag=gray"];
    let rules = path.display().to_string();
    let asked = ["simulate", "-r", &rules, "--caller", "shop", "-s", "pricing", "--json"];
    let (status, told) = trilane(&[&asked[..], &instances[..]].concat());
    std::fs::remove_file(&path).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(status, Some(0));
    for (id, part) in [("a:1", 4500.0), ("b:1", 4500.0), ("c:1", 500.0), ("d:1", 500.0)] {
        let picked = told["picked"][id].as_f64().unwrap_or(0.0);
        assert!((picked - part).abs() < part * 0.1, "{told}");
    }
}

#[test]
fn what_cannot_be_compared_is_not_a_difference() {
    let folder = tempfile("compare");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let rules = file("rules.yaml", "apiVersion: trilane/v1\nlanes: [{tag: gray}]\n");
    let (empty, wrong) = (file("empty.yaml", " \n"), file("wrong.yaml", "apiVersion: trilane/v2\n"));
    for other in ["/no/such/file", &empty, &wrong] {
        assert_eq!(trilane(&["diff", &rules, other, "-s", "pricing", "-n", "1"]).0, Some(2), "{other}");
    }
    assert_eq!(trilane(&["explain", "-r", &empty, "-s", "pricing"]).0, Some(1), "as `check` and a process say");
    let users = file("users.csv", "\u{feff}x-user-id\nann\nbob\n");
    let share = "{lane: gray, percent: 100, key: {header: x-user-id}}";
    let all = "apiVersion: trilane/v1\nlanes: [{tag: gray}]\nentry: [{service: shop, rules: [SHARE]}]\n";
    let all = file("all.yaml", &all.replace("SHARE", share));
    let (_, told) = trilane(&["simulate", "-r", &all, "--caller", "shop", "-s", "p", "--users", &users, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["lanes"]["gray"], 2, "{told}");
    std::fs::remove_dir_all(folder).unwrap();
}

fn trilane(arguments: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_trilane")).args(arguments).output().expect("trilane starts");
    (out.status.code(), String::from_utf8(out.stdout).unwrap())
}

#[test]
fn simulate_and_diff_count_what_the_rules_do() {
    let file = |name: &str, percent: u32| {
        let path = std::env::temp_dir().join(format!("trilane-{name}-{}.yaml", std::process::id()));
        let share = format!("{{lane: gray, percent: {percent}, key: {{header: x-user-id}}, salt: a}}");
        let text = "apiVersion: trilane/v1\nlanes: [{tag: gray}]\nentry: [{service: shop, rules: [SHARE]}]\n";
        std::fs::write(&path, text.replace("SHARE", &share)).unwrap();
        path.display().to_string()
    };
    let (old, new) = (file("old", 10), file("new", 20));
    let scene = ["--caller", "shop", "-s", "pricing", "-i", "a:1", "-i", "b:1,dubbo.tag=gray", "-n", "1000"];
    let (status, told) = trilane(&[&["simulate", "-r", &old, "--json"], &scene[..]].concat());
    let told: Value = serde_json::from_str(&told).unwrap();
    let count = |of: &Value, name: &str| of[name].as_u64().unwrap();
    assert_eq!(status, Some(0));
    assert_eq!(count(&told["lanes"], "gray") + count(&told["lanes"], "baseline"), 1_000);
    assert_eq!(
        (count(&told["lanes"], "gray"), told["rule"]["gray"].as_f64()),
        (count(&told["picked"], "b:1"), Some(10.0))
    );
    // Raising a share moves users in one direction only.
    let (status, told) = trilane(&[&["diff", &old, &new], &scene[..]].concat());
    assert_eq!(status, Some(1));
    assert!(told.contains("lane baseline -> gray") && !told.contains("lane gray -> baseline"), "{told}");
    let (status, told) = trilane(&[&["diff", &old, &old], &scene[..]].concat());
    assert_eq!((status, told.as_str()), (Some(0), "0 of 1000 requests change\n"));
    [old, new].iter().for_each(|f| std::fs::remove_file(f).unwrap());
}

#[test]
fn check_speaks_json_for_machines() {
    let path = std::env::temp_dir().join(format!("trilane-bad-{}.yaml", std::process::id()));
    std::fs::write(&path, "apiVersion: trilane/v1\nlane: []\n").unwrap();
    let (status, told) = trilane(&["check", "--json", &path.display().to_string()]);
    std::fs::remove_file(&path).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(status, Some(1));
    assert_eq!((&told["severity"], &told["line"], &told["column"]), (&"error".into(), &2.into(), &1.into()));
    assert!(told["expected"].as_str().unwrap().contains("did you mean `lanes`?"));
}

#[test]
fn check_notes_a_fallback_that_leads_back_to_its_own_lane() {
    let path = std::env::temp_dir().join(format!("trilane-back-{}.yaml", std::process::id()));
    let rules = "apiVersion: trilane/v1\nlanes: [{tag: gray}, {tag: blue}]\nservices: [{name: p, fallback: {noinstances: WORD}}]\n";
    let check = |word: &str| {
        std::fs::write(&path, rules.replace("WORD", word)).unwrap();
        let (status, told) = trilane(&["check", "--json", &path.display().to_string()]);
        assert_eq!(status, Some(0), "{told}");
        told.contains("\"note\"") && told.contains("[blue, baseline]")
    };
    assert!(check("blue") && !check("[blue, baseline]") && !check("baseline"));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn convert_prints_a_native_file_and_tells_what_is_lost() {
    let folder = tempfile("convert");
    let file = folder.join("lanes.json");
    std::fs::write(
        &file,
        r#"[{"id": "1", "lanes": [{"code": "beta"}], "rules": [{"id": "1", "laneCode": "beta", "host": "x", "conditions": []}]}]"#,
    )
    .unwrap();
    let run = |from: &str| {
        let out =
            Command::new(env!("CARGO_BIN_EXE_trilane")).args(["convert", "--from", from]).arg(&file).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let (code, out, told) = run("joylive");
    assert_eq!(code, Some(1), "{told}");
    assert!(out.starts_with("apiVersion: trilane/v1\nlanes:\n  - {tag: \"beta\"}\n"), "{out}");
    assert!(told.contains("not converted: line 1: a native rule does not ask for host"), "{told}");
    assert_eq!(run("istio").0, Some(1));
    assert_eq!(run("nothing").0, Some(2));
    std::fs::remove_dir_all(folder).unwrap();
}

fn tempfile(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("trilane-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
