//! A C program under AddressSanitizer walks the whole header.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the tree")
}

/// Builds the C ABI without the Java agent, beside this very build, and returns the folder of `libtrilane.a` and
/// `libtrilane.so`: what the tests have compiled already is not compiled again.
fn build_library() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/profile/deps/test").to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "trilane-ffi", "--target-dir"]).arg(profile.parent().expect("target"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.current_dir(root()).status().expect("cargo runs").success(), "trilane-ffi builds");
    profile
}

/// Where the test's own programs go.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}: is gcc installed?"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

#[test]
fn every_function_of_the_header_is_called_and_nothing_leaks() {
    let header = std::fs::read_to_string(root().join("include/trilane.h")).unwrap();
    let program = std::fs::read_to_string(root().join("tests/c/walk.c")).unwrap();
    let functions: Vec<&str> = header
        .lines()
        .filter(|line| line.contains("trilane_") && line.contains('(') && !line.starts_with([' ', '/']))
        .filter_map(|line| line[..line.find('(')?].rsplit([' ', '*']).next())
        .collect();
    assert!(functions.len() > 25, "{functions:?}");
    for function in &functions {
        assert!(program.contains(&format!("{function}(")), "tests/c/walk.c does not call {function}");
    }
    let library = build_library();
    let walk = scratch().join("walk");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address", "-Iinclude", "tests/c/walk.c"]);
    gcc.arg(library.join("libtrilane.a")).args(["-lm", "-lpthread", "-ldl", "-o"]).arg(&walk).current_dir(root());
    run(&mut gcc);
    assert!(run(&mut Command::new(&walk)).contains("walk: 0 failures"));
    println!("c program: {} functions", functions.len());
}

/// Loading opens no thread and no descriptor, writes no line, and shows no symbol but the ABI's.
#[test]
fn loading_does_nothing() {
    let library = build_library();
    let source = r#"
        #include <dirent.h>
        #include <dlfcn.h>
        #include <stdio.h>
        static int count(const char *dir) {
            DIR *d = opendir(dir);
            int n = 0;
            while (readdir(d)) n++;
            closedir(d);
            return n;
        }
        int main(int argc, char **argv) {
            int fds = count("/proc/self/fd"), threads = count("/proc/self/task");
            void *library = dlopen(argv[argc - 1], RTLD_NOW);
            if (!library) { puts(dlerror()); return 1; }
            printf("fds %+d threads %+d\n", count("/proc/self/fd") - fds, count("/proc/self/task") - threads);
            dlclose(library);
            printf("kept %d\n", dlopen(argv[argc - 1], RTLD_NOW | RTLD_NOLOAD) != NULL);
        }"#;
    let (file, program) = (scratch().join("load.c"), scratch().join("load"));
    std::fs::write(&file, source).unwrap();
    run(Command::new("gcc").arg(&file).args(["-ldl", "-o"]).arg(&program));
    let said = run(Command::new(&program).arg(library.join("libtrilane.so")));
    assert_eq!(said, "fds +0 threads +0\nkept 1\n");
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library.join("libtrilane.so")));
    for symbol in symbols.lines().filter_map(|line| line.split_whitespace().nth(2)) {
        assert!(symbol.starts_with("trilane_"), "libtrilane.so shows {symbol}");
    }
}
