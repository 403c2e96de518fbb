//! `trilane explain --pid`: what a living process decided lately, and why, as its deciding threads noted it.

use crate::status::{Missing, one};
use serde_json::Value;
use std::fmt::Write;

/// Which decisions to show.
pub struct Asked<'a> {
    pub pid: u32,
    /// So many of the newest.
    pub last: usize,
    /// Of this service only.
    pub service: &'a str,
    /// Of requests with this tag only.
    pub tag: Option<&'a str>,
    pub json: bool,
}

/// Status 0: shown, also when there is nothing yet; 2: the process cannot be asked.
pub fn run(asked: &Asked) -> u8 {
    let process = match one(asked.pid) {
        Ok(process) => process,
        Err(Missing::Inert) => {
            eprintln!("trilane explain: process {} is inert: it decides nothing", asked.pid);
            return crate::UNABLE;
        }
        Err(Missing::Unable(why)) => {
            eprintln!("trilane explain: {why}");
            return crate::UNABLE;
        }
    };
    let answer = match process.ask() {
        Ok(answer) => answer,
        Err(why) => {
            eprintln!("trilane explain: {why}");
            return crate::UNABLE;
        }
    };
    if let Some(old) = answer.old {
        eprintln!("trilane explain: {old}; this is what it told before");
    }
    let Some(all) = answer.state["explained"].as_array() else {
        eprintln!("trilane explain: process {} runs a version of the library that keeps no decisions", asked.pid);
        return crate::UNABLE;
    };
    let wanted = |d: &&Value| {
        (asked.service.is_empty() || d["service"] == asked.service) && asked.tag.is_none_or(|tag| d["tag"] == tag)
    };
    let wanted: Vec<&Value> = all.iter().filter(wanted).collect();
    let newest = &wanted[wanted.len().saturating_sub(asked.last)..];
    if newest.is_empty() {
        eprintln!("trilane explain: no such decision among the {} that were sampled", all.len());
    }
    let now = answer.state["at"].as_u64().unwrap_or(0) / 1000;
    for decision in newest {
        if asked.json {
            println!("{decision}");
        } else {
            print!("{}", tree(decision, now));
        }
    }
    crate::OK
}

fn tree(d: &Value, now: u64) -> String {
    let mut out = String::new();
    let ago = now.saturating_sub(d["at"].as_u64().unwrap_or(now));
    let tag = d["tag"].as_str().map_or("no tag".into(), |tag| format!("tag {tag}"));
    let service = word(&d["service"], "(no name yet)");
    match word(&d["kind"], "") {
        "out" => {
            let observe = if d["mode"] == "observe" { ", only observed" } else { "" };
            _ = writeln!(out, "{ago} s ago: a call to {service}, {tag}{observe}");
            outgoing(&mut out, d);
        }
        kind => {
            _ = writeln!(out, "{ago} s ago: a request came in to {service}, {tag}");
            incoming(&mut out, d, kind == "escape");
        }
    }
    values(&mut out, d);
    out
}

fn outgoing(out: &mut String, d: &Value) {
    let line = line(d);
    let rule = if line.is_empty() { "no rule names it: the default policy".into() } else { format!("rule{line}") };
    _ = writeln!(out, "  {rule}; {} healthy instances", d["candidates"]);
    for step in d["steps"].as_array().into_iter().flatten() {
        let holds = step["holds"].as_bool().map_or("", |holds| if holds { ": yes" } else { ": no" });
        let (usable, all) = (&step["usable"], &step["instances"]);
        let counts = if all.is_null() { String::new() } else { format!(" [{usable} usable of {all}]") };
        let found = step["found"].as_str().map_or(String::new(), |found| format!(": {found}"));
        let what = match step["lane"].as_str() {
            Some("baseline") => "the baseline".to_string(),
            Some(lane) => format!("lane {lane}"),
            None => said(word(&step["step"], "")).to_string(),
        };
        let indent = "  ".repeat(step["depth"].as_u64().unwrap_or(0) as usize + 1);
        _ = writeln!(out, "{indent}{what}{holds}{found}{counts}{}", self::line(step));
    }
    if d["circle"] == true {
        _ = writeln!(out, "  back at a lane that was tried: a circle fails");
    }
    if d["more_steps"] == true {
        _ = writeln!(out, "  (more steps than are kept)");
    }
    _ = writeln!(out, "  case {}, picked {}", word(&d["case"], "?"), word(&d["pick"], "none"));
}

fn incoming(out: &mut String, d: &Value, escape: bool) {
    let from = match (word(&d["source"], "none"), d["carrier"].as_str()) {
        ("carried", Some(carrier)) => format!("carried by {carrier}"),
        ("none", _) => "nothing gave it a tag".into(),
        (source, _) => format!("by {source}{}", line(d)),
    };
    _ = writeln!(out, "  {from}");
    for (flag, text) in [
        ("disagree", "its carriers disagree; the first counts"),
        ("malformed", "a carrier held no tag"),
        ("observe", "only observed"),
    ] {
        if d[flag] == true {
            _ = writeln!(out, "  {text}");
        }
    }
    if escape {
        let own = d["own_tag"].as_str().map_or("the baseline".into(), |own| format!("lane {own}"));
        let usable = &d["usable_in_lane"];
        _ = writeln!(out, "  it escaped its lane: this copy is of {own}, and {usable} usable ones are of its own lane");
    }
}

fn values(out: &mut String, d: &Value) {
    for value in d["values"].as_array().into_iter().flatten() {
        let (name, hash) = (word(&value["name"], "?"), word(&value["hash"], "?"));
        // Somebody else's bytes on this terminal: escaped.
        let shown = value["value"].as_str().map(|shown| format!(" {shown:?},")).unwrap_or_default();
        _ = writeln!(out, "  {name}:{shown} {} bytes, hash {hash} (salted in each process)", value["length"]);
    }
}

fn said(step: &str) -> &str {
    match step {
        "test" => "a condition",
        "chance" => "by chance",
        "drawn" => "a destination is drawn",
        "looked" => "destination",
        "nothing" => "nothing usable there",
        "no route" => "no route decides",
        step => step,
    }
}

fn line(d: &Value) -> String {
    let key = if d["rule_line"].is_null() { "line" } else { "rule_line" };
    d[key].as_u64().map_or(String::new(), |line| format!(" (line {line})"))
}

fn word<'v>(value: &'v Value, otherwise: &'static str) -> &'v str {
    value.as_str().unwrap_or(otherwise)
}
