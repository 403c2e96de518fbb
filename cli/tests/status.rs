//! `trilane status` on a living process: this one.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use trilane_engine::{Engine, Hook, Instance, Options};

static ASKED: AtomicU64 = AtomicU64::new(0);

fn status(args: &[&str]) -> Output {
    let pid = std::process::id().to_string();
    ASKED.fetch_add(1, Ordering::Relaxed);
    Command::new(env!("CARGO_BIN_EXE_trilane"))
        .args(["status", "--pid", &pid])
        .args(args)
        .output()
        .expect("the program starts")
}

fn out(o: &Output) -> String {
    assert!(o.stderr.is_empty(), "{}", String::from_utf8_lossy(&o.stderr));
    String::from_utf8_lossy(&o.stdout).into_owned()
}

/// Puts a text there whole: the process never reads half of it.
fn replace(file: &std::path::Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, file).unwrap();
}

/// One test, since there is one page and one engine in a process.
#[test]
fn a_living_process_tells_what_it_does() {
    let inert = status(&["--check"]);
    assert_eq!(inert.status.code(), Some(2), "{inert:?}");

    let folder = std::env::temp_dir().join(format!("trilane-status-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let rules = folder.join("lanes.yaml");
    std::fs::write(&rules, "apiVersion: trilane/v1\nmode: observe\nlanes: [{tag: gray}]\n").unwrap();
    let agent_option = format!("rules={},alicloud.service.tag=gray,service=shop,log=off", rules.display());
    let engine = Engine::default_or_start(Options { agent_option, explicit: true, binding: "c", ..Options::default() });
    engine.report_hooks(Box::new(|| {
        let hook = |name, state| Hook { name, state, classes: 1, misfits: 0 };
        vec![hook("tomcat", "active"), hook("okhttp", "waiting"), hook("undertow", "unsupported")]
    }));
    let gray = [("alicloud.service.tag", "gray")];
    let instance = |address, metadata| Instance { address, metadata, healthy: true };
    let list = engine.list_new(&["stock"], &[instance("10.0.0.1:1", &[]), instance("10.0.0.2:1", &gray)]);
    let many: Vec<String> = (0..1000).map(|n| format!("10.1.{}.{}:1", n / 250, n % 250)).collect();
    engine.list_new(&["large"], &many.iter().map(|address| instance(address, &[])).collect::<Vec<_>>());
    let gray = engine.tag_find(b"gray");
    for _ in 0..1000 {
        engine.route(list, gray, 0, 0, engine.list_stamp(list));
    }

    told_of_single_decisions();
    let text = out(&status(&[]));
    let state: Value = serde_json::from_str(&out(&status(&["--json"]))).expect("JSON");
    assert_eq!(state["pid"], std::process::id());
    assert_eq!([&state["mode"], &state["mode_setting"], &state["mode_rules"]], ["observe", "on", "observe"]);
    assert_eq!([&state["tag"], &state["tag_source"]], ["gray", "agent option alicloud.service.tag"]);
    assert_eq!(state["rules"]["file"], rules.display().to_string());
    assert_eq!(state["rules"]["hash"].as_str().map(str::len), Some(8));
    let stock = &state["services"][1];
    assert_eq!(stock["tags"]["gray"], serde_json::json!({"instances": 1, "usable": 1}));
    assert_eq!([&stock["decisions"]["own"], &stock["observed"]], [1000, 1000]);
    // Every second call of an even pick would have gone to the other instance.
    let differed = stock["would_have_differed"].as_u64().unwrap();
    assert!((400..=600).contains(&differed), "{differed} of 1000");
    for part in ["mode     observe (setting on, rule file observe)", "stock: baseline 1/1 usable, gray 1/1 usable"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(text.contains("\nhooks    undertow unsupported; tomcat active; okhttp waiting\n"), "{text}");
    assert_eq!(state["hooks"][2]["state"], "unsupported");
    let prometheus = out(&status(&["--prometheus"]));
    let line = format!("trilane_observed_total{{pid=\"{}\",service=\"stock\"}} 1000\n", std::process::id());
    assert!(prometheus.contains(&line), "{prometheus}");
    assert_eq!(status(&["--check"]).status.code(), Some(0));

    told_by_tail(|| {
        engine.route(list, gray, 0, 0, engine.list_stamp(list));
    });
    told_of_next_rules_and_of_callers(&folder, &engine, list);
    replace(&rules, "apiVersion: trilane/v1\nlanes: {}\n");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while status(&["--check"]).status.code() != Some(1) {
        assert!(std::time::Instant::now() < end, "a refused rule file never showed");
    }
    let text = out(&status(&["--check"]));
    assert!(text.contains("degraded: ") && text.contains("problem(s)"), "{text}");

    replace(&rules, "apiVersion: trilane/v1\nmode: off\n");
    while status(&["--check"]).status.code() != Some(2) {
        assert!(std::time::Instant::now() < end, "mode off never showed");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    print_cost(ASKED.load(Ordering::Relaxed));
}

fn told_of_next_rules_and_of_callers(folder: &std::path::Path, engine: &Engine, list: u64) {
    replace(
        &folder.join("next.yaml"),
        "apiVersion: trilane/v1\nservices: [{name: stock, fallback: {noinstances: none}}]\n",
    );
    let end = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !out(&status(&[])).contains("next.yaml, ") {
        assert!(std::time::Instant::now() < end, "next.yaml never showed");
    }
    engine.route(list, engine.tag_find(b"nobody"), 0, 0, engine.list_stamp(list));
    engine.route(list, engine.tag_find(b"gray"), 0, 0, engine.list_stamp(list));
    let text = out(&status(&[]));
    assert!(text.contains("; next.yaml differs: 1 of 2\n"), "{text}");
    std::fs::remove_file(folder.join("next.yaml")).unwrap();
    // A copy that is tagged tells who sent it untagged requests.
    engine.untagged(b"10.9.9.9:1234");
    let text = out(&status(&[]));
    assert!(text.contains("\nuntagged requests from 10.9.9.9 1\n"), "{text}");
    let prometheus = out(&status(&["--prometheus"]));
    assert!(prometheus.contains("trilane_untagged_requests_total{") && prometheus.contains("peer=\"10.9.9.9\"} 1\n"));
}

/// What moves between two looks, which are a second apart.
fn told_by_tail(decide: impl Fn() + Sync) {
    let pid = std::process::id().to_string();
    let mut tail = Command::new(env!("CARGO_BIN_EXE_trilane"))
        .args(["tail", "--pid", &pid, "--service", "stock", "--seconds", "30"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let told = AtomicBool::new(false);
    let line = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !told.load(Ordering::Relaxed) {
                decide();
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let line = lines.find(|line| line.contains("own +"));
        told.store(true, Ordering::Relaxed);
        line
    });
    let _ = tail.kill();
    let _ = tail.wait();
    assert!(line.as_ref().is_some_and(|line| line.contains("stock")), "{line:?}");
}

fn told_of_single_decisions() {
    // What it told before is what it tells again: the ring is read on the process's own thread.
    let explain = |args: &[&str]| {
        let pid = std::process::id().to_string();
        out(&Command::new(env!("CARGO_BIN_EXE_trilane")).args(["explain", "--pid", &pid]).args(args).output().unwrap())
    };
    let told = explain(&["--service", "stock", "--tag", "gray", "--last", "2"]);
    let tree = "a call to stock, tag gray, only observed\n  no rule names it: the default policy; 2 healthy instances\n  \
        lane gray: usable [1 usable of 1]\n  case own, picked 10.0.0.2:1\n";
    assert_eq!(told.matches(tree).count(), 2, "{told}");
    let last: Value = serde_json::from_str(explain(&["--json", "--last", "1"]).trim()).expect("JSON");
    assert_eq!([&last["kind"], &last["pick"], &last["case"]], ["out", "10.0.0.2:1", "own"]);
}

/// What asking costs: the askers' CPU by the kernel's account of children (ticks of 10 ms, over all of them), and that
/// of `trilane-ctl`, which answers and looks at the rule file once a second.
fn print_cost(asked: u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let children: u64 = [13, 14].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ctl = tasks
        .map(|task| task.path())
        .find(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "trilane-ctl"));
    let nanos = ctl.and_then(|task| std::fs::read_to_string(task.join("schedstat")).ok());
    let nanos: f64 = nanos.and_then(|s| s.split(' ').next()?.parse().ok()).unwrap_or(f64::NAN);
    println!(
        "status: {asked} asked; {:.1} ms CPU each in the program (with its start), {:.2} ms each in the process",
        children as f64 * 10.0 / asked as f64,
        nanos / 1e6 / asked as f64
    );
}
