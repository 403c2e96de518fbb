//! Manners of a guest: what fails goes away by itself, and other guests are met with care.

mod support;

use std::process::Command;

use support::{Jdk, Program, agentpath, eventually, fresh_dir, java, jdks};

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
fn the_tools_of_the_jdk_say_the_same_with_the_library_in_their_environment() {
    let Some(jdk) = newest() else { return };
    for (tool, argument) in [("javac", "-version"), ("keytool", "-help"), ("jcmd", "-h"), ("jar", "--version")] {
        if !jdk.has(tool) {
            println!("skipped: {jdk:?} has no {tool}");
            continue;
        }
        let run = |options: &str| {
            let output = Command::new(jdk.tool(tool)).arg(argument).env("JAVA_TOOL_OPTIONS", options).output();
            let output = output.expect("it starts");
            (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).contains("trilane: "))
        };
        assert_eq!(run("-Dbare=1"), run(&agentpath("")), "{tool}");
    }
}
