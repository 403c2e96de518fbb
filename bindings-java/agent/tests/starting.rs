//! The library gets into a VM in every way there is, and the application starts in every case.

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use support::{Jdk, Program, agentpath, attach, dump_agent, fresh_dir, java, jdks, jdks_with_server, library, skip};

fn run(command: &mut Command) -> (Output, String, String) {
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

/// Runs Hello; it must work. Gives whether the bridge was there, and standard error.
fn hello(jdk: &Jdk, options: &[&str]) -> (bool, String) {
    let (output, stdout, stderr) = run(java(jdk, options).arg("Hello"));
    assert!(output.status.success(), "{jdk:?} {options:?}\n{stdout}{stderr}");
    match stdout.as_str() {
        "hello bridge=true\n" => (true, stderr),
        "hello bridge=false\n" => (false, stderr),
        other => panic!("standard output holds more than the program's own: {other}"),
    }
}

#[test]
fn agentpath_puts_the_bridge_in_and_says_one_line_on_standard_error() {
    for jdk in jdks() {
        assert_eq!(hello(&jdk, &[]), (false, String::new()), "{jdk:?}");
        let (bridge, stderr) = hello(&jdk, &[&agentpath("")]);
        assert!(bridge, "{jdk:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("trilane: ") && stderr.contains("mode=on"), "{stderr}");
        assert!(stderr.contains("executors") && !stderr.contains("failed"), "{stderr}");
    }
}

#[test]
fn twice_is_once() {
    for jdk in jdks() {
        let (bridge, stderr) = hello(&jdk, &[&agentpath(""), &agentpath("")]);
        assert!(bridge && stderr.lines().count() == 1, "{stderr}");
        let copy = fresh_dir("copy").join("libtrilane.so");
        std::fs::copy(library(), &copy).expect("writable");
        let (bridge, stderr) = hello(&jdk, &[&agentpath(""), &format!("-agentpath:{}", copy.display())]);
        assert!(bridge, "{stderr}");
        assert_eq!(stderr.matches("another copy").count(), 1, "{stderr}");
        assert_eq!(stderr.lines().count(), 2, "{stderr}");
    }
}

#[test]
fn off_at_start_leaves_every_class_as_it_was() {
    let jar = dump_agent();
    let javaagent = format!("-javaagent:{}", jar.display());
    let sums = |jdk: &Jdk, options: &[&str]| -> BTreeMap<String, String> {
        let (output, stdout, stderr) = run(java(jdk, options).arg(&javaagent).arg("Hello"));
        assert!(output.status.success(), "{stderr}");
        let pairs = stdout.lines().filter_map(|line| line.split_once(' '));
        pairs.filter(|(name, _)| *name != "hello").map(|(name, sum)| (name.to_owned(), sum.to_owned())).collect()
    };
    for jdk in jdks() {
        let bare = sums(&jdk, &[]);
        assert!(bare.len() >= 8, "{bare:?}");
        let off = sums(&jdk, &[&agentpath("trilane.mode=off")]);
        let on = sums(&jdk, &[&agentpath("")]);
        for (class, sum) in &bare {
            assert_eq!(&off[class], sum, "{class} on {jdk:?}");
            // That one sleeps until there is a tag; tests/hand_over.rs has one.
            assert_eq!(on[class] == *sum, class.contains("ForkJoin"), "{class} is not hooked on {jdk:?}");
        }
        let one_off = sums(&jdk, &[&agentpath(""), "-Dtrilane.hook.timer=off"]);
        for (class, sum) in &bare {
            let untouched = ["ForkJoin", "util.T"].iter().any(|part| class.contains(part));
            assert_eq!(one_off[class] == *sum, untouched, "{class} on {jdk:?}");
        }
        assert!(!hello(&jdk, &[&agentpath("trilane.mode=off")]).0, "the bridge has no place where all is off");
    }
}

/// Each switch leaves exactly its library's classes as they were; those of every library: `hooks/versions.rs`.
#[test]
fn a_hook_that_is_off_leaves_its_classes_byte_for_byte() {
    let Some(jdk) = jdks().pop() else { return };
    let javaagent = format!("-javaagent:{}", dump_agent().display());
    let sums = |options: &[&str]| -> BTreeMap<String, String> {
        let (output, stdout, stderr) = run(java(&jdk, options).arg(&javaagent).arg("Hello"));
        assert!(output.status.success(), "{stderr}");
        let pairs = stdout.lines().filter_map(|line| line.split_once(' '));
        pairs.filter(|(name, _)| *name != "hello").map(|(name, sum)| (name.to_owned(), sum.to_owned())).collect()
    };
    let (bare, on) = (sums(&[]), sums(&[&agentpath("")]));
    for (library, of) in [
        ("executors", &["concurrent.FutureTask", "ThreadPoolExecutor"][..]),
        ("completable-future", &["CompletableFuture"]),
        ("timer", &["util.Timer", "util.TaskQueue"]),
        ("jdk-url-connection", &["http.HttpClient"]),
        ("jdk-http-server", &["httpserver.Filter"]),
        ("virtual-threads", &["ThreadBuilders"]), // JDK 21 and later
    ] {
        let off = sums(&[&agentpath(""), &format!("-Dtrilane.hook.{library}=off")]);
        for (class, sum) in &off {
            let its = of.iter().any(|part| class.contains(part));
            assert_eq!(sum, if its { &bare[class] } else { &on[class] }, "{library} off: {class} on {jdk:?}");
        }
    }
}

#[test]
fn what_is_not_supported_is_said_once_with_its_consequence() {
    let Some(jdk) = jdks().pop() else { return };
    let options = [&agentpath("")[..], "-Dmse.lossless.enable=true", "-Dmicro.service.x=1"];
    let (output, stdout, stderr) = run(java(&jdk, &options).args(["Uses", "io.undertow.server.HttpServerExchange"]));
    assert!(output.status.success() && stdout == "used\n", "{stdout}{stderr}");
    let said = |code: &str| stderr.lines().filter(|line| line.contains(code)).collect::<Vec<_>>();
    let settings = said("TRL-107");
    assert_eq!(settings.len(), 2, "{stderr}");
    assert!(settings.iter().any(|l| l.contains("mse.lossless.enable") && l.contains("without delay")), "{stderr}");
    let library = said("TRL-408");
    assert!(library.len() == 1 && library[0].contains("undertow is used here and has no hooks"), "{stderr}");
}

#[test]
fn load_library_takes_part_only_when_something_says_so() {
    let path = library().to_str().expect("UTF-8 path");
    for jdk in jdks_with_server() {
        let c = Program::start(&jdk, &[], &["Hop", "C", "end"]);
        let inert = Program::start(&jdk, &[], &["Loads", path, "B", "future", &c.url()]);
        assert_eq!(inert.get("/", &[("x-mse-tag", "gray")]), "B(gray)>C(null)", "{jdk:?}");
        let main = ["Loads", path, "B", "future", &c.url()];
        for option in ["-Dalicloud.service.tag=gray", "-Dmse.enable=true", "-Dtrilane.mode=on"] {
            let acts = Program::start(&jdk, &[option], &main);
            assert_eq!(acts.get("/", &[("x-mse-tag", "gray")]), "B(gray)>C(gray)", "{option} {jdk:?}");
            assert_eq!(acts.get("/", &[]), "B(null)>C(null)", "{option} {jdk:?}");
        }
    }
}

/// There is no JDK 8 here: the VM is told on its command line that it is one.
#[test]
fn a_runtime_that_was_never_tested_runs_as_without_the_library_unless_it_is_forced() {
    let old = "-Djava.specification.version=1.8";
    for jdk in jdks() {
        let (bridge, stderr) = hello(&jdk, &[&agentpath(""), old]);
        assert!(!bridge && stderr.lines().count() == 1, "{jdk:?} {stderr}");
        assert!(stderr.contains(" TRL-406 ") && stderr.contains("Java 8") && stderr.contains("trilane.force=true"));
        let (bridge, stderr) = hello(&jdk, &[&agentpath("trilane.log=off"), old]);
        assert!(!bridge && stderr.is_empty(), "{jdk:?} {stderr}");
        for forced in [[&agentpath("trilane.force=true"), old], [&agentpath(""), "-Dtrilane.force=true"]] {
            let (bridge, stderr) = hello(&jdk, &[forced[0], forced[1], old]);
            assert!(bridge && stderr.lines().count() == 1 && stderr.contains("TRL-001"), "{jdk:?} {stderr}");
        }
        let newer = hello(&jdk, &[&agentpath(""), "-Djava.specification.version=26"]);
        assert!(!newer.0 && newer.1.contains("Java 26"), "{jdk:?} {newer:?}");
    }
}

#[test]
fn attaching_to_a_running_program_hooks_what_it_has_loaded() {
    for jdk in jdks_with_server() {
        if !jdk.has("jcmd") {
            skip(&format!("{jdk:?} has no jcmd"));
            continue;
        }
        let c = Program::start(&jdk, &[], &["Hop", "C", "end"]);
        let b = Program::start(&jdk, &[], &["Hop", "B", "future", &c.url()]);
        let a = Program::start(&jdk, &[], &["Hop", "A", "pool", &b.url()]);
        assert_eq!(a.get("/", &[("x-mse-tag", "gray")]), "A(gray)>B(null)>C(null)", "{jdk:?}");
        for program in [&a, &b, &b] {
            let (output, stdout, stderr) = run(&mut attach(&jdk, program));
            assert!(output.status.success() && stdout.contains("return code: 0"), "{stdout}{stderr}");
        }
        assert_eq!(a.get("/", &[("x-mse-tag", "gray")]), "A(gray)>B(gray)>C(gray)", "{jdk:?}");
        assert_eq!(a.get("/", &[]), "A(null)>B(null)>C(null)", "{jdk:?}");
        assert_eq!(b.stderr().matches("trilane: ").count(), 1, "{}", b.stderr());
    }
}

#[test]
fn a_system_class_loader_of_the_applications_own_is_no_obstacle() {
    for jdk in jdks() {
        let (bridge, _) = hello(&jdk, &[&agentpath(""), "-Xlog:cds=off", "-Djava.system.class.loader=Hostile"]);
        assert!(bridge, "{jdk:?}");
    }
}

#[test]
fn jdk_tools_run_as_if_the_library_were_not_there() {
    for jdk in jdks() {
        for (tool, argument) in [
            ("javac", "-version"),
            ("keytool", "-help"),
            ("jcmd", "-l"),
            ("jps", "-q"),
            ("jar", "--version"),
            ("javadoc", "--version"),
        ] {
            if !jdk.has(tool) {
                skip(&format!("{jdk:?} has no {tool}"));
                continue;
            }
            let mut bare = Command::new(jdk.tool(tool));
            bare.arg(argument).env_remove("JAVA_TOOL_OPTIONS");
            let (_, bare_out, bare_err) = run(&mut bare);
            let (output, stdout, stderr) = run(bare.env("JAVA_TOOL_OPTIONS", agentpath("")));
            assert!(output.status.success(), "{tool} {jdk:?}: {stderr}");
            // These two tell of the machine's other JVMs, which come and go.
            if !["jcmd", "jps"].contains(&tool) {
                assert_eq!(stdout, bare_out, "{tool} {jdk:?}");
            }
            let without_notice: String = stderr.lines().filter(|l| !l.starts_with("Picked up ")).collect();
            assert_eq!(without_notice, bare_err.lines().collect::<String>(), "{tool} {jdk:?}");
        }
    }
}

#[test]
fn checked_jni_and_full_verification_find_nothing() {
    for jdk in jdks_with_server() {
        let checks = ["-Xcheck:jni", "-XX:+UnlockDiagnosticVMOptions", "-XX:+BytecodeVerificationLocal"];
        let agent = agentpath("");
        let options: Vec<&str> = checks.iter().copied().chain([agent.as_str()]).collect();
        // JDK 11 says first that somebody ignores SIGINT, where it was started in the background.
        let start = |main: &[&str]| Program::spawn_after(java(&jdk, &options).args(main), "ready ");
        let program = start(&["HandOver"]);
        for tag in ["gray", "dev-x"] {
            let said = program.get("/all", &[("x-mse-tag", tag)]);
            assert!(said.contains(&format!("pool.submit={tag}\n")), "{said}");
        }
        drop(program.get("/all", &[]));
        let mut lines = Vec::new();
        let c = start(&["Hop", "C", "end"]);
        let b = start(&["Hop", "B", "future", &c.url()]);
        assert_eq!(b.get("/", &[("x-mse-tag", "gray"), ("x-bag", "a=b")]).matches("gray").count(), 3);
        lines.extend(program.finish_with_output());
        lines.extend(b.finish_with_output());
        let bad: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("WARNING") || line.contains("FATAL") || line.contains("VerifyError"))
            .collect();
        assert!(bad.is_empty(), "{jdk:?} {bad:#?}");
    }
}

#[test]
fn the_bridge_is_of_java_8_level() {
    for class in bridge_classes() {
        let bytes = std::fs::read(&class).expect("readable");
        assert_eq!(&bytes[..8], &[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52], "{}", class.display());
    }
}

fn bridge_classes() -> Vec<PathBuf> {
    let folder = concat!(env!("OUT_DIR"), "/bridge/java/trilane");
    let entries = std::fs::read_dir(folder).expect("the bridge is compiled: --features jvm");
    let found: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    assert!(found.len() > 40, "{folder}: {}", found.len());
    found
}
