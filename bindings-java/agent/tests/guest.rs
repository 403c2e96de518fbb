//! Manners of a guest: what fails goes away by itself, and other guests are met with care.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use support::{Jdk, Program, agentpath, eventually, fresh_dir, java, jdks, jdks_with_server};

fn newest() -> Option<Jdk> {
    jdks().pop()
}

#[test]
fn a_hook_that_keeps_failing_switches_itself_off() {
    let Some(jdk) = newest() else { return };
    let main = ["org.springframework.cloud.client.serviceregistry.AbstractAutoServiceRegistration"];
    let option = agentpath("alicloud.service.tag=gray");
    let mut program = Program::start(&jdk, &[&option], &main);
    let mut register = || -> u32 { program.ask("register").parse().expect("a number") };
    for n in 1..=10 {
        assert_eq!(register(), n);
    }
    // The control thread tells the bridge within a second.
    eventually("the hook is off", || register() == register());
    let stderr = program.finish();
    assert_eq!(stderr.matches("TRL-403").count(), 1, "the same failure is said once a minute: {stderr}");
    let off: Vec<&str> = stderr.lines().filter(|line| line.contains("TRL-407")).collect();
    assert!(off.len() == 1 && off[0].contains("spring-registration failed 10 times in 60 s"), "{stderr}");
}

#[test]
fn beside_another_routing_agent_observe_is_the_default() {
    let Some(jdk) = newest() else { return };
    let there = fresh_dir("sermant").join("sermant-agent.jar");
    std::fs::copy(support::dump_agent(), &there).expect("writable");
    let javaagent = format!("-javaagent:{}", there.display());
    for (option, mode) in [("", "observe"), ("mode=on", "on")] {
        let output = java(&jdk, &[&agentpath(option), &javaagent]).arg("Hello").output().expect("java starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let start = stderr.lines().find(|line| line.contains("TRL-001")).unwrap_or_default();
        assert!(start.contains(&format!("mode={mode} other.agents=\"Sermant\"")), "{stderr}");
        assert_eq!(stderr.contains("TRL-106"), mode == "observe", "{stderr}");
    }
}

#[test]
fn switched_off_in_the_file_calls_leave_byte_for_byte_as_without_the_library() {
    let Some(jdk) = jdks_with_server().pop() else { return };
    let rules = fresh_dir("off").join("lanes.yaml");
    let write = |mode: &str| {
        let next = rules.with_extension("next");
        std::fs::write(&next, format!("apiVersion: trilane/v1\nmode: {mode}\n")).expect("writable");
        std::fs::rename(&next, &rules).expect("writable");
    };
    for kind in ["connection", "client"] {
        write("on");
        let server = Heads::listen();
        let head = |program: &Program| {
            let headers = [("x-mse-tag", "gray"), ("x-a", "1"), ("baggage", "user=7")];
            assert!(program.get("/path?q=1", &headers).ends_with(">raw"), "{kind}");
            server.heads.recv().expect("a request came")
        };
        let unloaded = Program::start(&jdk, &[], &["Gate", "A", kind, &server.url]);
        let plain = head(&unloaded);
        let option = agentpath(&format!("trilane.rules={}", rules.display()));
        let loaded = Program::start(&jdk, &[&option], &["Gate", "A", kind, &server.url]);
        assert!(head(&loaded).contains("x-mse-tag: gray"), "{kind}: on, the tag is carried");
        write("off");
        eventually("the calls are those of an unloaded process", || head(&loaded) == plain);
        assert_eq!(head(&loaded), plain, "{kind}: and stay so");
    }
}

/// A server that hands over the head of every request.
struct Heads {
    url: String,
    heads: Receiver<String>,
}

impl Heads {
    fn listen() -> Heads {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (sender, heads) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let (mut bytes, mut byte) = (Vec::new(), [0]);
                    while stream.read(&mut byte).is_ok_and(|n| n == 1) {
                        bytes.push(byte[0]);
                        if bytes.ends_with(b"\r\n\r\n") {
                            let head = String::from_utf8_lossy(&std::mem::take(&mut bytes)).into_owned();
                            let answer = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nraw");
                            if sender.send(head).is_err() || answer.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Heads { url, heads }
    }
}
