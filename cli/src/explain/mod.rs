//! `trilane explain`: why does this request go there?

mod answer;
mod case;
mod live;

pub use answer::{Answer, answer};
pub use case::{Case, Instance};

use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use trilane_lane::model::explain::Told;

/// What to ask.
#[derive(clap::Args)]
pub struct Options {
    /// Read one question (a JSON object) a line from standard input, answer one a line
    #[arg(long, conflicts_with = "rules")]
    batch: bool,
    /// Show what this living process decided lately, of --service and of --tag where they are given
    #[arg(long, conflicts_with_all = ["rules", "batch"])]
    pid: Option<u32>,
    /// With --pid: so many of the newest
    #[arg(long, default_value_t = 20, requires = "pid")]
    last: usize,
    /// Rule file
    #[arg(long, short, required_unless_present_any = ["batch", "pid"])]
    rules: Option<PathBuf>,
    #[command(flatten)]
    scene: Scene,
    /// Chance for the pick: the same number, the same answer
    #[arg(long, default_value_t = 0)]
    entropy: u64,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Who asks whom for what.
#[derive(clap::Args, Clone)]
pub struct Scene {
    /// Dialect of the rules, where the text does not tell: native, asm, istio, dubbo-tag, dubbo-condition, dubbo-mesh,
    /// dubbo-affinity, joylive, polaris, opensergo
    #[arg(long)]
    pub dialect: Option<String>,
    /// Name of the called service
    #[arg(long, short, default_value = "")]
    service: String,
    /// An instance: `host:port[,label=value…][,down]`; its address is its id
    #[arg(long, short)]
    instance: Vec<String>,
    /// Name of the calling service
    #[arg(long)]
    pub caller: Option<String>,
    /// Address of the caller
    #[arg(long)]
    caller_host: Option<String>,
    /// A label of the caller, `name=value`
    #[arg(long, value_parser = pair)]
    caller_label: Vec<(String, String)>,
    /// Tag of the request
    #[arg(long, short)]
    tag: Option<String>,
    /// Called method
    #[arg(long)]
    method: Option<String>,
    /// Path of the URL
    #[arg(long)]
    path: Option<String>,
    /// A header, `name=value`
    #[arg(long, short = 'H', value_parser = pair)]
    header: Vec<(String, String)>,
    /// A Dubbo attachment, `name=value`
    #[arg(long, value_parser = pair)]
    attachment: Vec<(String, String)>,
    /// An argument of the call; repeat in order
    #[arg(long)]
    arg: Vec<String>,
    /// A setting, `name=value`
    #[arg(long, value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(n, v)| (n.to_string(), v.to_string())).ok_or_else(|| "expected name=value".into())
}

/// Status 0: answered, 1: the rules are wrong, 2: a file cannot be read.
pub fn run(options: Options) -> u8 {
    if options.batch {
        return batch();
    }
    if let Some(pid) = options.pid {
        let (service, tag) = (options.scene.service.as_str(), options.scene.tag.as_deref());
        return live::run(&live::Asked { pid, last: options.last, service, tag, json: options.json });
    }
    let file = options.rules.clone().unwrap_or_default();
    let name = file.display().to_string();
    let (entropy, in_json) = (options.entropy, options.json);
    let asked = question(options.scene).map_err(|why| (crate::UNABLE, why));
    let mut case = match asked.and_then(|asked| Ok(Case { rules: rules_of(&file)?, ..asked })) {
        Ok(case) => case,
        Err((status, why)) => {
            eprintln!("{why}");
            return status;
        }
    };
    match answer(&name, &mut case, entropy) {
        Err(problems) => {
            eprintln!("{problems}");
            crate::WRONG
        }
        Ok(answer) if in_json => {
            println!("{}", told(&answer));
            crate::OK
        }
        Ok(answer) => {
            print!("{}", tree(&answer));
            crate::OK
        }
    }
}

/// The text of a rule file; of an empty one what a process says of it too: the default policy is in a question's `""` only.
pub fn rules_of(file: &Path) -> Result<String, (u8, String)> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|e| (crate::UNABLE, format!("{name}: cannot be read: {e}")))?;
    if !text.trim().is_empty() {
        return Ok(text);
    }
    let problems = crate::check::load(&name, &text, None).err().unwrap_or_default();
    Err((crate::WRONG, problems.iter().map(|p| p.to_string()).collect::<Vec<_>>().join("\n")))
}

/// The question of a scene, without rules.
pub fn question(options: Scene) -> Result<Case, String> {
    let mut case = Case { dialect: options.dialect, service: options.service, ..Case::default() };
    for text in &options.instance {
        let mut parts = text.split(',');
        let address = parts.next().unwrap_or("");
        let (host, port) = address.rsplit_once(':').ok_or_else(|| format!("`{address}` is no host:port"))?;
        let port = port.parse().map_err(|_| format!("`{address}` is no host:port"))?;
        let mut instance = Instance { id: address.into(), host: host.into(), port, ..Instance::default() };
        for part in parts {
            match part.split_once('=') {
                Some((name, value)) => _ = instance.labels.insert(name.into(), value.into()),
                None if part == "down" => instance.healthy = false,
                None => return Err(format!("`{part}` is neither label=value nor `down`")),
            }
        }
        case.instances.push(instance);
    }
    case.caller.service = options.caller;
    case.caller.host = options.caller_host;
    case.caller.labels = options.caller_label.into_iter().collect();
    let request = &mut case.request;
    (request.tag, request.method, request.path) = (options.tag, options.method, options.path);
    request.headers = options.header.into_iter().collect();
    request.attachments = options.attachment.into_iter().collect();
    request.args = options.arg.into_iter().map(Value::String).collect();
    case.settings = options.set.into_iter().map(|(n, v)| (n, Value::String(v))).collect();
    Ok(case)
}

/// A line that cannot be answered gets an `error`; the others are answered.
fn batch() -> u8 {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { return crate::UNABLE };
        if line.trim_ascii().is_empty() {
            continue;
        }
        if writeln!(out, "{}", one(&line)).is_err() {
            return crate::UNABLE;
        }
    }
    if out.flush().is_err() { crate::UNABLE } else { crate::OK }
}

fn one(line: &[u8]) -> Value {
    let failed = |id: Value, error: String| json!({"id": id, "tag": null, "set": [], "share": {}, "error": error});
    let mut case: Case = match serde_json::from_slice(line) {
        Ok(case) => case,
        Err(e) => {
            let id = serde_json::from_slice::<Value>(line).ok().and_then(|v| v.get("id").cloned());
            return failed(id.unwrap_or(Value::Null), format!("the question cannot be read: {e}"));
        }
    };
    for (n, instance) in case.instances.iter_mut().enumerate().filter(|(_, i)| i.id.is_empty()) {
        instance.id = if instance.host.is_empty() { n.to_string() } else { instance.address() };
    }
    let answered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| answer("rules", &mut case, 0)));
    match answered {
        Ok(Ok(a)) => json!({"id": case.id, "tag": a.tag, "set": a.set, "share": a.share, "error": null}),
        Ok(Err(problems)) => failed(case.id, problems),
        Err(_) => failed(case.id, "a fault in trilane itself: please report this question".into()),
    }
}

/// The answer with everything that was tried.
fn told(answer: &Answer) -> Value {
    let policy = answer.policy.as_ref().map(|p| format!("{p:?}"));
    json!({
        "tag": answer.tag, "tag_from": answer.tag_from, "steps": nested(&answer.steps), "case": answer.case,
        "set": answer.set, "share": answer.share, "pick": answer.pick, "policy": policy,
        "notes": answer.notes.iter().map(|n| n.to_string()).collect::<Vec<_>>(),
    })
}

/// Steps as a tree, by their depth.
fn nested(steps: &[Told]) -> Vec<Value> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < steps.len() {
        let step = &steps[at];
        let end = steps[at + 1..].iter().position(|s| s.depth <= step.depth).map_or(steps.len(), |n| at + 1 + n);
        let mut value = json!({"step": step.kind, "text": step.text});
        if step.line > 0 {
            value["line"] = json!(step.line);
        }
        if let Some((instances, usable)) = step.counts {
            (value["instances"], value["usable"]) = (json!(instances), json!(usable));
        }
        if let Some(holds) = step.holds {
            value["holds"] = json!(holds);
        }
        if end > at + 1 {
            value["steps"] = Value::Array(nested(&steps[at + 1..end]));
        }
        out.push(value);
        at = end;
    }
    out
}

fn tree(answer: &Answer) -> String {
    let mut text = match &answer.tag {
        Some(tag) => format!("tag {tag}, from {}\n", answer.tag_from),
        None => "no tag\n".to_string(),
    };
    for step in &answer.steps {
        let indent = "  ".repeat(usize::from(step.depth) + 1);
        let holds = step.holds.map_or("", |h| if h { ": yes" } else { ": no" });
        let line = if step.line > 0 { format!("  (line {})", step.line) } else { String::new() };
        let counts = step.counts.map_or(String::new(), |(i, u)| format!(" [{u} usable of {i}]"));
        text += &format!("{indent}{}{holds}{counts}{line}\n", step.text);
    }
    text += &format!("case {}\n", answer.case);
    for id in &answer.set {
        text += &format!("  {id}  {:.2} %\n", answer.share.get(id).unwrap_or(&0.0) * 100.0);
    }
    text += &format!("picked {}\n", answer.pick.as_deref().unwrap_or("none"));
    if let Some(policy) = &answer.policy {
        text += &format!("policy {policy:?}\n");
    }
    for note in &answer.notes {
        text += &format!("note: {note}\n");
    }
    text
}
