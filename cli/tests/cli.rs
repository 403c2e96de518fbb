//! The program as a user meets it: what it prints and its exit status.

use std::path::PathBuf;
use std::process::{Command, Output};

fn trilane(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trilane")).args(args).output().expect("the program starts")
}

fn out(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned()
}

fn err(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

/// A file of the test's own; it goes away with the value.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("trilane-cli-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        File(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn version_is_one_line() {
    for word in ["version", "--version", "-V"] {
        let o = trilane(&[word]);
        assert_eq!((o.status.code(), out(&o)), (Some(0), format!("trilane {}\n", env!("CARGO_PKG_VERSION"))));
    }
}

#[test]
fn completions_and_the_manual_page_name_the_commands() {
    for (of, named) in [("bash", "simulate"), ("zsh", "simulate"), ("fish", "simulate"), ("elvish", "simulate")] {
        let o = trilane(&["completions", of]);
        assert!(o.status.success() && out(&o).contains(named), "{of}: {}", err(&o));
    }
    let page = trilane(&["man"]);
    assert!(page.status.success() && out(&page).contains(".TH trilane 1"), "{}", err(&page));
    for command in ["check", "explain", "simulate", "diff", "convert"] {
        assert!(out(&page).contains(&format!("trilane\\-{command}")), "{command}");
    }
}

#[test]
fn check_tells_good_from_bad_from_missing() {
    let good = File::new("good.yaml", "apiVersion: trilane/v1\nlanes:\n  - {tag: gray}\n");
    let bad = File::new("bad.yaml", "apiVersion: trilane/v1\nlanes:\n  - {tag: gray, falback: none}\n");
    let o = trilane(&["check", good.name()]);
    assert_eq!((o.status.code(), err(&o).as_str()), (Some(0), ""));
    let o = trilane(&["check", good.name(), bad.name()]);
    assert_eq!(o.status.code(), Some(1));
    assert!(err(&o).starts_with(&format!("{}:3:", bad.name())), "{}", err(&o));
    assert!(err(&o).contains("falback"), "{}", err(&o));
    let o = trilane(&["check", "no/such/file.yaml", good.name()]);
    assert_eq!(o.status.code(), Some(2));
    assert!(err(&o).contains("no/such/file.yaml: cannot be read"), "{}", err(&o));
}

#[test]
fn mistakes_of_use_have_status_2() {
    for args in [&["chek"][..], &["check"], &["go"], &["go", "run", "."]] {
        let o = trilane(args);
        assert_eq!(o.status.code(), Some(2), "{args:?}: {}{}", out(&o), err(&o));
    }
}

#[test]
fn go_build_without_our_modules_says_where_it_looked() {
    let module = std::env::temp_dir().join(format!("trilane-cli-{}-module", std::process::id()));
    std::fs::create_dir_all(&module).expect("a directory");
    std::fs::write(module.join("go.mod"), "module example.org/x\n\ngo 1.21\n").expect("go.mod");
    std::fs::write(module.join("main.go"), "package main\n\nfunc main() {}\n").expect("main.go");
    let o = Command::new(env!("CARGO_BIN_EXE_trilane"))
        .args(["go", "build"])
        .current_dir(&module)
        .env("GOWORK", "off")
        .output()
        .expect("the program starts");
    let said = err(&o);
    let _ = std::fs::remove_dir_all(&module);
    assert_eq!(o.status.code(), Some(2), "{said}");
    assert!(said.contains("not there, looked in") || said.contains("was not found in PATH"), "{said}");
}
