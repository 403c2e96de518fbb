//! What the tests share: a scratch directory and the JDK, when there is one.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod asm;
pub mod stress;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

/// A directory that is removed with its content.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("classedit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = env::temp_dir().join(name);
        fs::create_dir_all(&dir).expect("a scratch directory");
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// javac and java; the runtime may be another one than the compiler's.
pub struct Jdk {
    bin: PathBuf,
    compiler: PathBuf,
}

impl Jdk {
    /// The JDK of JAVA_HOME or PATH. Says so when there is none.
    pub fn find() -> Option<Self> {
        let home = env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin"));
        let path = env::var_os("PATH").unwrap_or_default();
        let found = home.into_iter().chain(env::split_paths(&path)).find(|bin| bin.join("javac").is_file());
        if found.is_none() {
            // Past the test harness, which shows what a passing test prints to nobody.
            let _ = writeln!(std::io::stderr(), "skipped: no javac");
        }
        found.map(|bin| Self { compiler: bin.clone(), bin })
    }

    /// The runtimes named in TRILANE_TEST_JDKS (homes, colon-separated), else the one of [`Jdk::find`].
    pub fn all() -> Vec<Self> {
        let Some(found) = Self::find() else { return Vec::new() };
        let Some(homes) = env::var_os("TRILANE_TEST_JDKS") else { return vec![found] };
        let bins = env::split_paths(&homes).map(|home| home.join("bin")).filter(|bin| bin.join("java").is_file());
        bins.map(|bin| Self { bin, compiler: found.compiler.clone() }).collect()
    }

    /// Where the runtime is, for messages.
    pub fn home(&self) -> String {
        self.bin.parent().unwrap_or(&self.bin).display().to_string()
    }

    pub fn compile(&self, names: &[&str], options: &[&str], out: &Path) {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java");
        let done = Command::new(self.compiler.join("javac"))
            .args(["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"])
            .args(options)
            .arg("-d")
            .arg(out)
            .args(names.iter().map(|n| sources.join(format!("{n}.java"))))
            .output()
            .expect("javac starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Runs a main class with everything verified; its exit has to be clean. The lines it prints.
    pub fn run(&self, options: &[&str], classes: &Path, main: &[&str]) -> Vec<String> {
        let done = Command::new(self.bin.join("java"))
            .args(["-Xverify:all", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .args(options)
            .arg("-cp")
            .arg(classes)
            .args(main)
            .output()
            .expect("java starts");
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{main:?}: {out}\n{err}");
        out.lines().map(str::to_owned).collect()
    }
}

/// The class files of a directory by file name.
pub fn classes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("the directory of classes").map(|e| e.expect("an entry").path());
    let files = entries.filter(|p| p.extension().is_some_and(|e| e == "class"));
    files.map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&p).unwrap())).collect()
}

/// Replaces the name of the StackMapTable attribute, so that nobody finds it.
pub fn hide_frames(class: &mut [u8]) {
    let name = b"StackMapTable";
    while let Some(at) = class.windows(name.len()).position(|w| w == name) {
        class[at] = b'X';
    }
}
