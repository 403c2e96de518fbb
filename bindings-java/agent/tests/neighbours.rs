//! Other people's agents in the same JVM, before ours and after it: the tag is kept, theirs does its work, we complain
//! of nothing, and checked JNI has nothing to say of our frames.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::{Connection, Jdk, Program, agentpath, fresh_dir, java, jdks_with_server, library, skip};

/// Where a neighbour is; None, said, where it cannot be had.
fn place(name: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/neighbours.py");
    let output = Command::new("python3").arg(script).arg(name).output().expect("python3 starts");
    if !output.status.success() {
        skip(String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("skipped: "));
        return None;
    }
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// A JVM with the given agents that calls `end`.
fn beside(jdk: &Jdk, agents: &[String], end: &Program) -> Program {
    let options: Vec<&str> = ["-Xcheck:jni"].into_iter().chain(agents.iter().map(String::as_str)).collect();
    Program::spawn_after(java(jdk, &options).args(["Beside", &end.url()]), "ready ")
}

/// Requests with and without a tag, mixed with a context of the application's own.
fn lanes(program: &Program, handed: bool, what: &str) {
    for (user, tag) in [("u1", "gray"), ("u2", ""), ("u3", "dev-x"), ("u4", "")] {
        let mut headers = vec![("x-user-id", user)];
        let word = if tag.is_empty() { "null" } else { tag };
        headers.extend((!tag.is_empty()).then_some(("x-mse-tag", tag)));
        let said = program.get("/", &headers);
        if handed {
            assert_eq!(said, format!("{user}>C({word}) {user}"), "{what}");
        } else {
            // A worker of the common pool that is new has inherited the context, one that is not has not.
            assert!(said.starts_with(&format!("null>C({word}) ")), "{what}: {said}");
        }
    }
}

/// Ends it; one start line of ours, no complaint, and no frame of ours in what checked JNI says.
fn ends_well(program: Program, what: &str) {
    let lines = program.finish_with_output();
    let ours: Vec<&String> = lines.iter().filter(|line| line.starts_with("trilane: ")).collect();
    assert!(ours.len() == 1 && ours[0].contains("info TRL-001"), "{what}: {ours:#?}");
    for (at, line) in lines.iter().enumerate() {
        if line.contains("in native method") && (line.contains("WARNING") || line.contains("FATAL")) {
            let frames: Vec<&String> = lines[at + 1..].iter().take_while(|l| l.trim().starts_with("at ")).collect();
            let of_others = !frames.is_empty() && frames.iter().all(|frame| !frame.contains("java.trilane"));
            assert!(of_others, "{what}: {line} {frames:#?}");
        }
    }
}

/// One agent first and last; `options` besides; `works` judges what it left, after the program's end.
fn first_and_last(name: &str, handed: bool, options: &dyn Fn(&Path) -> String, works: &dyn Fn(&Path) -> bool) {
    if place(name).is_none() {
        return;
    }
    for jdk in jdks_with_server() {
        let alone = fresh_dir(&format!("{name}-alone-{}", jdk.version()));
        if !java(&jdk, &[&options(&alone)]).arg("Hello").output().expect("java starts").status.success() {
            skip(&format!("{name}: it ends {jdk:?} by itself, without the library too"));
            continue;
        }
        let end = Program::start(&jdk, &[], &["Hop", "C", "end"]);
        for order in ["first", "last"] {
            let folder = fresh_dir(&format!("{name}-{order}-{}", jdk.version()));
            let mut agents = vec![options(&folder), agentpath("")];
            if order == "last" {
                agents.reverse();
            }
            let what = format!("{name} {order}, {jdk:?}");
            let program = beside(&jdk, &agents, &end);
            lanes(&program, handed, &what);
            ends_well(program, &what);
            assert!(works(&folder), "{what}: it did not do its work");
        }
    }
}

fn holds(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn jacoco_counts_and_the_tag_is_kept() {
    let agent = |folder: &Path| {
        let jar = place("jacoco").expect("it was there");
        format!("-javaagent:{}=destfile={}", jar.display(), folder.join("jacoco.exec").display())
    };
    // What it leaves names the classes whose lines ran.
    first_and_last("jacoco", false, &agent, &|folder| holds(&folder.join("jacoco.exec"), "Beside"));
}

#[test]
fn ttl_hands_its_values_over_and_the_tag_is_kept() {
    let agent = |_: &Path| format!("-javaagent:{}", place("ttl").expect("it was there").display());
    first_and_last("ttl", true, &agent, &|_| true);
}

/// The core of SkyWalking's agent: its plugins cannot be had from a registry.
#[test]
#[ignore = "slow, in make test-all"]
fn skywalking_installs_its_transformer_and_the_tag_is_kept() {
    let agent = |folder: &Path| {
        // It writes its log where its option says, and reads the option behind `=`.
        let jar = place("skywalking").expect("it was there");
        format!("-javaagent:{}=logging.dir={}", jar.display(), folder.display())
    };
    first_and_last("skywalking", false, &agent, &|folder| {
        holds(&folder.join("skywalking-api.log"), "Skywalking agent transformer has installed")
    });
}

/// Arthas in a living JVM, and its HTTP interface.
struct Arthas {
    port: u16,
}

impl Arthas {
    fn attach(folder: &Path, jdk: &Jdk, program: &Program) -> Arthas {
        // It takes numbers, no descriptor: a port that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let (core, agent) = (folder.join("arthas-core.jar"), folder.join("arthas-agent.jar"));
        let mut command = Command::new(jdk.java());
        command
            .env_remove("JAVA_TOOL_OPTIONS")
            .arg("-jar")
            .arg(&core)
            .arg("-core")
            .arg(&core)
            .arg("-agent")
            .arg(&agent);
        command.args(["-pid", &program.pid().to_string(), "-target-ip", "127.0.0.1"]);
        command.args(["-telnet-port", "0", "-http-port", &free.to_string()]);
        let output = command.output().expect("java starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        Arthas { port: free }
    }

    /// The answer to one command, when it has ended.
    fn run(&self, command: &str) -> String {
        let body = format!("{{\"action\":\"exec\",\"command\":\"{command}\"}}");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("Arthas listens");
        let head = format!("POST /api HTTP/1.1\r\nhost: arthas\r\ncontent-length: {}\r\n", body.len());
        write!(stream, "{head}connection: close\r\n\r\n{body}").expect("it reads");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer); // `stop` ends the connection as it likes
        answer
    }

    /// Watches a method while requests come in, until it was called once.
    fn watch(&self, method: &str, program: &Program) {
        let (done, port) = (AtomicBool::new(false), program.port);
        let answer = thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let said = Connection::open(port).get("/", &[("x-mse-tag", "gray")]);
                    assert!(said.starts_with("null>C(gray) "), "while Arthas rewrites the class: {said}");
                }
            });
            let answer = self.run(&format!("watch {method} -n 1"));
            done.store(true, Ordering::Relaxed);
            answer
        });
        assert!(answer.contains("\"type\":\"watch\"") && answer.contains("AtExit"), "{method}: {answer}");
    }
}

/// A class of the JDK's that the hook `jdk-url-connection` edits, and one of the application's.
const WATCHED: [&str; 2] = ["sun.net.www.http.HttpClient writeRequests", "Hop byConnection"];

#[test]
#[ignore = "slow, in make test-all"]
fn arthas_attaches_watches_a_hooked_class_and_goes_away() {
    let Some(folder) = place("arthas") else { return };
    for jdk in jdks_with_server() {
        if !jdk.has("jcmd") {
            skip(&format!("{jdk:?} has no jcmd, so no attach either"));
            continue;
        }
        if jdk.version() >= 25 {
            skip(&format!("{jdk:?}: Arthas 4.0.5 does not edit its classes: Unsupported class file major version 69"));
            continue;
        }
        let end = Program::start(&jdk, &[], &["Hop", "C", "end"]);
        for ours_first in [true, false] {
            let what = format!("Arthas, ours first: {ours_first}, {jdk:?}");
            let agents = if ours_first { vec![agentpath("")] } else { Vec::new() };
            let program = beside(&jdk, &agents, &end);
            let arthas = Arthas::attach(&folder, &jdk, &program);
            let known = arthas.run("sc sun.net.www.http.HttpClient");
            assert!(known.contains("sun.net.www.http.HttpClient"), "{what}: {known}");
            assert!(arthas.run("options unsafe true").contains("SUCCEEDED"), "{what}");
            if !ours_first {
                let mut jcmd = Command::new(jdk.tool("jcmd"));
                jcmd.arg(program.pid().to_string()).arg("JVMTI.agent_load").arg(library());
                assert!(jcmd.output().expect("jcmd starts").status.success(), "{what}");
            }
            lanes(&program, false, &what);
            for method in WATCHED {
                arthas.watch(method, &program);
            }
            lanes(&program, false, &what);
            assert!(arthas.run("reset").contains("SUCCEEDED"), "{what}");
            lanes(&program, false, &what);
            arthas.run("stop");
            lanes(&program, false, &what);
            ends_well(program, &what);
        }
    }
}
