//! What docs/operator.md says under "What it touches", beside the same program without the library: files, sockets,
//! threads, descriptors.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Jdk, Program, agentpath, classes, fresh_dir, java, jdks_with_server, library, skip};

/// A rule file that names so many instances of one service.
fn rules(folder: &Path, instances: usize) -> PathBuf {
    let file = folder.join(format!("lanes-{instances}.yaml"));
    let lines: String =
        (0..instances).map(|n| format!("      - {{address: \"10.{}.{}.1:80\"}}\n", n / 250, n % 250)).collect();
    let head = "apiVersion: trilane/v1\nservices:\n  - name: stock\n    authorities: [\"stock:80\"]\n    instances:\n";
    std::fs::write(&file, format!("{head}{lines}")).expect("writable");
    file
}

/// What a traced program did: paths that it opened (as `plain` has them), those of them to write, and its other calls.
#[derive(Default)]
struct Seen {
    opened: BTreeSet<String>,
    written: BTreeSet<String>,
    calls: Vec<String>,
}

/// A path with each number in it as one `#`: a number of a process is not the same twice, nor as long.
fn plain(path: &str) -> String {
    let mut out = path.replace(|c: char| c.is_ascii_digit(), "#");
    while out.contains("##") {
        out = out.replace("##", "#");
    }
    out
}

fn trace(jdk: &Jdk, folder: &Path, options: &[&str]) -> Result<Seen, String> {
    let log = folder.join("trace");
    let program = java(jdk, &[&["-XX:+UseSerialGC"], options].concat());
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=open,openat,openat2,socket,bind,listen,connect,memfd_create,execve", "-o"]);
    strace.arg(&log).arg(program.get_program()).args(program.get_args()).arg("Hello").env_remove("JAVA_TOOL_OPTIONS");
    let output = strace.output().map_err(|e| format!("strace: {e}: apt-get install strace"))?;
    if !output.status.success() {
        return Err(format!("strace: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let mut seen = Seen::default();
    for line in std::fs::read_to_string(&log).expect("strace wrote").lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        if !call.starts_with("open") {
            seen.calls.push(call.to_string());
            continue;
        }
        let Some(path) = call.split('"').nth(1) else { continue };
        let path = plain(path);
        if ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|way| call.contains(way)) {
            seen.written.insert(path.clone());
        }
        seen.opened.insert(path);
    }
    Ok(seen)
}

#[test]
fn it_reads_what_the_page_names_writes_nothing_and_opens_no_socket() {
    for jdk in jdks_with_server() {
        let folder = fresh_dir(&format!("opens-{}", jdk.version()));
        let file = rules(&folder, 10);
        let option = agentpath(&format!("rules={}", file.display()));
        // The JVM itself does not do the same each time; what the library does besides is there each time.
        let mut wrong = Vec::new();
        for _ in 0..4 {
            match (trace(&jdk, &folder, &[]), trace(&jdk, &folder, &[&option])) {
                (Ok(bare), Ok(with)) => wrong = against_the_page(&jdk, &file, &bare, &with),
                (Err(why), _) | (_, Err(why)) => return skip(&why),
            }
            if wrong.is_empty() {
                break;
            }
        }
        assert!(wrong.is_empty(), "{jdk:?}, four times: {wrong:#?}");
    }
}

/// What is not as docs/operator.md says.
fn against_the_page(jdk: &Jdk, rules: &Path, bare: &Seen, with: &Seen) -> Vec<String> {
    let of = |path: &Path| plain(&path.display().to_string());
    let fixed = ["/etc/podinfo/labels", "/etc/podinfo/annotations", "/proc/self/cmdline"];
    let named: Vec<String> = [of(library()), of(rules)].into_iter().chain(fixed.map(String::from)).collect();
    // What the JVM reads by itself may come later or sooner; what the library stands on, its loader looks for.
    let home = jdk.java().parent().and_then(Path::parent).map(of).unwrap_or_default();
    let of_others = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        path.starts_with(&home)
            || path.starts_with(&of(classes()))
            || path.starts_with("/sys/")
            || path.starts_with("/proc/") && !path.starts_with("/proc/self/")
            || name == "ld.so.cache"
            || name.starts_with("lib") && name.contains(".so")
    };
    let more: Vec<&String> = with.opened.difference(&bare.opened).collect();
    println!("footprint: {jdk:?} opens besides: {more:?}");
    let unnamed = more.into_iter().filter(|p| !named.contains(p) && !of_others(p)).map(|p| format!("opens {p}"));
    let mut wrong: Vec<String> = unnamed.collect();
    wrong.extend(named.iter().filter(|p| !with.opened.contains(*p)).map(|p| format!("does not look at {p}")));
    wrong.extend(with.written.difference(&bare.written).map(|p| format!("writes {p}")));
    let calls = |seen: &Seen, name: &str| seen.calls.iter().filter(|c| c.starts_with(name)).count();
    for name in ["socket(", "bind(", "listen(", "connect(", "execve("] {
        if calls(with, name) != calls(bare, name) {
            wrong.push(format!("{name}: {} and {} times", calls(bare, name), calls(with, name)));
        }
    }
    if calls(with, "memfd_create(\"trilane-status\"") != 1 {
        wrong.push(format!("not one page: {:?}", with.calls));
    }
    wrong
}

/// Names of threads, what descriptors are, and resident kB of a living process.
fn look(program: &Program) -> (Vec<String>, Vec<String>, u64) {
    let proc = PathBuf::from(format!("/proc/{}", program.pid()));
    let list =
        |folder: &str| std::fs::read_dir(proc.join(folder)).expect("it lives").map(|e| e.expect("readable").path());
    let mut threads: Vec<String> = list("task")
        .filter_map(|t| std::fs::read_to_string(t.join("comm")).ok())
        .map(|n| n.trim().to_string())
        .collect();
    let mut open: Vec<String> =
        list("fd").filter_map(|f| std::fs::read_link(f).ok()).map(|to| to.display().to_string()).collect();
    threads.sort();
    open.sort();
    let status = std::fs::read_to_string(proc.join("status")).expect("it lives");
    let kb =
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.trim().split(' ').next()?.parse().ok());
    (threads, open, kb.expect("VmRSS"))
}

#[test]
fn a_running_program_has_one_thread_and_one_descriptor_more_with_any_number_of_instances() {
    for jdk in jdks_with_server() {
        let folder = fresh_dir(&format!("touches-{}", jdk.version()));
        let started = |options: &[&str]| Program::start(&jdk, options, &["Hop", "C", "end"]);
        let bare = started(&["-XX:+UseSerialGC"]);
        let sockets = |open: &[String]| open.iter().filter(|o| o.starts_with("socket:")).count();
        // A thread without a name of its own has its parent's, the launcher's.
        let unnamed = |threads: &[String]| threads.iter().filter(|n| *n == "java").count();
        for instances in [10, 1_000, 10_000] {
            let option = agentpath(&format!("log=off,rules={}", rules(&folder, instances).display()));
            let program = started(&["-XX:+UseSerialGC", &option]);
            // A thread that has just begun has no name of its own yet, on a busy machine for a while; and a JVM that
            // has just begun opens a class or a file of its container and closes it again.
            let end = Instant::now() + Duration::from_secs(120);
            let (ours, more, grown) = loop {
                let ((plain, open, before), (with, now, resident)) = (look(&bare), look(&program));
                let ours: Vec<String> = with.iter().filter(|n| n.contains("trilane")).cloned().collect();
                let known = |o: &String| {
                    !open.contains(o) && !o.starts_with("socket:") && !o.contains(":[") && !o.contains("/err-")
                };
                let more: Vec<String> = now.iter().filter(|o| known(o)).cloned().collect();
                let page = more.len() == 1 && more[0].starts_with("/memfd:trilane-status");
                let threads = ours == ["trilane-ctl"] && unnamed(&with) == unnamed(&plain);
                if threads && page && sockets(&now) == sockets(&open) {
                    break (ours, more, resident as i64 - before as i64);
                }
                assert!(Instant::now() < end, "{jdk:?}: {with:?} {now:?} beside {plain:?} {open:?}");
                std::thread::sleep(Duration::from_millis(20));
            };
            println!(
                "footprint: {jdk:?}, {instances} instances: threads {ours:?}, descriptors {more:?}, sockets 0, \
                 resident {grown:+} kB"
            );
        }
    }
}
