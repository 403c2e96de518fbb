//! What the real-JVM tests share: JDKs, the library under test, Java programs compiled at test time, a plain client.
#![allow(dead_code, unused_imports)] // each test file uses a part

mod jdk;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

pub use jdk::{Jdk, compiler_tool, jdks, jdks_with_server, skip};

/// The library under test: `TRILANE_LIB`, else built now in this build's own target directory.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("TRILANE_LIB") {
            return PathBuf::from(given);
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let test = std::env::current_exe().expect("the test has a path");
        let profile = test.parent().and_then(Path::parent).expect("target/profile/deps/test");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root).args(["build", "-q", "-p", "trilane-ffi", "--features", "jvm"]);
        cargo.arg("--target-dir").arg(profile.parent().expect("a target directory"));
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo starts").success(), "the library does not build");
        profile.join("libtrilane.so")
    })
}

/// `-agentpath:<library>`, with an option if there is one.
pub fn agentpath(option: &str) -> String {
    let equals = if option.is_empty() { "" } else { "=" };
    format!("-agentpath:{}{equals}{option}", library().display())
}

/// The directory of the compiled test programs.
pub fn classes() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| compile("programs", "classes", &["--release", "11"]))
}

/// Compiles the Java sources of `tests/<folder>` into a fresh directory `<name>`.
pub fn compile(folder: &str, name: &str, options: &[&str]) -> PathBuf {
    let out = fresh_dir(name);
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder), &mut files);
    files.sort();
    let mut javac = Command::new(compiler_tool("javac"));
    javac.args(["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"]);
    javac.args(options).args(["-nowarn", "-d"]).arg(&out).args(&files);
    let output = javac.output().expect("javac starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("readable")) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "java") {
            found.push(path);
        }
    }
}

/// The test agent's jar: it prints check sums of class bytes as they are after all native agents.
pub fn dump_agent() -> PathBuf {
    let jar = fresh_dir("dump").join("dump.jar");
    let manifest = jar.with_extension("mf");
    std::fs::write(&manifest, "Premain-Class: Dump\nCan-Retransform-Classes: true\n").expect("writable");
    let mut tool = Command::new(compiler_tool("jar"));
    tool.arg("cfm").arg(&jar).arg(&manifest).arg("-C").arg(classes()).arg(".");
    assert!(tool.status().expect("jar starts").success());
    jar
}

/// An empty directory of this test process.
pub fn fresh_dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("agent-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    dir
}

/// Loads the library into a living program. The JVM's own limit of ten seconds is short where a machine is busy.
pub fn attach(jdk: &Jdk, program: &Program) -> Command {
    let mut jcmd = Command::new(jdk.tool("jcmd"));
    jcmd.arg("-J-Dsun.tools.attach.attachTimeout=120000");
    jcmd.arg(program.pid().to_string()).arg("JVMTI.agent_load").arg(library());
    jcmd
}

/// `java` with the test programs on its class path and none of the tester's own variables.
pub fn java(jdk: &Jdk, options: &[&str]) -> Command {
    let mut command = Command::new(jdk.java());
    for (name, _) in std::env::vars() {
        if name.starts_with("TRILANE_") || name.contains("SERVICE_TAG") || name.contains("JAVA") {
            command.env_remove(name);
        }
    }
    // The JDK's server writes an answer in two pieces, which a delayed acknowledgement makes slow.
    command.arg("-Dsun.net.httpserver.nodelay=true");
    command.args(options).arg("-cp").arg(class_path(jdk));
    command
}

/// The test programs, and what they stand on in this runtime.
pub fn class_path(jdk: &Jdk) -> OsString {
    let mut path = classes().as_os_str().to_owned();
    for more in jdk.server_path() {
        path.push(":");
        path.push(more);
    }
    path
}

/// A running Java program that printed `ready <port>`.
pub struct Program {
    child: Child,
    pub port: u16,
    lines: Receiver<String>,
    stderr: PathBuf,
}

impl Program {
    /// Starts `java <options> <main and arguments>` and waits until it is ready.
    pub fn start(jdk: &Jdk, options: &[&str], main: &[&str]) -> Program {
        Program::spawn(java(jdk, options).args(main))
    }

    /// The same for a prepared command.
    pub fn spawn(command: &mut Command) -> Program {
        let mut program = Program::run(command);
        let line = program.line();
        program.ready(&line);
        program
    }

    /// The same for a program that says other things first.
    pub fn spawn_after(command: &mut Command, prefix: &str) -> Program {
        let mut program = Program::run(command);
        loop {
            let line = program.line();
            if line.starts_with(prefix) {
                program.ready(&line);
                return program;
            }
        }
    }

    fn ready(&mut self, line: &str) {
        let port = line.strip_prefix("ready ").and_then(|port| port.parse().ok());
        self.port = port.unwrap_or_else(|| panic!("not ready: {line}\n{}", self.stderr()));
    }

    fn run(command: &mut Command) -> Program {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let stderr = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("err-{}-{number}", std::process::id()));
        let log = std::fs::File::create(&stderr).expect("the target directory is writable");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("java starts");
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Program { child, port: 0, lines, stderr }
    }

    /// The next line of its standard output.
    pub fn line(&self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(240));
        line.unwrap_or_else(|e| panic!("no line from the program: {e}\n{}", self.stderr()))
    }

    /// Writes a line to its standard input and gives the next line of its standard output.
    pub fn ask(&mut self, line: &str) -> String {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("the program reads");
        self.line()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Ends it as its user would, and gives all it wrote to standard error.
    pub fn finish(mut self) -> String {
        drop(self.child.stdin.take());
        self.child.wait().expect("it ends");
        self.stderr()
    }

    /// Ends it, and gives every line of both outputs that was not taken yet.
    pub fn finish_with_output(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        self.child.wait().expect("it ends");
        let mut lines: Vec<String> = self.lines.iter().collect();
        lines.extend(self.stderr().lines().map(str::to_owned));
        lines
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// One request on a connection of its own: the body of the answer.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> String {
        Connection::open(self.port).get(path, headers)
    }

    /// The same for a request that may end without an answer.
    pub fn try_get(&self, path: &str, headers: &[(&str, &str)]) -> Option<String> {
        Connection::open(self.port).try_get(path, headers)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            let _ = std::fs::remove_file(&self.stderr);
        }
    }
}

/// A kept-alive HTTP/1.1 connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(port: u16) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the program listens");
        stream.set_read_timeout(Some(Duration::from_secs(240))).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Connection { stream: BufReader::new(stream) }
    }

    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> String {
        self.try_get(path, headers).expect("an answer")
    }

    pub fn try_get(&mut self, path: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).ok()?;
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let lower = line.trim_end().to_ascii_lowercase();
            if lower.is_empty() {
                break;
            }
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some(String::from_utf8_lossy(&body).into_owned())
    }
}

/// Waits until `done` holds; for what another process does in its own time.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2400 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("two minutes have passed and still not: {what}");
}
