//! What a decision costs: decide and pick at 10, 1,000 and 10,000 instances, 1 and 100 lanes.
//!
//! Sizes take turns in one run; a figure is the median of its windows with its 95 % interval (order statistics).

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use trilane_engine::{Engine, Instance, Options, TagId};

const WINDOWS: usize = 41;
const CALLS: u64 = 200_000;
/// Design: "≤ 100 ns and flat".
const LIMIT_NS: f64 = 100.0;

struct Case {
    instances: usize,
    lanes: usize,
    list: u64,
    stamp: u32,
    tags: Vec<TagId>,
    windows: Vec<f64>,
}

fn case(engine: &Engine, instances: usize, lanes: usize) -> Case {
    let addresses: Vec<String> = (0..instances).map(|n| format!("10.{}.{}.1:{}", n % 250, n / 250, 1000 + n)).collect();
    let tags: Vec<String> = (0..lanes).map(|n| format!("lane-{n}")).collect();
    let metadata: Vec<[(&str, &str); 1]> = tags.iter().map(|t| [("alicloud.service.tag", t.as_str())]).collect();
    // Half of the instances are baseline, the other half belongs to the lanes in turn.
    let of = |n: usize| if n % 2 == 0 { &[][..] } else { &metadata[n / 2 % lanes][..] };
    let listed: Vec<Instance> =
        addresses.iter().enumerate().map(|(n, address)| Instance { address, metadata: of(n), healthy: true }).collect();
    let list = engine.list_new(&[&format!("service-{instances}-{lanes}")], &listed);
    let tags = tags.iter().map(|t| engine.tag_find(t.as_bytes())).collect();
    Case { instances, lanes, list, stamp: engine.list_stamp(list), tags, windows: Vec::new() }
}

fn window(engine: &Engine, case: &mut Case) {
    let mut entropy = 0x9e37_79b9_7f4a_7c15u64;
    let begin = Instant::now();
    for call in 0..CALLS {
        entropy = entropy.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let tag = case.tags[call as usize % case.tags.len()];
        black_box(engine.route(case.list, black_box(tag), 0, entropy, case.stamp));
    }
    case.windows.push(begin.elapsed().as_nanos() as f64 / CALLS as f64);
}

/// Median and its 95 % interval by order statistics.
fn summary(windows: &mut [f64]) -> (f64, f64, f64) {
    windows.sort_by(f64::total_cmp);
    let n = windows.len() as f64;
    let reach = (0.98 * n.sqrt()).ceil() as usize;
    let middle = windows.len() / 2;
    (windows[middle], windows[middle.saturating_sub(reach)], windows[(middle + reach).min(windows.len() - 1)])
}

fn main() {
    let options = Options { agent_option: "log=off".into(), explicit: true, binding: "bench", ..Options::default() };
    let engine: Arc<Engine> = Engine::start(options);
    let sizes = [(10, 1), (10, 100), (1_000, 1), (1_000, 100), (10_000, 1), (10_000, 100)];
    let mut cases: Vec<Case> = sizes.iter().map(|&(instances, lanes)| case(&engine, instances, lanes)).collect();
    for _ in 0..WINDOWS {
        cases.iter_mut().for_each(|case| window(&engine, case));
    }
    println!("route: decide and pick, ns a call; goal: at most {LIMIT_NS} at every size");
    println!("| instances | lanes | median | 95 % interval | goal |\n|---:|---:|---:|---:|---|");
    let mut file = std::env::var("BENCH_JSONL").ok().map(|path| {
        std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    });
    for case in &mut cases {
        let (median, low, high) = summary(&mut case.windows);
        let goal = if high <= LIMIT_NS { "holds" } else { "not resolved" };
        println!("| {} | {} | {median:.1} | {low:.1} to {high:.1} | {goal} |", case.instances, case.lanes);
        if let Some(file) = &mut file {
            let (instances, lanes) = (case.instances, case.lanes);
            let size = serde_json::json!({"instances": instances, "lanes": lanes});
            let line = serde_json::json!({"bench": "route", "size": size, "ns": median, "low": low, "high": high});
            writeln!(file, "{line}").expect("the table is written");
        }
    }
}
