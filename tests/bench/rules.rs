//! What a decision by many rules costs in Rust, and what compiling them does; CPU time of the calling thread.
//!
//! `bench-rules [--windows N] [--calls N]`: one JSON line per case. Rules compare two headers and the path's prefix;
//! each leads to one of 100 subsets of 10,000 instances. The bare loop that reads the request's values is measured
//! beside.

mod meter;

use meter::{allocations, cpu_nanos, live_bytes};
use std::hint::black_box;
use std::sync::Arc;
use trilane_lane::model::chain::Chain;
use trilane_lane::model::decide::{Entropy, decide};
use trilane_lane::model::plan::{Endpoint, Plan};
use trilane_lane::model::*;

const INSTANCES: usize = 10_000;
const SUBSETS: usize = 100;
/// How often rules are compiled and an instance changes.
const REPEATS: usize = 15;

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

/// One number of rules: its plan, and what was measured with it.
struct Case {
    rules: usize,
    plan: Plan,
    /// What the rules keep, over an empty list.
    rule_bytes: i64,
    /// What the instances add to that.
    instance_bytes: i64,
    compile_ms: Vec<f64>,
    change_us: Vec<f64>,
    bare_ns: Vec<f64>,
    decide_ns: Vec<f64>,
    allocations: u64,
}

fn case(rules: usize, list: &[Endpoint]) -> Case {
    let service = service(rules);
    let make = |list: &[Endpoint]| Plan::new(Arc::new(Chain::new(&[&service], &Caller::default())), list);
    let kept = |list: &[Endpoint]| {
        let before = live_bytes();
        let plan = make(list);
        (live_bytes() - before, plan)
    };
    let (rule_bytes, _) = kept(&[]);
    let (bytes, mut plan) = kept(list);
    let (mut compile_ms, mut change_us) = (Vec::new(), Vec::new());
    for n in 0..REPEATS {
        let begin = cpu_nanos();
        plan = make(list); // drops the one that was in force
        compile_ms.push((cpu_nanos() - begin) / 1e6);
        let at = (n * 7919 % INSTANCES) as u32;
        let begin = cpu_nanos();
        let changed = plan.with_health(at, false);
        change_us.push((cpu_nanos() - begin) / 1e3);
        assert!(!changed.healthy(at) && plan.healthy(at));
    }
    let (bare_ns, decide_ns) = (Vec::new(), Vec::new());
    let instance_bytes = bytes - rule_bytes;
    Case { rules, plan, rule_bytes, instance_bytes, compile_ms, change_us, bare_ns, decide_ns, allocations: 0 }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [windows, calls] = meter::options(&words, &[("windows", 21), ("calls", 200_000)])[..] else { unreachable!() };
    let list = endpoints();
    let mut cases: Vec<Case> = [1, 100, 10_000].map(|rules| case(rules, &list)).into();
    let users: Vec<String> = (0..10_000).map(|n| format!("user-{n}")).collect();
    let regions: Vec<String> = (0..10).map(|n| format!("r{n}")).collect();
    for _ in 0..windows {
        for case in &mut cases {
            let bare = |values: &[Option<&str>], _| values.iter().flatten().map(|v| u64::from(v.as_bytes()[0])).sum();
            case.bare_ns.push(window(calls, &users, &regions, case.rules, bare));
            let before = allocations();
            let plan = &case.plan;
            let took = window(calls, &users, &regions, case.rules, |values, entropy| {
                decide(plan, values, &mut Entropy(entropy), &mut ()).index.map_or(0, u64::from)
            });
            case.allocations += allocations() - before;
            case.decide_ns.push(took);
        }
    }
    for case in &cases {
        let line = serde_json::json!({
            "rules": case.rules, "instances": INSTANCES, "compile_ms": case.compile_ms, "change_us": case.change_us,
            "rule_bytes": case.rule_bytes, "instance_bytes": case.instance_bytes, "bare_ns": case.bare_ns,
            "decide_ns": case.decide_ns, "allocations": case.allocations,
        });
        println!("{line}");
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
