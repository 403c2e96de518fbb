//! What a decision by many rules costs in Rust, and what compiling them does; CPU time of the calling thread.
//!
//! `bench-rules [--windows N] [--calls N]`: one JSON line per case. Rules compare two headers and the path's prefix;
//! each leads to one of 100 subsets of 10,000 instances. The bare loop that makes the request's values is measured
//! beside and not taken off.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use trilane_lane::model::chain::Chain;
use trilane_lane::model::decide::{Entropy, decide};
use trilane_lane::model::plan::{Endpoint, Plan};
use trilane_lane::model::*;

/// The system's allocator with a count.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        LIVE_BYTES.fetch_add(layout.size() as i64, Relaxed);
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: the pointer came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// CPU time of this thread.
fn cpu_nanos() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    assert_eq!(status, 0, "Linux has a CPU clock per thread");
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

const INSTANCES: usize = 10_000;
const SUBSETS: usize = 100;

fn service(rules: usize) -> Service {
    let route = |n: usize| {
        let is = |field: Field, test: Test| Condition::is(field, test);
        let when = Condition::All(vec![
            is(Field::Header("x-user".into()), Test::Exact(format!("user-{n}").into())),
            is(Field::Header("x-region".into()), Test::Exact(format!("r{}", n % 10).into())),
            is(Field::Path, Test::Prefix("/api/".into())),
        ]);
        let subset = Condition::is(Field::Label("version".into()), Test::Exact(format!("v{}", n % SUBSETS).into()));
        let destinations = vec![Destination::new("", Selector::Where(subset), 100, 1)];
        let (name, line) = (format!("rule {n}").into(), n as u32);
        Route { name, line, when, destinations, draw: Draw::Written, if_nothing: IfNothing::Fail }
    };
    let routes = (0..rules).map(route).collect();
    let stage = Stage { title: "bench".into(), routes, otherwise: Otherwise::Keep };
    Service { names: vec![Name::Exact("pricing".into())], stages: vec![Arc::new(stage)], line: 1 }
}

fn endpoints() -> Vec<Endpoint> {
    let one = |n: usize| Endpoint {
        address: format!("10.{}.{}.{}:8080", n >> 16, n >> 8 & 255, n & 255).into(),
        tag: None,
        labels: [("version".into(), format!("v{}", n % SUBSETS).into())].into(),
        healthy: true,
    };
    (0..INSTANCES).map(one).collect()
}

fn quartiles(mut windows: Vec<f64>) -> (f64, f64, f64) {
    windows.sort_by(f64::total_cmp);
    let at = |part: usize| windows[(windows.len() - 1) * part / 4];
    (at(1), at(2), at(3))
}

fn main() {
    let (mut windows, mut calls) = (21, 200_000u64);
    let words: Vec<String> = std::env::args().skip(1).collect();
    for pair in words.chunks(2) {
        match pair {
            [name, value] if name == "--windows" => windows = value.parse().expect("a number"),
            [name, value] if name == "--calls" => calls = value.parse().expect("a number"),
            _ => panic!("{pair:?} is no option; see the top of bench/rules.rs"),
        }
    }
    let list = endpoints();
    let mut cases: Vec<(usize, Plan, Vec<f64>, u64)> = Vec::new();
    for rules in [1, 100, 10_000] {
        let service = service(rules);
        let live = LIVE_BYTES.load(Relaxed);
        let begin = cpu_nanos();
        let plan = Plan::new(Arc::new(Chain::new(&[&service], &Caller::default())), &list);
        let compiled = cpu_nanos() - begin;
        let bytes = LIVE_BYTES.load(Relaxed) - live;
        let begin = cpu_nanos();
        let changed = plan.with_health(77, false);
        let change = cpu_nanos() - begin;
        assert!(!changed.healthy(77));
        let line = serde_json::json!({"rules": rules, "instances": INSTANCES, "compile_ms": compiled / 1e6,
            "health_change_us": change / 1e3, "bytes": bytes});
        println!("{line}");
        cases.push((rules, plan, Vec::new(), 0));
    }
    let users: Vec<String> = (0..10_000).map(|n| format!("user-{n}")).collect();
    let regions: Vec<String> = (0..10).map(|n| format!("r{n}")).collect();
    let mut bare = Vec::new();
    for _ in 0..windows {
        bare.push(window(calls, &users, &regions, 10_000, |values, _| values.iter().flatten().count() as u64));
        for (rules, plan, times, allocations) in &mut cases {
            let before = ALLOCATIONS.load(Relaxed);
            times.push(window(calls, &users, &regions, *rules, |values, entropy| {
                decide(plan, values, &mut Entropy(entropy), &mut ()).index.map_or(0, u64::from)
            }));
            *allocations += ALLOCATIONS.load(Relaxed) - before;
        }
    }
    let (low, middle, high) = quartiles(bare);
    println!("{}", serde_json::json!({"rules": 0, "what": "bare loop", "ns": middle, "quartiles": [low, high]}));
    for (rules, _, times, allocations) in cases {
        let (low, middle, high) = quartiles(times);
        println!(
            "{}",
            serde_json::json!({"rules": rules, "instances": INSTANCES, "ns": middle, "quartiles": [low, high],
                "allocations": allocations, "calls": calls * windows})
        );
    }
}

/// CPU time of one call, in ns: each with the values of another user.
fn window(
    calls: u64,
    users: &[String],
    regions: &[String],
    rules: usize,
    mut body: impl FnMut(&[Option<&str>], u64) -> u64,
) -> f64 {
    let mut entropy = 0x9e37_79b9_7f4a_7c15u64;
    let begin = cpu_nanos();
    for call in 0..calls {
        entropy = entropy.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let n = (call as usize * 7919) % rules;
        // By slot: in the order in which the conditions name them.
        let values = [Some(users[n].as_str()), Some(regions[n % 10].as_str()), Some("/api/orders/7")];
        black_box(body(black_box(&values), entropy));
    }
    (cpu_nanos() - begin) / calls as f64
}
