//! The runtimes to test with, and the web server that the test programs stand on in each.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use parking_lot::Mutex;

/// One Java runtime.
#[derive(Clone)]
pub struct Jdk {
    pub home: PathBuf,
    /// What the class path needs besides the programs: nothing where the runtime has `jdk.httpserver`, else an
    /// embedded Tomcat and the same server interface over it. None where neither is there.
    server: Option<Vec<PathBuf>>,
}

impl std::fmt::Debug for Jdk {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.home.display())
    }
}

impl Jdk {
    pub fn java(&self) -> PathBuf {
        self.home.join("bin/java")
    }

    pub fn tool(&self, name: &str) -> PathBuf {
        self.home.join("bin").join(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.tool(name).exists()
    }

    pub fn server_path(&self) -> &[PathBuf] {
        self.server.as_deref().unwrap_or(&[])
    }

    /// Its own number, `11` or `17`.
    pub fn version(&self) -> u32 {
        let release = std::fs::read_to_string(self.home.join("release")).expect("a release file");
        let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION=\"")).expect("JAVA_VERSION");
        version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).expect("a number")
    }
}

/// Says once why something is not tried, past the test harness, which shows nobody what a passing test prints.
pub fn skip(reason: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().insert(reason.to_owned()) {
        let _ = writeln!(std::io::stderr(), "skipped: {reason}");
    }
}

/// The runtimes to test with: `TRILANE_TEST_JDKS` (homes, colon-separated), else all under `/usr/lib/jvm`.
pub fn jdks() -> Vec<Jdk> {
    static LISTED: OnceLock<Vec<Jdk>> = OnceLock::new();
    let listed = LISTED.get_or_init(|| match std::env::var("TRILANE_TEST_JDKS") {
        Ok(list) => homes(list.split(':').map(PathBuf::from)),
        Err(_) => installed(),
    });
    if listed.is_empty() {
        skip("no JDK under /usr/lib/jvm and none in TRILANE_TEST_JDKS");
    }
    listed.clone()
}

/// Those of them in which a web server can be had, which the test services are made of.
pub fn jdks_with_server() -> Vec<Jdk> {
    let mut with = jdks();
    with.retain(|jdk| {
        if jdk.server.is_none() {
            skip(&format!("{} has no module jdk.httpserver, and Tomcat could not be had", jdk.home.display()));
        }
        jdk.server.is_some()
    });
    with
}

fn server_of(home: &Path) -> Option<Vec<PathBuf>> {
    let listed = Command::new(home.join("bin/java")).arg("--list-modules").output().expect("java starts");
    if String::from_utf8_lossy(&listed.stdout).contains("jdk.httpserver") {
        return Some(Vec::new());
    }
    static TOMCAT: OnceLock<Option<Vec<PathBuf>>> = OnceLock::new();
    TOMCAT.get_or_init(tomcat).clone()
}

/// The server interface of the JDK over an embedded Tomcat, compiled; and Tomcat's jars.
fn tomcat() -> Option<Vec<PathBuf>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/jdks.py");
    let output = Command::new("python3").arg(script).arg("--server").output().expect("python3 starts");
    let jars = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if jars.is_empty() {
        skip(&String::from_utf8_lossy(&output.stderr));
        return None;
    }
    // The compiler may know the module, whose package this is.
    let options = ["--release", "11", "--limit-modules", "java.se", "-cp", &jars];
    let classes = super::compile("tomcat", "tomcat", &options);
    Some([classes].into_iter().chain(jars.split(':').map(PathBuf::from)).collect())
}

fn installed() -> Vec<Jdk> {
    homes(installed_homes())
}

fn installed_homes() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/jvm").into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|e| e.path()))
}

fn homes(paths: impl Iterator<Item = PathBuf>) -> Vec<Jdk> {
    let mut homes: Vec<PathBuf> =
        paths.filter(|home| home.join("bin/java").exists()).filter_map(|home| home.canonicalize().ok()).collect();
    homes.sort();
    homes.dedup();
    homes.into_iter().map(|home| Jdk { server: server_of(&home), home }).collect()
}

/// A tool of a JDK that has a compiler; the runtimes under test need not have one.
pub fn compiler_tool(name: &str) -> PathBuf {
    let listed = std::env::var("TRILANE_TEST_JDKS").unwrap_or_default();
    let homes = listed.split(':').map(PathBuf::from).chain(installed_homes());
    let found = homes.map(|home| home.join("bin")).find(|bin| bin.join("javac").exists());
    found.expect("javac is needed: install a JDK 17 or later under /usr/lib/jvm").join(name)
}
