//! `trilane run -- CMD`: starts CMD with the library, or without it where it would not load.
//!
//! A library of another libc or machine in `-agentpath` ends a JVM before `main`; nothing inside can prevent that. So a
//! JVM is started with it once, on nothing, with a limit of time; one that fails is ended with all that it started (a
//! `java` may be a script that waits for the real one). Then this process becomes CMD: signals, exit status and pid are
//! CMD's own.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a shell returns for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// What to run.
#[derive(clap::Args)]
pub struct Args {
    /// The library; without it, `libtrilane.so` beside this program
    #[arg(long)]
    library: Option<PathBuf>,
    /// Settings for the library: k=v,k=v
    #[arg(long, default_value = "")]
    option: String,
    /// The JVM to check it with; without it, CMD if that is a java, else JAVA_HOME's, else the first in PATH
    #[arg(long)]
    java: Option<PathBuf>,
    /// Seconds that the JVM has to come up with the library; more where little CPU is allowed
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    limit: u64,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Becomes the command. Comes back only if that fails.
pub fn run(args: &Args) -> u8 {
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    let before = std::env::var_os("JAVA_TOOL_OPTIONS").unwrap_or_default();
    if !before.to_string_lossy().contains("libtrilane") {
        match check(args) {
            Ok(agent) => {
                let mut options = before;
                if !options.is_empty() {
                    options.push(" ");
                }
                options.push(agent);
                command.env("JAVA_TOOL_OPTIONS", options);
            }
            Err(why) => eprintln!("trilane: warn TRL-501 {why}: the command runs without the library"),
        }
    }
    let error = command.exec();
    eprintln!("trilane run: {}: {error}", args.command[0].display());
    if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE }
}

/// The option to append, when a JVM comes up with it.
fn check(args: &Args) -> Result<String, String> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("libtrilane.so"));
    let library = args.library.clone().or_else(beside).ok_or("where this program is cannot be told")?;
    let library = std::path::absolute(&library).map_err(|e| format!("{}: {e}", library.display()))?;
    let java = java(args).ok_or("no java to check the library with: not the command, not in JAVA_HOME, not in PATH")?;
    probe(&java, &format!("-agentpath:{}=mode=observe,log=off", library.display()), args.limit)?;
    let equals = if args.option.is_empty() { "" } else { "=" };
    let agent = format!("-agentpath:{}{equals}{}", library.display(), args.option);
    // The JVM splits the variable at blanks that are not quoted.
    Ok(if agent.contains(char::is_whitespace) { format!("\"{agent}\"") } else { agent })
}

fn java(args: &Args) -> Option<PathBuf> {
    if args.java.is_some() {
        return args.java.clone();
    }
    let first = Path::new(&args.command[0]);
    if first.file_name() == Some(OsStr::new("java")) {
        return Some(first.to_path_buf());
    }
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|dir| dir.join("java")).find(|java| java.is_file());
    home.filter(|java| java.is_file()).or(in_path)
}

/// One start of the JVM that runs no program; `limit` in seconds.
fn probe(java: &Path, agent: &str, limit: u64) -> Result<(), String> {
    let mut command = Command::new(java);
    // Small and quick; all of these are known to every HotSpot since Java 8.
    command.args(["-Xshare:auto", "-Xint", "-Xmx32m", "-XX:+UseSerialGC", agent, "-version"]);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("TRILANE_") || name_text.contains("JAVA_OPTIONS") || name_text == "JAVA_TOOL_OPTIONS" {
            command.env_remove(&name);
        }
    }
    let at = |e: std::io::Error| format!("{}: {e}", java.display());
    // HotSpot says on stdout why it does not start.
    let (mut said_here, out) = std::io::pipe().map_err(at)?;
    let err = out.try_clone().map_err(at)?;
    command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    let mut child = command.spawn().map_err(at)?;
    let group = child.id();
    drop(command); // it holds the writing ends
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                end(group); // what is left of it may hold the pipe open
                let mut said = Vec::new();
                let _ = (&mut said_here).take(64 << 10).read_to_end(&mut said);
                let said = String::from_utf8_lossy(&said);
                let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
                let why = lines.iter().find(|l| l.contains("libtrilane")).or(lines.last()).unwrap_or(&"");
                return Err(format!("{} does not start with the library ({status}): {why}", java.display()));
            }
            Ok(None) if start.elapsed().as_secs() < limit => sleep(Duration::from_millis(2)),
            Ok(None) => {
                end(group);
                let _ = child.wait();
                return Err(format!("{} did not start with the library in {limit} s (--limit)", java.display()));
            }
            Err(e) => return Err(at(e)),
        }
    }
}

/// Ends every process of a group; an empty one is no error.
fn end(group: u32) {
    let Ok(group) = i32::try_from(group) else { return };
    // SAFETY: kill reads no memory of ours. The group was made for the probe; its number is not given out anew while a
    // process of it lives, and within one turn of the loop after the last one no other group gets it in practice.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}
