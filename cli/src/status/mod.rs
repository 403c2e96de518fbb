//! `trilane status`: what living processes do.

mod process;
mod prometheus;
mod tail;
mod text;

use serde_json::Value;
use std::collections::BTreeMap;

use process::{Answer, all};
pub use process::{Missing, one};
pub use tail::{TailArgs, tail};

/// `--check`: it does what it is meant to.
const HEALTHY: u8 = 0;
/// It works, but something needs a look.
const DEGRADED: u8 = 1;
/// It does nothing.
const INERT: u8 = 2;

/// How the answer is to look.
#[derive(clap::Args, Clone, Copy)]
pub struct Args {
    /// This process only; without it, every process that this user may look at
    #[arg(long)]
    pid: Option<u32>,
    /// As JSON, one process a line
    #[arg(long, group = "form")]
    json: bool,
    /// As Prometheus text
    #[arg(long, group = "form")]
    prometheus: bool,
    /// One line a process; exit status 0 ok, 1 degraded, 2 inert
    #[arg(long, group = "form")]
    check: bool,
}

/// Shows them.
pub fn run(args: Args) -> u8 {
    let processes = match args.pid.map(one) {
        None => all(),
        Some(Ok(process)) => vec![process],
        Some(Err(Missing::Inert)) => {
            println!("pid {}: inert: the library is loaded, nothing started it", args.pid.unwrap_or(0));
            return INERT;
        }
        Some(Err(Missing::Unable(why))) => {
            eprintln!("trilane status: {why}");
            return crate::UNABLE;
        }
    };
    if processes.is_empty() {
        eprintln!("trilane status: no process with trilane that this user may look at; root sees those of all users");
        return crate::UNABLE;
    }
    let mut worst = HEALTHY;
    let mut states = BTreeMap::new();
    for process in &processes {
        match process.ask() {
            Ok(answer) => {
                let (verdict, why) = judge(&answer);
                worst = worst.max(verdict);
                if args.json {
                    let mut state = answer.state.clone();
                    state.as_object_mut().map(|fields| fields.remove("explained")); // `trilane explain --pid` tells it
                    println!("{state}");
                } else if args.check {
                    let word = ["ok", "degraded", "inert"][verdict as usize];
                    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
                    println!("pid {}: {word}{why}", process.pid);
                } else if !args.prometheus {
                    print!("{}", text::show(process.pid, &answer, verdict, &why));
                }
                states.insert(process.pid, answer.state);
            }
            Err(_) if args.pid.is_none() && process.ended() => {} // among others nobody asked for it
            Err(why) => {
                eprintln!("trilane status: {why}");
                worst = worst.max(crate::UNABLE);
            }
        }
    }
    if args.prometheus {
        print!("{}", prometheus::show(&states));
    }
    if args.check { worst } else { crate::OK }
}

/// How it stands with a process, and why.
fn judge(answer: &Answer) -> (u8, Vec<String>) {
    let state = &answer.state;
    let mut why: Vec<String> = answer.old.map(str::to_string).into_iter().collect();
    if let Some(error) = state["rules"]["error"]["text"].as_str() {
        why.push(error.lines().next().unwrap_or("").to_string());
    }
    let empty = Vec::new();
    for hook in state["hooks"].as_array().unwrap_or(&empty) {
        if matches!(hook["state"].as_str(), Some("failed" | "switched-itself-off")) {
            why.push(format!("hook {} {}", word(&hook["name"]), word(&hook["state"])));
        }
    }
    if state["mode"] == "off" {
        why.insert(0, "mode off".into());
        return (INERT, why);
    }
    (if why.is_empty() { HEALTHY } else { DEGRADED }, why)
}

/// A text of the answer.
fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
