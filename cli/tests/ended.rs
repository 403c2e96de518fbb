//! `trilane status` beside a process that ends while it is asked: that one is neither stuck nor degraded.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use trilane_engine::{Engine, Options};

const CHILD: &str = "TRILANE_TEST_CHILD";

/// What the other test starts: a process with a page, that waits.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let agent_option = "log=off".to_string();
    let _engine =
        Engine::default_or_start(Options { agent_option, explicit: true, binding: "c", ..Options::default() });
    eprintln!("ready");
    _ = std::io::stdin().lines().count(); // until the other one lets go of it
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().expect("kill starts").success());
}

fn holds_a_page(pid: u32) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|to| to.to_string_lossy().contains("trilane"))
}

#[test]
fn a_process_that_ends_while_it_is_asked_is_not_degraded() {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(child.stderr.take().expect("piped"));
    assert!(said.lines().map_while(Result::ok).any(|line| line == "ready"), "it starts an engine");
    signal("-STOP", child.id()); // it does not answer
    let asking = Command::new(env!("CARGO_BIN_EXE_trilane"))
        .args(["status", "--check", "--pid", &child.id().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let end = Instant::now() + Duration::from_secs(60);
    while !holds_a_page(asking.id()) && Instant::now() < end {
        std::thread::yield_now();
    }
    signal("-KILL", child.id()); // its end is not heard of before the answer: it stays as a zombie
    let answer = asking.wait_with_output().expect("it ends");
    child.wait().expect("it was ours");
    assert!(answer.stdout.is_empty() && answer.status.code() == Some(2), "{answer:?}");
}
