//! Every way of the JDK to hand work to another thread keeps the tag, and gives it back.

mod support;

use std::thread;

use support::{Program, agentpath, jdks_with_server};

/// What each way said, `name=tag`; lines that do not say a tag are checked by name.
fn compare(said: &str, tag: &str) {
    let mut ways = 0;
    for line in said.lines() {
        let (name, got) = line.split_once('=').expect("name=tag");
        let expected = match name {
            "pool.remove"
            | "pool.rejected"
            | "pool.priority"
            | "pool.own-queue"
            | "pool.own-before"
            | "fork-join.never-ends" => "true".to_owned(),
            "pool.caller-runs" | "client.stage" | "client.stage.async" | "client.handler" => format!("{tag} {tag}"),
            "timer.repeated" => format!("{tag}+{tag} cancelled=true again=false"),
            _ => tag.to_owned(),
        };
        assert_eq!(got, expected, "{name}");
        ways += 1;
    }
    assert!(ways >= 35, "only {ways} ways ran");
}

#[test]
fn every_way_of_handing_over_keeps_the_tag_and_the_next_request_is_clean() {
    for jdk in jdks_with_server() {
        let program = Program::start(&jdk, &[&agentpath("")], &["HandOver"]);
        for _ in 0..2 {
            compare(&program.get("/all", &[("x-mse-tag", "gray")]), "gray");
            compare(&program.get("/all", &[]), "null");
            compare(&program.get("/all", &[("x-mse-tag", "dev-x")]), "dev-x");
        }
    }
}

#[test]
fn the_default_async_executor_of_a_one_cpu_container_keeps_the_tag() {
    for jdk in jdks_with_server() {
        let options = [&agentpath("")[..], "-XX:ActiveProcessorCount=1"];
        let program = Program::start(&jdk, &options, &["HandOver"]);
        compare(&program.get("/all", &[("x-mse-tag", "gray")]), "gray");
        compare(&program.get("/all", &[]), "null");
    }
}

#[test]
fn a_future_that_somebody_else_completes_lends_its_waiters_no_tag() {
    for jdk in jdks_with_server() {
        let program = Program::start(&jdk, &[&agentpath("")], &["HandOver"]);
        let port = program.port;
        for (waiter, completer) in [("", "gray"), ("gray", ""), ("gray", "dev-x")] {
            let tags = |tag: &'static str| if tag.is_empty() { vec![] } else { vec![("x-mse-tag", tag)] };
            // The first tag of the process switches hand-over on; the case under test comes after it.
            program.get("/echo", &[("x-mse-tag", "gray")]);
            let waiting = thread::spawn(move || support::Connection::open(port).get("/wait", &tags(waiter)));
            while program.line() != "waiting" {}
            program.get("/complete", &tags(completer));
            let expected = if waiter.is_empty() { "null" } else { waiter };
            assert_eq!(waiting.join().expect("an answer"), expected, "waiter {waiter:?}, completer {completer:?}");
        }
    }
}

#[test]
fn a_worker_that_waits_in_join_runs_other_tasks_without_its_own_tag() {
    for jdk in jdks_with_server() {
        let program = Program::start(&jdk, &[&agentpath("")], &["HandOver"]);
        assert_eq!(program.get("/join", &[("x-mse-tag", "gray")]), "null then gray", "{jdk:?}");
        // An untagged request's task lies in the only worker's queue while that worker joins for a tagged one.
        let answer = program.get("/help", &[("x-mse-tag", "gray")]);
        assert_eq!(answer, "helped=null then gray", "{jdk:?}");
        assert_eq!(program.get("/join", &[]), "null then null", "{jdk:?}");
    }
}
