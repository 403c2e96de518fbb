//! What a decision costs in Rust: decide and pick, CPU time of the calling thread; one JSON line per size.
//!
//! `bench-route [--windows N] [--calls N] [--case INSTANCES,LANES]`: sizes take turns in one run, and each window's
//! figure is printed, so that `bench.py` can set them beside others. `bench-route --memory INSTANCES`: what a
//! published list keeps.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use trilane_engine::{Engine, Instance, Options, TagId};

const SIZES: [(usize, usize); 6] = [(10, 1), (10, 100), (1_000, 1), (1_000, 100), (10_000, 1), (10_000, 100)];

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
    assert!(answer as u32 != u32::MAX && answer >> 56 & 7 == 0, "the list decides: {answer:#x}");
    case
}

/// CPU time of this thread.
fn cpu_nanos() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    assert_eq!(status, 0, "Linux has a CPU clock per thread");
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

fn window(engine: &Engine, case: &mut Case, calls: u64) {
    let mut entropy = 0x9e37_79b9_7f4a_7c15u64;
    let before = ALLOCATIONS.load(Relaxed);
    let begin = cpu_nanos();
    for call in 0..calls {
        entropy = entropy.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let tag = case.tags[call as usize % case.tags.len()];
        black_box(engine.route(case.list, black_box(tag), 0, entropy, case.stamp));
    }
    let nanos = (cpu_nanos() - begin) / calls as f64;
    case.allocations += ALLOCATIONS.load(Relaxed) - before;
    case.windows.push(nanos);
}

fn memory(engine: &Engine, instances: usize) {
    engine.list_free(publish(engine, 10, 1));
    let before = LIVE_BYTES.load(Relaxed);
    let list = publish(engine, instances, 1);
    let bytes = LIVE_BYTES.load(Relaxed) - before;
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
    let options = Options { agent_option: "log=off".into(), explicit: true, binding: "bench", ..Options::default() };
    let engine: Arc<Engine> = Engine::start(options);
    if let Some(instances) = of_memory {
        return memory(&engine, instances);
    }
    let mut cases: Vec<Case> = sizes.iter().map(|&(instances, lanes)| case(&engine, instances, lanes)).collect();
    for _ in 0..windows {
        cases.iter_mut().for_each(|case| window(&engine, case, calls));
    }
    for Case { instances, lanes, windows, allocations, .. } in &cases {
        let line = serde_json::json!(
            {"instances": instances, "lanes": lanes, "ns": windows, "allocations": allocations});
        println!("{line}");
    }
}
