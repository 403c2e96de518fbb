//! What a decision costs in Rust: decide and pick, CPU time of the calling thread; one JSON line per size.
//!
//! `bench-route [--windows N] [--calls N] [--case INSTANCES,LANES]`: sizes take turns in one run, and each window's
//! figure is printed, so that `bench.py` can set them beside others. `bench-route --memory INSTANCES`: what a
//! published list keeps.

mod meter;

use meter::{allocations, cpu_nanos, live_bytes};
use std::hint::black_box;
use std::sync::Arc;
use trilane_engine::{Engine, Instance, Mode, Options, TagId};

const SIZES: [(usize, usize); 6] = [(10, 1), (10, 100), (1_000, 1), (1_000, 100), (10_000, 1), (10_000, 100)];

struct Case {
    instances: usize,
    lanes: usize,
    list: u64,
    stamp: u32,
    tags: Vec<TagId>,
    windows: Vec<f64>,
    allocations: u64,
}

/// Half of the instances are baseline, the other half belongs to the lanes in turn.
fn publish(engine: &Engine, instances: usize, lanes: usize) -> u64 {
    let addresses: Vec<String> = (0..instances).map(|n| format!("10.{}.{}.1:{}", n % 250, n / 250, 1000 + n)).collect();
    let tags: Vec<String> = (0..lanes).map(|n| format!("lane-{n}")).collect();
    let metadata: Vec<[(&str, &str); 1]> = tags.iter().map(|t| [("alicloud.service.tag", t.as_str())]).collect();
    let of = |n: usize| if n.is_multiple_of(2) { &[][..] } else { &metadata[n / 2 % lanes][..] };
    let listed: Vec<Instance> =
        addresses.iter().enumerate().map(|(n, address)| Instance { address, metadata: of(n), healthy: true }).collect();
    engine.list_new(&[&format!("service-{instances}-{lanes}")], &listed)
}

fn case(engine: &Engine, instances: usize, lanes: usize) -> Case {
    let list = publish(engine, instances, lanes);
    let tags = (0..lanes).map(|n| engine.tag_find(format!("lane-{n}").as_bytes())).collect();
    let case =
        Case { instances, lanes, list, stamp: engine.list_stamp(list), tags, windows: Vec::new(), allocations: 0 };
    let answer = engine.route(list, case.tags[0], 0, 1, case.stamp);
    let observes = if engine.mode() == Mode::Observe { 4 } else { 0 };
    assert!(answer as u32 != u32::MAX && answer >> 56 & 7 == observes, "the list decides: {answer:#x}");
    case
}

fn window(engine: &Engine, case: &mut Case, calls: u64) {
    let mut entropy = 0x9e37_79b9_7f4a_7c15u64;
    let before = allocations();
    let begin = cpu_nanos();
    for call in 0..calls {
        entropy = entropy.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let tag = case.tags[call as usize % case.tags.len()];
        black_box(engine.route(case.list, black_box(tag), 0, entropy, case.stamp));
    }
    let nanos = (cpu_nanos() - begin) / calls as f64;
    case.allocations += allocations() - before;
    case.windows.push(nanos);
}

fn memory(engine: &Engine, instances: usize) {
    engine.list_free(publish(engine, 10, 1));
    let before = live_bytes();
    let list = publish(engine, instances, 1);
    let bytes = live_bytes() - before;
    println!("{}", serde_json::json!({"instances": instances, "bytes": bytes, "list": list != 0}));
}

fn main() {
    let (mut windows, mut calls, mut sizes, mut of_memory) = (41, 200_000, SIZES.to_vec(), None);
    let words: Vec<String> = std::env::args().skip(1).collect();
    for pair in words.chunks(2) {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{pair:?}: a number is expected"));
        match pair {
            [name, value] if name == "--windows" => windows = number(value),
            [name, value] if name == "--calls" => calls = number(value) as u64,
            [name, value] if name == "--memory" => of_memory = Some(number(value)),
            [name, value] if name == "--case" && value.contains(',') => {
                sizes = value.split_once(',').map(|(n, lanes)| (number(n), number(lanes))).into_iter().collect();
            }
            _ => panic!("{pair:?} is no option; see the top of bench/route.rs"),
        }
    }
    let start = |option: &str| {
        let agent_option = option.to_string();
        Engine::start(Options { agent_option, explicit: true, binding: "bench", ..Options::default() })
    };
    let engine: Arc<Engine> = start("log=off");
    let observing: Arc<Engine> = start("log=off,mode=observe");
    if let Some(instances) = of_memory {
        return memory(&engine, instances);
    }
    let all = |engine: &Engine| -> Vec<Case> { sizes.iter().map(|&(n, lanes)| case(engine, n, lanes)).collect() };
    let (mut cases, mut observed) = (all(&engine), all(&observing));
    for _ in 0..windows {
        for (case, beside) in cases.iter_mut().zip(&mut observed) {
            window(&engine, case, calls);
            window(&observing, beside, calls);
        }
    }
    for (case, beside) in cases.iter().zip(&observed) {
        let allocations = case.allocations + beside.allocations;
        let line = serde_json::json!({"instances": case.instances, "lanes": case.lanes, "ns": case.windows,
            "observe_ns": beside.windows, "allocations": allocations});
        println!("{line}");
    }
}
