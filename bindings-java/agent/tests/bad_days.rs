//! Load, other agents, small machines, odd ways to start: the application starts and answers all the same.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::{
    Connection, Jdk, Program, agentpath, attach, class_path, compiler_tool, dump_agent, fresh_dir, java, jdks,
    jdks_with_server, skip,
};

fn chain(jdk: &Jdk, options: &[&str]) -> (Program, Program) {
    let c = Program::start(jdk, options, &["Hop", "C", "end"]);
    let b = Program::start(jdk, options, &["Hop", "B", "future", &c.url()]);
    (b, c)
}

#[test]
fn attaching_under_load_loses_no_request() {
    for jdk in jdks_with_server() {
        if !jdk.has("jcmd") {
            skip(&format!("{jdk:?} has no jcmd"));
            continue;
        }
        let (b, _c) = chain(&jdk, &[]);
        let done = Arc::new(AtomicBool::new(false));
        let port = b.port;
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let done = Arc::clone(&done);
                thread::spawn(move || {
                    let mut connection = Connection::open(port);
                    let mut carried = 0;
                    while !done.load(Ordering::Relaxed) || carried < 20 {
                        match connection.get("/", &[("x-mse-tag", "gray")]).as_str() {
                            "B(gray)>C(null)" => assert_eq!(carried, 0, "once carried, always carried"),
                            "B(gray)>C(gray)" => carried += 1,
                            other => panic!("{other}"),
                        }
                    }
                })
            })
            .collect();
        let output = attach(&jdk, &b).output().expect("jcmd starts");
        done.store(true, Ordering::Relaxed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        for worker in workers {
            worker.join().expect("every request was answered");
        }
    }
}

#[test]
fn another_agent_on_the_same_classes_may_come_first_or_last() {
    let jar = dump_agent();
    let other = format!("-javaagent:{}", jar.display());
    for jdk in jdks_with_server() {
        for options in [[agentpath(""), other.clone()], [other.clone(), agentpath("")]] {
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let c = Program::start(&jdk, &[&agentpath("")], &["Hop", "C", "end"]);
            // The other agent prints its sums before the program says that it is ready.
            let mut command = java(&jdk, &options);
            let b = Program::spawn_after(command.args(["Hop", "B", "future", &c.url()]), "ready ");
            assert_eq!(b.get("/", &[("x-mse-tag", "gray")]), "B(gray)>C(gray)", "{jdk:?} {options:?}");
            assert_eq!(b.get("/", &[]), "B(null)>C(null)", "{jdk:?} {options:?}");
        }
    }
}

#[test]
fn small_heaps_other_collectors_and_more_processors_change_nothing() {
    for jdk in jdks_with_server() {
        for machine in [
            &["-Xmx64m", "-XX:+UseSerialGC"][..],
            &["-XX:ActiveProcessorCount=4", "-XX:+UseG1GC"],
            &["-XX:+UseParallelGC", "-XX:TieredStopAtLevel=1"],
            &["-Xint"],
        ] {
            let agent = agentpath("");
            let options: Vec<&str> = machine.iter().copied().chain([agent.as_str()]).collect();
            let (b, _c) = chain(&jdk, &options);
            assert_eq!(b.get("/", &[("x-mse-tag", "gray")]), "B(gray)>C(gray)", "{jdk:?} {machine:?}");
            assert_eq!(b.get("/", &[]), "B(null)>C(null)", "{jdk:?} {machine:?}");
        }
    }
}

#[test]
fn a_shell_between_and_the_variable_instead_of_the_option() {
    for jdk in jdks_with_server() {
        let c = Program::start(&jdk, &[], &["Hop", "C", "end"]);
        let path = class_path(&jdk);
        let line = format!("{} -cp {} Hop B future {}", jdk.java().display(), path.display(), c.url());
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).env("JAVA_TOOL_OPTIONS", agentpath(""));
        let b = Program::spawn(&mut shell);
        assert_eq!(b.get("/", &[("x-mse-tag", "gray")]), "B(gray)>C(gray)", "{jdk:?}");
        // The shell's program would outlive a killed shell.
        b.finish();
    }
}

#[test]
fn rules_that_cannot_be_read_and_options_that_mean_nothing_do_not_stop_the_start() {
    for jdk in jdks() {
        for option in ["trilane.rules=/nonexistent/lanes.yaml", "what=ever,=,,", "trilane.mode=sideways"] {
            let output = java(&jdk, &[&agentpath(option)]).arg("Hello").output().expect("java starts");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && output.stdout.starts_with(b"hello "), "{option}: {stderr}");
            assert!(stderr.lines().all(|line| line.starts_with("trilane: ")), "{option}: {stderr}");
        }
    }
}

/// The OpenTelemetry agent rewrites many of the same classes. Given by `TRILANE_OTEL_JAR`, or as `make bench` leaves it.
fn opentelemetry() -> Option<PathBuf> {
    let given = std::env::var_os("TRILANE_OTEL_JAR").map(PathBuf::from);
    let cached = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/bench");
    let left = std::fs::read_dir(cached).into_iter().flatten().filter_map(|entry| entry.ok().map(|e| e.path()));
    let jars = given.into_iter().chain(left);
    jars.into_iter().find(|jar| {
        let name = jar.file_name().and_then(|name| name.to_str()).unwrap_or("");
        name.starts_with("opentelemetry-javaagent") && name.ends_with(".jar")
    })
}

/// A method that leaves no room for a call, in a class of a hooked library's name.
#[test]
fn a_class_that_cannot_be_edited_stays_as_it_is_and_is_told_once() {
    let folder = fresh_dir("full");
    let source = folder.join("SimpleAsyncTaskExecutor.java");
    // 14 bytes of code each; with what follows the method has 65,532 of the 65,535 that a method may have.
    let filled = "x = x * 31 + 7;\n".repeat(4680);
    let text = format!(
        "package org.springframework.core.task;\npublic class SimpleAsyncTaskExecutor {{\nint x;\n\
         void doExecute(Runnable task) {{\n{filled} task.hashCode(); task.run(); }}\n\
         public static void main(String[] args) {{\n\
         new SimpleAsyncTaskExecutor().doExecute(() -> System.out.println(\"full\"));\n}}\n}}\n"
    );
    std::fs::write(&source, text).expect("writable");
    let mut javac = Command::new(compiler_tool("javac"));
    javac.args(["--release", "11", "-d"]).arg(&folder).arg(&source);
    let output = javac.output().expect("javac starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for jdk in jdks() {
        let mut command = Command::new(jdk.java());
        command.arg(agentpath("")).arg("-cp").arg(&folder).arg("org.springframework.core.task.SimpleAsyncTaskExecutor");
        let output = command.env_remove("JAVA_TOOL_OPTIONS").output().expect("java starts");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(stdout, "full\n", "{jdk:?}\n{stderr}");
        assert_eq!(stderr.matches("cannot be edited and stays as it is").count(), 1, "{jdk:?}\n{stderr}");
    }
}

#[test]
#[ignore = "slow, in make test-all"]
fn the_opentelemetry_agent_may_come_first_or_last() {
    let Some(jar) = opentelemetry() else {
        skip("no opentelemetry-javaagent jar in TRILANE_OTEL_JAR or .cache/bench");
        return;
    };
    let other = format!("-javaagent:{}", jar.display());
    let quiet = ["traces", "metrics", "logs"].map(|signal| format!("-Dotel.{signal}.exporter=none"));
    for jdk in jdks_with_server() {
        let c = Program::start(&jdk, &[&agentpath("")], &["Hop", "C", "end"]);
        for agents in [[agentpath(""), other.clone()], [other.clone(), agentpath("")]] {
            let options: Vec<&str> = agents.iter().chain(&quiet).map(String::as_str).collect();
            let b = Program::start(&jdk, &options, &["Hop", "B", "future", &c.url()]);
            assert_eq!(b.get("/", &[("x-mse-tag", "gray")]), "B(gray)>C(gray)", "{jdk:?} {agents:?}");
            assert_eq!(b.get("/", &[]), "B(null)>C(null)", "{jdk:?} {agents:?}");
        }
    }
}
