//! Compiles the bridge's Java sources to Java 8 class files and lists them for `src/bridge.rs`.
//!
//! Only with feature `jvm`: without it the crate builds on a machine that has no JDK.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_JVM").is_none() {
        return;
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let bridge = root.join("../bridge");
    println!("cargo::rerun-if-env-changed=JAVA_HOME");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let classes = out.join("bridge");
    let _ = fs::remove_dir_all(&classes);
    fs::create_dir_all(&classes).expect("OUT_DIR is writable");
    let mut sources = Vec::new();
    for directory in ["java", "beside", "stubs"] {
        collect(&bridge.join(directory), &mut sources);
    }
    compile(&javac(), &sources, &classes);
    let list = embed(&classes.join("java/trilane"));
    fs::write(out.join("classes.rs"), list).expect("OUT_DIR is writable");
    let list = embed_plain(&classes, "io/github/trilane");
    fs::write(out.join("beside.rs"), list).expect("OUT_DIR is writable");
}

/// The compiler of `JAVA_HOME`, else the one on the path.
fn javac() -> PathBuf {
    let at_home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/javac"));
    at_home.filter(|javac| javac.exists()).unwrap_or_else(|| PathBuf::from("javac"))
}

/// All sources below a directory, in a fixed order.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap_or_else(|e| panic!("the bridge's sources are missing at {}: {e}", directory.display()))
        .map(|entry| entry.expect("readable directory").path())
        .collect();
    found.sort();
    for path in found {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "java") {
            println!("cargo::rerun-if-changed={}", path.display());
            files.push(path);
        }
    }
}

/// The stubs of frameworks are compiled along, so that `beside` can be, and then left out.
fn compile(javac: &Path, files: &[PathBuf], classes: &Path) {
    // No line numbers: they are a tenth of the classes, and nothing prints a stack trace of theirs.
    // The package is `java.trilane`, so that every class loader must ask the boot loader for it. javac refuses such
    // a package unless it is told that the sources belong to java.base; `-source 8` knows no modules and allows it.
    let mut command = Command::new(javac);
    command
        .env_remove("JAVA_TOOL_OPTIONS")
        .env_remove("JDK_JAVAC_OPTIONS")
        .args(["-source", "8", "-target", "8", "-encoding", "UTF-8", "-g:none", "-nowarn", "-proc:none"])
        .args(["-Xlint:-options", "-XDstringConcat=inline", "-implicit:none", "-d"])
        .arg(classes)
        .args(files);
    let output = command.output().unwrap_or_else(|e| {
        panic!(
            "feature `jvm` compiles the Java bridge, and {} could not be started ({e}). Install a JDK 17 or later \
             (Debian: apt-get install openjdk-17-jdk-headless) or set JAVA_HOME; or build without the feature.",
            javac.display()
        )
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} failed on the Java bridge:\n{said}", javac.display());
}

/// Writes `&[("java/trilane/A", include_bytes!("..."), &[0, 3]), ...]`: each class after those it extends or
/// implements, with the places of all classes that it needs, itself included, in ascending order.
fn embed(directory: &Path) -> String {
    let mut found: Vec<(Vec<String>, PathBuf)> = fs::read_dir(directory)
        .expect("javac wrote the package")
        .map(|entry| {
            let path = entry.expect("readable directory").path();
            (own_and_super_names(&fs::read(&path).expect("readable class file")), path)
        })
        .collect();
    // Nested classes first: `Scope$1` before `Scope`.
    let nesting = |name: &str| std::cmp::Reverse(name.matches('$').count());
    found.sort_by(|(a, _), (b, _)| nesting(&a[0]).cmp(&nesting(&b[0])).then(a[0].cmp(&b[0])));
    let ours: Vec<String> = found.iter().map(|(names, _)| names[0].clone()).collect();
    let mut order: Vec<(String, PathBuf)> = Vec::new();
    while !found.is_empty() {
        let done = |name: &String| !ours.contains(name) || order.iter().any(|(done, _)| done == name);
        let next = found.iter().position(|(names, _)| names[1..].iter().all(done)).expect("no class extends itself");
        let (mut names, path) = found.remove(next);
        order.push((names.remove(0), path));
    }
    let needs: Vec<Vec<usize>> = order.iter().map(|(_, path)| mentioned(path, &order)).collect();
    let mut list = String::from("&[\n");
    for (at, (name, path)) in order.iter().enumerate() {
        let path = path.to_str().expect("UTF-8 path");
        list.push_str(&format!("    ({name:?}, include_bytes!({path:?}), &{:?}),\n", closure(at, &needs)));
    }
    list.push(']');
    list
}

/// Writes `&[("io/github/trilane/A", include_bytes!("...")), ...]` for the classes of one package.
fn embed_plain(classes: &Path, package: &str) -> String {
    let mut paths: Vec<PathBuf> = fs::read_dir(classes.join(package))
        .expect("javac wrote the package")
        .map(|entry| entry.expect("readable directory").path())
        .collect();
    paths.sort();
    let each = |path: &PathBuf| {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8 path");
        format!("    (\"{package}/{name}\", include_bytes!({:?})),\n", path.to_str().expect("UTF-8 path"))
    };
    format!("&[\n{}]", paths.iter().map(each).collect::<String>())
}

/// The places of the classes whose names stand in a class file's constants, as such or in a descriptor.
fn mentioned(path: &Path, all: &[(String, PathBuf)]) -> Vec<usize> {
    let bytes = fs::read(path).expect("readable class file");
    let named = |name: &str| {
        let mut windows = bytes.windows(name.len() + 1);
        windows.any(|w| {
            w.starts_with(name.as_bytes()) && !(w[name.len()] == b'$' || w[name.len()].is_ascii_alphanumeric())
        })
    };
    (0..all.len()).filter(|at| named(&all[*at].0)).collect()
}

fn closure(start: usize, needs: &[Vec<usize>]) -> Vec<usize> {
    let mut reached = vec![start];
    let mut at = 0;
    while at < reached.len() {
        for next in &needs[reached[at]] {
            if !reached.contains(next) {
                reached.push(*next);
            }
        }
        at += 1;
    }
    reached.sort_unstable();
    reached
}

/// The names of a class file's class, superclass and interfaces.
fn own_and_super_names(class: &[u8]) -> Vec<String> {
    let u2 = |at: usize| usize::from(u16::from_be_bytes([class[at], class[at + 1]]));
    let count = u2(8);
    let (mut at, mut index) = (10, 1);
    let mut start = vec![0; count];
    while index < count {
        start[index] = at;
        let (size, slots) = match class[at] {
            1 => (3 + u2(at + 1), 1),
            5 | 6 => (9, 2),
            7 | 8 | 16 | 19 | 20 => (3, 1),
            15 => (4, 1),
            _ => (5, 1),
        };
        at += size;
        index += slots;
    }
    let name = |class_index: usize| {
        let utf8 = start[u2(start[class_index] + 1)];
        String::from_utf8_lossy(&class[utf8 + 3..utf8 + 3 + u2(utf8 + 1)]).into_owned()
    };
    let mut names = vec![name(u2(at + 2)), name(u2(at + 4))];
    names.extend((0..u2(at + 6)).map(|i| name(u2(at + 8 + 2 * i))));
    names
}
