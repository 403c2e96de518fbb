//! Odd places to run in: no /tmp, a /tmp that cannot be written; and a program that starts others.

mod support;

use std::process::Command;
use std::thread;

use support::{Connection, Jdk, Program, agentpath, class_path, java, jdks_with_server, library, skip};

/// Everything of this machine but /tmp, as a new root; then what is in "$@" there.
const WITHOUT_TMP: &str = r#"set -e
mount -t tmpfs none /mnt
for d in bin dev etc home lib lib64 opt proc root run sbin sys usr var; do
    if [ -L /$d ]; then cp -P /$d /mnt/$d; elif [ -d /$d ]; then mkdir /mnt/$d; mount --rbind /$d /mnt/$d; fi
done
for d in "$LIBRARY" "$CLASSES" "$HOME_OF_JAVA"; do
    [ -d "/mnt$d" ] || { mkdir -p "/mnt/given$d"; mount --bind "$d" "/mnt/given$d"; }
done
[ ! -e /mnt/tmp ]
exec chroot /mnt "$@""#;

/// The same /tmp, read-only.
const READ_ONLY_TMP: &str = r#"set -e
mount --bind /tmp /tmp
mount -o remount,ro,bind /tmp
if touch /tmp/trilane-test 2>/dev/null; then echo 'not read-only'; exit 9; fi
exec "$@""#;

fn namespaces() -> bool {
    let done = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let allowed = done.is_ok_and(|output| output.status.success());
    if !allowed {
        skip("a mount namespace of its own is refused here (unshare -rm)");
    }
    allowed
}

/// What `path` is called behind the new root.
fn given(path: &str) -> String {
    let kept = ["/bin", "/etc", "/home", "/lib", "/opt", "/root", "/usr", "/var"];
    let stays = kept.iter().any(|dir| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/')));
    if stays { path.to_owned() } else { format!("/given{path}") }
}

fn carries(b: &Program, what: &str) {
    assert_eq!(b.get("/", &[("x-mse-tag", "gray")]), "B(gray)>C(gray)", "{what}\n{}", b.stderr());
    assert_eq!(b.get("/", &[]), "B(null)>C(null)", "{what}\n{}", b.stderr());
}

fn text(path: &std::path::Path) -> String {
    path.to_str().expect("UTF-8 paths").to_owned()
}

#[test]
fn a_missing_tmp_changes_nothing() {
    if !namespaces() {
        return;
    }
    for jdk in jdks_with_server().into_iter().filter(|jdk| jdk.server_path().is_empty()) {
        let c = Program::start(&jdk, &[&agentpath("")], &["Hop", "C", "end"]);
        let (home, so, classes) = (text(&jdk.home), text(library()), text(support::classes()));
        let folder = text(library().parent().expect("a folder"));
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", WITHOUT_TMP, "sh"]).arg(given(&format!("{home}/bin/java")));
        command.arg(format!("-agentpath:{}", given(&so))).args(["-cp", &given(&classes)]);
        command.args(["Hop", "B", "future", &c.url()]).env_remove("JAVA_TOOL_OPTIONS");
        command.env("LIBRARY", folder).env("CLASSES", &classes).env("HOME_OF_JAVA", &home);
        let b = Program::spawn_after(&mut command, "ready ");
        carries(&b, &format!("{jdk:?} without /tmp"));
        assert_eq!(b.stderr().matches("trilane: ").count(), 1, "{}", b.stderr());
    }
}

#[test]
fn a_read_only_tmp_changes_nothing() {
    if !namespaces() {
        return;
    }
    for jdk in jdks_with_server().into_iter().filter(|jdk| jdk.server_path().is_empty()) {
        let c = Program::start(&jdk, &[&agentpath("")], &["Hop", "C", "end"]);
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", READ_ONLY_TMP, "sh"]).arg(jdk.java()).arg(agentpath(""));
        command.arg("-cp").arg(class_path(&jdk)).args(["Hop", "B", "pool", &c.url()]).env_remove("JAVA_TOOL_OPTIONS");
        let b = Program::spawn_after(&mut command, "ready ");
        carries(&b, &format!("{jdk:?} with a read-only /tmp"));
        assert_eq!(b.stderr().matches("trilane: ").count(), 1, "{}", b.stderr());
    }
}

fn spawning(jdk: &Jdk, mechanism: &str) {
    let agent = agentpath("");
    let how = format!("-Djdk.lang.Process.launchMechanism={mechanism}");
    let c = Program::start(jdk, &[&agent], &["Hop", "C", "end"]);
    // The children inherit the variable; they are shells, which it does not concern.
    let mut command = java(jdk, &[&agent, &how]);
    let b = Program::spawn_after(command.args(["Hop", "B", "pool", &c.url()]), "ready ");
    let port = b.port;
    let crowd: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let mut connection = Connection::open(port);
                for _ in 0..5 {
                    assert_eq!(connection.get("/spawn", &[("x-mse-tag", "gray")]), "B(gray)>C(gray)");
                    assert_eq!(connection.get("/spawn", &[]), "B(null)>C(null)");
                }
            })
        })
        .collect();
    for one in crowd {
        one.join().expect("the parent goes on");
    }
    assert_eq!(b.stderr().matches("trilane: ").count(), 1, "{jdk:?} {mechanism}: {}", b.stderr());
}

#[test]
fn programs_that_start_others_go_on_and_the_children_say_nothing() {
    for jdk in jdks_with_server() {
        for mechanism in ["POSIX_SPAWN", "FORK", "VFORK"] {
            spawning(&jdk, mechanism);
        }
    }
}
