//! `trilane install` and `trilane run` as an operator meets them.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory of the test's own; it goes away with the value.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("trilane-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Dir(path)
    }

    /// A script that stands for `java`. Another process writes it: a descriptor of ours that is open for writing could
    /// be in a child of another test at the time, and then a script cannot be run (ETXTBSY).
    fn java(&self, script: &str) -> PathBuf {
        let path = self.0.join("java");
        let mut write = Command::new("sh");
        write.args(["-c", "printf '%s\\n' '#!/bin/sh' \"$1\" >\"$0\" && chmod 755 \"$0\""]).arg(&path).arg(script);
        assert!(write.status().expect("sh starts").success(), "writable");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn trilane() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trilane"));
    command.env_remove("JAVA_TOOL_OPTIONS").env_remove("JAVA_HOME");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_install_renames_and_leaves_open_files_alone() {
    let (from, to) = (Dir::new("from"), Dir::new("to"));
    let install = |library: &str| -> Output {
        std::fs::write(from.0.join("libtrilane.so"), library).unwrap();
        let (from, to) = (from.0.to_str().unwrap(), to.0.to_str().unwrap());
        trilane().args(["install", to, "--from", from]).output().expect("the program starts")
    };
    let incomplete = install("one");
    assert_eq!(incomplete.status.code(), Some(2));
    assert!(text(&incomplete.stderr).contains("trilane is not there"), "{}", text(&incomplete.stderr));
    std::fs::write(from.0.join("trilane"), "program").unwrap();

    let library = to.0.join("current/libtrilane.so");
    assert!(install("one").status.success());
    assert_eq!(std::fs::read_link(to.0.join("current")).unwrap(), Path::new(env!("CARGO_PKG_VERSION")));
    let open = std::fs::File::open(&library).unwrap();
    let inode = || std::fs::metadata(&library).unwrap().ino();
    let first = inode();
    assert!(install("one").status.success());
    assert_eq!(inode(), first, "the same file is left alone");
    assert!(install("two").status.success());
    assert_eq!(std::fs::read_to_string(&library).unwrap(), "two");
    assert_eq!(std::io::read_to_string(open).unwrap(), "one", "who has the old file open keeps it");
    let names: Vec<_> = std::fs::read_dir(to.0.join("current")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left over: {names:?}");
}

#[test]
fn a_command_gets_the_option_when_the_jvm_starts_with_it() {
    let dir = Dir::new("run-good");
    let java = dir.java("[ \"$*\" = bare ] || exit 0; echo \"$JAVA_TOOL_OPTIONS\"");
    let library = dir.0.join("libtrilane.so");
    let run = |before: Option<&str>| {
        let mut command = trilane();
        command.args(["run", "--option", "mode=observe", "--library"]).arg(&library).arg("--").arg(&java).arg("bare");
        before.map(|before| command.env("JAVA_TOOL_OPTIONS", before));
        let output = command.output().expect("the program starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let agent = format!("-agentpath:{}=mode=observe", library.display());
    assert_eq!(run(None), format!("{agent}\n"));
    assert_eq!(run(Some("-Dx=y")), format!("-Dx=y {agent}\n"));
    assert_eq!(run(Some("-agentpath:/opt/libtrilane.so")), "-agentpath:/opt/libtrilane.so\n", "it has one");
}

#[test]
fn a_command_runs_without_it_when_the_jvm_does_not_start_and_keeps_its_status() {
    let dir = Dir::new("run-bad");
    let java = dir.java(
        "case \"$*\" in *-version*) echo 'Could not find agent library /x/libtrilane.so: wrong ELF class' >&2; exit 1;; esac\n\
         echo \"options=$JAVA_TOOL_OPTIONS\"; exit 7",
    );
    let output = trilane().arg("run").arg("--").arg(&java).arg("-jar").output().expect("the program starts");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(7), "options=\n"));
    let said = text(&output.stderr);
    assert!(said.lines().count() == 1 && said.contains("TRL-501") && said.contains("wrong ELF class"), "{said}");

    let killed = trilane().args(["run", "--java"]).arg(&java).args(["--", "sh", "-c", "kill -9 $$"]).output().unwrap();
    assert_eq!(killed.status.signal(), Some(9), "a signal is the command's own");
    let missing = trilane().args(["run", "--java"]).arg(&java).args(["--", "/no/such/command"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(127));
}

/// A JVM that hangs, and one that fails and leaves a child: each is a script with a child that would tell that it outlived
/// it. The child holds the other end of a FIFO, so that its end is an event.
#[test]
fn a_command_runs_without_it_when_the_jvm_hangs_and_nothing_of_it_is_left() {
    let dir = Dir::new("run-hangs");
    let fifo = dir.0.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo starts").success());
    for (last, why) in [("wait", " s (--limit)"), ("exit 1", "does not start with the library (exit status: 1)")] {
        // A busy machine may not get as far as the script within the first limit.
        for limit in ["1", "5", "60"] {
            let held = std::fs::File::options().read(true).write(true).open(&fifo).expect("no wait with both");
            let mut told = std::fs::File::open(&fifo).expect("it has a writer");
            let java = dir.java(&format!(
                "case \"$*\" in *-version*) exec 9>{}; echo started >&9; {{ sleep 20; echo outlived >&9; }} & {last};; esac\n\
                 echo \"options=$JAVA_TOOL_OPTIONS\"; exit 7",
                fifo.display()
            ));
            let mut run = trilane();
            run.args(["run", "--limit", limit, "--"]).arg(&java).arg("-jar");
            let output = run.output().expect("the program starts");
            assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(7), "options=\n"));
            let said = text(&output.stderr);
            assert!(said.lines().count() == 1 && said.contains("TRL-501"), "{said}");
            drop(held);
            let mut words = String::new();
            std::io::Read::read_to_string(&mut told, &mut words).expect("readable");
            if words.is_empty() && limit != "60" {
                continue;
            }
            assert_eq!(words, "started\n", "{last}: it lives on");
            assert!(said.contains(why) || limit != "60", "{said}");
            if said.contains(why) {
                break;
            }
        }
    }
}

/// As the init container of `deploy/` runs: nothing may be written but the `emptyDir`, and the user is nobody known.
#[test]
fn an_install_needs_no_name_and_nothing_writable_but_its_directory() {
    let (from, to) = (Dir::new("rofrom"), Dir::new("roto"));
    std::fs::write(from.0.join("libtrilane.so"), "library").unwrap();
    std::fs::write(from.0.join("trilane"), "program").unwrap();
    let script = "set -e\nmount -t tmpfs tmpfs \"$2\"\nchmod 777 \"$2\"\nmount -o remount,bind,ro /\n\
        exec unshare -U --map-user=65532 --map-group=65532 sh -c '\n\
          test \"$(id -u)\" = 65532\n\
          if touch \"$3/new\" 2>/dev/null; then echo the root can be written to; exit 9; fi\n\
          \"$1\" install \"$2\" --from \"$3\" && \"$1\" install \"$2\" --from \"$3\" && ls -ln \"$2\" \"$2/current/\"' sh \"$@\"";
    let tried = Command::new("unshare").args(["-Urm", "mount", "-o", "remount,bind,ro", "/"]).output();
    if !tried.as_ref().is_ok_and(|o| o.status.success()) {
        println!("skipped: a user and mount namespace of one's own is refused here: {tried:?}");
        return;
    }
    let program = env!("CARGO_BIN_EXE_trilane");
    let done = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script, "sh", program, to.0.to_str().unwrap(), from.0.to_str().unwrap()])
        .output()
        .expect("it ran a moment ago");
    let (said, erred) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{said}{erred}");
    assert_eq!(said.matches("installed ").count(), 2, "{said}{erred}");
    let owned = |name: &str| said.lines().any(|l| l.contains(" 65532 65532 ") && l.contains(name));
    assert!(owned("current ->") && owned("libtrilane.so") && !said.contains(".new"), "{said}");
    assert!(std::fs::read_dir(&to.0).unwrap().next().is_none(), "it was all in the namespace");
}
