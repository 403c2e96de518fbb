//! `trilane simulate` and `trilane diff`: many requests through rules, by the code that decides.

use crate::explain::{Answer, Case, Scene, answer, question, rules_of};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trilane_lane::rules;

/// The requests.
#[derive(clap::Args)]
struct Users {
    /// How many requests, each with its own number as the key
    #[arg(long, short = 'n', default_value_t = 10_000, conflicts_with = "users",
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    requests: u64,
    /// Header that holds the key
    #[arg(long, default_value = "x-user-id")]
    key: String,
    /// A CSV file: its first line names headers, each further line is a request
    #[arg(long)]
    users: Option<PathBuf>,
}

/// What to simulate.
#[derive(clap::Args)]
pub struct Options {
    /// Rule file
    #[arg(long, short)]
    rules: PathBuf,
    #[command(flatten)]
    users: Users,
    #[command(flatten)]
    scene: Scene,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What to compare.
#[derive(clap::Args)]
pub struct DiffOptions {
    /// The rules in force
    old: PathBuf,
    /// The rules to come
    new: PathBuf,
    #[command(flatten)]
    users: Users,
    #[command(flatten)]
    scene: Scene,
    /// How many of those that change are shown
    #[arg(long, default_value_t = 10)]
    show: usize,
}

type Headers = BTreeMap<String, String>;
/// The exit status, and why.
type Trouble = (u8, String);

impl Users {
    fn headers(&self) -> Result<Vec<Headers>, Trouble> {
        let Some(file) = &self.users else {
            return Ok((0..self.requests).map(|n| [(self.key.clone(), n.to_string())].into()).collect());
        };
        let unable = |why: String| (crate::UNABLE, format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|e| unable(format!("cannot be read: {e}")))?;
        // Spreadsheets put a byte order mark before the first name.
        let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
        let cells =
            |line: &str| line.split(',').map(|cell| cell.trim().trim_matches('"').to_string()).collect::<Vec<_>>();
        let names = lines.next().map(cells).ok_or_else(|| unable("it is empty".into()))?;
        Ok(lines.map(|line| names.iter().cloned().zip(cells(line)).collect()).collect())
    }
}

/// The answers to all requests; an instance per lane stands in where the scene names none.
fn answers(file: &Path, scene: &Scene, users: &[Headers]) -> Result<Vec<Answer>, Trouble> {
    let name = file.display().to_string();
    let mut base = question(scene.clone()).map_err(|why| (crate::UNABLE, why))?;
    base.rules = rules_of(file)?;
    let one = |(n, headers): (usize, &Headers)| {
        let mut case: Case = base.clone();
        case.request.headers.extend(headers.clone());
        answer(&name, &mut case, (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).map_err(|why| (crate::WRONG, why))
    };
    users.iter().enumerate().map(one).collect()
}

fn lane(answer: &Answer) -> String {
    answer.tag.clone().unwrap_or_else(|| "baseline".into())
}

/// Status 0: done, 1: the rules are wrong, 2: a file cannot be read.
pub fn run(options: &Options) -> u8 {
    let answered = options.users.headers().and_then(|users| answers(&options.rules, &options.scene, &users));
    let answers = match answered {
        Ok(answers) => answers,
        Err((status, why)) => {
            eprintln!("{why}");
            return status;
        }
    };
    let (mut lanes, mut instances) = (BTreeMap::new(), BTreeMap::new());
    for one in &answers {
        *lanes.entry(lane(one)).or_insert(0u64) += 1;
        *instances.entry(one.pick.clone().unwrap_or_else(|| "none".into())).or_insert(0u64) += 1;
    }
    let said = said(&options.rules, options.scene.caller.as_deref());
    let total = answers.len().max(1) as f64;
    if options.json {
        println!("{}", json!({"requests": answers.len(), "lanes": lanes, "picked": instances, "rule": said}));
        return crate::OK;
    }
    println!("{} requests", answers.len());
    for (name, count) in &lanes {
        let part = *count as f64 / total * 100.0;
        let bar = "#".repeat((part / 2.5).round() as usize);
        let rule = said.get(name).map_or(String::new(), |s| format!("  the rule says {s:.2} %"));
        println!("  {name:<16} {count:>9}  {part:>6.2} %  {bar:<40}{rule}");
    }
    println!("picked");
    for (id, count) in &instances {
        println!("  {id:<24} {count:>9}  {:>6.2} %", *count as f64 / total * 100.0);
    }
    crate::OK
}

/// The shares that a native file's entry rules write down for a caller, where they are shares alone.
fn said(file: &Path, caller: Option<&str>) -> BTreeMap<String, f64> {
    let mut said = BTreeMap::new();
    let Ok(text) = std::fs::read_to_string(file) else { return said };
    let Ok(rules) = rules::check("", &text) else { return said };
    for rule in rules.entries.iter().filter(|e| Some(e.service.as_str()) == caller).flat_map(|e| &e.rules) {
        if let (Some(lane), Some(share)) = (&rule.lane, &rule.share) {
            *said.entry(lane.clone()).or_insert(0.0) += f64::from(share.to - share.from) / 100.0;
        }
    }
    said
}

/// Status 0: nothing changes, 1: something does, 2: nobody can tell, as rules are wrong or a file cannot be read.
pub fn diff(options: &DiffOptions) -> u8 {
    let both = options.users.headers().and_then(|users| {
        let old = answers(&options.old, &options.scene, &users)?;
        let new = answers(&options.new, &options.scene, &users)?;
        Ok((users, old, new))
    });
    let (users, old, new) = match both {
        Ok(both) => both,
        Err((_, why)) => {
            eprintln!("{why}");
            return crate::UNABLE;
        }
    };
    let mut ways: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for n in 0..users.len() {
        let mut how = Vec::new();
        if lane(&old[n]) != lane(&new[n]) {
            how.push(format!("lane {} -> {}", lane(&old[n]), lane(&new[n])));
        }
        if old[n].share != new[n].share {
            let set = |a: &Answer| if a.set.is_empty() { "nothing".to_string() } else { a.set.join(" ") };
            how.push(format!("served by {} -> {}", set(&old[n]), set(&new[n])));
        }
        if !how.is_empty() {
            ways.entry(how.join(", ")).or_default().push(n);
        }
    }
    println!("{} of {} requests change", ways.values().map(Vec::len).sum::<usize>(), users.len());
    for (how, who) in &ways {
        println!("  {how}: {}", who.len());
        for n in who.iter().take(options.show) {
            let headers: Vec<String> = users[*n].iter().map(|(name, value)| format!("{name}={value}")).collect();
            let why = |a: &Answer| if a.tag_from.is_empty() { "nothing".to_string() } else { a.tag_from.clone() };
            println!("    {}: by {} before, by {} now", headers.join(" "), why(&old[*n]), why(&new[*n]));
        }
    }
    if ways.is_empty() { crate::OK } else { crate::WRONG }
}
