//! What a decision by Dubbo's rules costs in Rust: `bench-dubbo-rules WINDOWS MILLISECONDS`.
//!
//! Reads questions as `trilane explain --batch` does, a line each; they take turns, a window each, after so many
//! milliseconds of warming up. One JSON line per case: CPU time of the calling thread per decision and pick, and what
//! compiling the rules and indexing the list took.

mod meter;

use serde_json::{Value, json};
use std::hint::black_box;
use std::io::BufRead;
use std::sync::Arc;
use trilane_lane::model::chain::Chain;
use trilane_lane::model::decide::{Entropy, decide};
use trilane_lane::model::plan::{Endpoint, Plan};
use trilane_lane::model::{Caller, Field};
use trilane_lane::rules::dialect::{Context, Dialect, read};

const WINDOW: u64 = 20_000_000;

struct Case {
    id: String,
    plan: Plan,
    values: Vec<Option<String>>,
    made: u64,
    windows: Vec<f64>,
}

fn now() -> u64 {
    meter::cpu_nanos() as u64
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn labels(value: &Value) -> Vec<(Arc<str>, Arc<str>)> {
    let all = value.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.as_str().into(), text(value)?.into()))).collect()
}

fn endpoint(value: &Value) -> Endpoint {
    let labels = labels(&value["labels"]);
    let tag = labels.iter().find(|(name, _)| &**name == "dubbo.tag").map(|(_, tag)| tag.clone());
    let address = format!("{}:{}", value["host"].as_str().unwrap_or(""), value["port"]).into();
    Endpoint { address, tag, labels: labels.into(), healthy: true }
}

fn case(asked: &Value) -> Case {
    let dialect = asked["dialect"].as_str().and_then(Dialect::parse).expect("a dialect");
    let rules = asked["rules"].as_str().expect("rules");
    let endpoints: Vec<Endpoint> = asked["instances"].as_array().into_iter().flatten().map(endpoint).collect();
    let caller = Caller { labels: labels(&asked["caller"]["labels"]), ..Caller::default() };
    let begin = now();
    let lowered = read(dialect, "rules", rules, &Context::default()).unwrap_or_else(|e| panic!("{}", e[0]));
    let services = lowered.model.services_of(&[asked["service"].as_str().unwrap_or("")]);
    let plan = Plan::new(Arc::new(Chain::new(&services, &caller)), &endpoints);
    let made = now() - begin;
    let request = &asked["request"];
    let value = |field: &Field| match field {
        Field::Tag => text(&request["tag"]),
        Field::Method => text(&request["method"]),
        Field::Service => text(&asked["service"]),
        Field::Attachment(name) => text(&request["attachments"][&**name]),
        Field::Argument(at) => text(&request["args"][usize::from(*at)]),
        _ => None,
    };
    let values = plan.chain().fields().iter().map(value).collect();
    Case { id: asked["id"].as_str().unwrap_or("").into(), plan, values, made, windows: Vec::new() }
}

impl Case {
    fn window(&self, length: u64) -> f64 {
        let values: Vec<Option<&str>> = self.values.iter().map(Option::as_deref).collect();
        let (mut calls, mut took, mut step) = (0u64, 0, 1);
        let begin = now();
        while took < length {
            for n in 0..step {
                let mut entropy = Entropy((calls + n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                black_box(decide(&self.plan, black_box(&values[..]), &mut entropy, &mut ()).index);
            }
            calls += step;
            step = (step * 2).min(calls);
            took = now() - begin;
        }
        took as f64 / calls as f64
    }
}

fn main() {
    let number = |at: usize| std::env::args().nth(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(windows), Some(warm)) = (number(1), number(2)) else {
        eprintln!("bench-dubbo-rules WINDOWS MILLISECONDS < questions");
        std::process::exit(2);
    };
    let lines = std::io::stdin().lock().lines().map(|line| line.expect("a line"));
    let mut cases: Vec<Case> = lines.map(|line| case(&serde_json::from_str(&line).expect("JSON"))).collect();
    for case in &cases {
        case.window(warm * 1_000_000);
    }
    for _ in 0..windows {
        for case in &mut cases {
            let took = case.window(WINDOW);
            case.windows.push(took);
        }
    }
    for case in cases {
        println!("{}", json!({"id": case.id, "ns": case.windows, "made": case.made}));
    }
}
