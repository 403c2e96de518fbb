//! `trilane tail`: a line whenever something moved in a living process.

use super::process::{Missing, one};
use super::word;
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A process answers once a second; asking more often shows nothing new.
const TURN: Duration = Duration::from_secs(1);

/// Which process, and for how long.
#[derive(clap::Args)]
pub struct TailArgs {
    /// The process
    #[arg(long)]
    pid: u32,
    /// This service only
    #[arg(long)]
    service: Option<String>,
    /// End after so many seconds; without it, when the process ends
    #[arg(long)]
    seconds: Option<u64>,
}

/// Prints what moved since the last look, once a second.
pub fn tail(args: &TailArgs) -> u8 {
    let process = match one(args.pid) {
        Ok(process) => process,
        Err(Missing::Inert) => {
            eprintln!("trilane tail: process {} is inert: nothing will move", args.pid);
            return crate::UNABLE;
        }
        Err(Missing::Unable(why)) => {
            eprintln!("trilane tail: {why}");
            return crate::UNABLE;
        }
    };
    let start = Instant::now();
    let mut before: Option<(BTreeMap<String, u64>, BTreeMap<String, String>)> = None;
    while args.seconds.is_none_or(|seconds| start.elapsed().as_secs() <= seconds) {
        let Ok(answer) = process.ask() else { break };
        let now = read(&answer.state, args.service.as_deref());
        if let Some(before) = &before {
            for (what, value) in now.1.iter().filter(|(what, value)| before.1.get(*what) != Some(value)) {
                println!("{:>6} s  {what}: {value}", start.elapsed().as_secs());
            }
            for (what, count) in &now.0 {
                let more = count.saturating_sub(before.0.get(what).copied().unwrap_or(0));
                if more > 0 {
                    println!("{:>6} s  {what} +{more}", start.elapsed().as_secs());
                }
            }
        }
        before = Some(now);
        if answer.old.is_some() && !std::path::Path::new(&format!("/proc/{}", args.pid)).exists() {
            println!("{:>6} s  the process has ended", start.elapsed().as_secs());
            break;
        }
        sleep(TURN);
    }
    crate::OK
}

/// Counts that only grow, and words that may change.
fn read(state: &Value, only: Option<&str>) -> (BTreeMap<String, u64>, BTreeMap<String, String>) {
    let (mut counts, mut words) = (BTreeMap::new(), BTreeMap::new());
    words.insert("mode".into(), word(&state["mode"]).to_string());
    words.insert("rules".into(), word(&state["rules"]["hash"]).to_string());
    words.insert("rules error".into(), word(&state["rules"]["error"]["text"]).lines().next().unwrap_or("").to_string());
    let services = state["services"].as_array().into_iter().flatten();
    for service in services.filter(|s| only.is_none_or(|only| s["service"] == only)) {
        let name = word(&service["service"]);
        for (case, n) in service["decisions"].as_object().into_iter().flatten() {
            counts.insert(format!("{name} {case}"), n.as_u64().unwrap_or(0));
        }
        counts.insert(format!("{name} would-have-differed"), service["would_have_differed"].as_u64().unwrap_or(0));
        let tags = service["tags"].as_object().into_iter().flatten();
        let tags: Vec<String> = tags.map(|(tag, n)| format!("{tag} {}/{}", n["usable"], n["instances"])).collect();
        words.insert(format!("{name} usable"), tags.join(", "));
    }
    let cases = ["own", "fallback_noinstances", "fallback_noavailabled", "fail", "baseline_missing"];
    for (event, n) in state["counters"].as_object().into_iter().flatten().filter(|(e, _)| !cases.contains(&e.as_str()))
    {
        counts.insert(event.clone(), n.as_u64().unwrap_or(0));
    }
    (counts, words)
}
