//! Rules are replaced while calls are decided: every decision is one snapshot's, nobody waits, nothing stays behind.

use crate::outbound::STALE;
use crate::{Engine, Instance, Options, TagId};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

const RELOADS: u32 = 1_000;

/// Whoever has this header goes to this version; everybody else to v0, which nobody who reads these rules does.
fn rules(header: &str, version: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: stock}}
spec:
  hosts: [stock]
  http:
    - match: [{{headers: {{{header}: {{exact: \"yes\"}}}}}}]
      route: [{{destination: {{host: stock, subset: {version}}}}}]
    - route: [{{destination: {{host: stock, subset: v0}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: stock}}
spec:
  host: stock
  subsets: [{{name: v0, labels: {{version: v0}}}}, {{name: {version}, labels: {{version: {version}}}}}]
"
    )
}

fn engine() -> (Arc<Engine>, u64) {
    let agent_option = "log=off".to_string();
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    assert!(engine.take_rules("first", &rules("x-a", "v1")));
    let metadata = ["v0", "v1", "v2"].map(|version| [("version", version)]);
    let instances =
        [0, 1, 2].map(|at| Instance { address: ["a:1", "b:1", "c:1"][at], metadata: &metadata[at], healthy: true });
    let list = engine.list_new(&["stock"], &instances);
    (engine, list)
}

/// From 1 microsecond to `longest`, evenly by their logarithm, in an order without a pattern.
fn interval(reload: u32, longest: f64) -> Duration {
    let place = f64::from(reload * 7_919 % RELOADS) / f64::from(RELOADS - 1);
    Duration::from_secs_f64(1e-6 * (longest / 1e-6).powf(place))
}

/// Decides as a binding does: names once for each stamp, values by those names. Says which rules decided.
fn decided(engine: &Engine, list: u64, subset: &mut Vec<u32>) -> Option<u32> {
    let asked = engine.route_names(list);
    let wanted = match asked.names.first().map(String::as_str) {
        Some("x-a") => 1,
        Some("x-b") => 2,
        other => panic!("rules that nobody wrote: {other:?}"),
    };
    let word = engine.route_with(list, TagId::NONE, 7, asked.stamp, &[Some(b"yes")]);
    if word & STALE != 0 {
        return None;
    }
    assert_eq!(word as u32, wanted, "the names were of one snapshot and the decision of another");
    // The subset is the same snapshot's, or it says that it is not.
    if engine.subset(list, (word >> 32) as u16, subset) == asked.stamp {
        assert_eq!(subset[..], [wanted]);
    }
    Some(wanted)
}

#[test]
fn a_thousand_reloads_under_load_tear_no_decision_and_leave_nothing() {
    let (engine, list) = engine();
    // Compressed for every day; `TRILANE_RELOADS=long` takes the intervals as they are named.
    let longest = if std::env::var("TRILANE_RELOADS").is_ok_and(|v| v == "long") { 1.0 } else { 0.005 };
    let (done, seen) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; 3]);
    let (mut states, mut lists) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut subset = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    if let Some(by) = decided(&engine, list, &mut subset) {
                        seen[by as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for reload in 0..RELOADS {
            let text = if reload % 2 == 0 { rules("x-b", "v2") } else { rules("x-a", "v1") };
            states.push(Arc::downgrade(&engine.state.load_full()));
            lists.push(Arc::downgrade(engine.lists.get(list).expect("it lives").as_ref().expect("it lives")));
            assert!(engine.take_rules("next", &text));
            std::thread::sleep(interval(reload, longest));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(seen[1].load(Ordering::Relaxed) > 0 && seen[2].load(Ordering::Relaxed) > 0, "readers saw both");
    // What a reader still held when it was replaced goes with the next change.
    assert!(engine.take_rules("last", &rules("x-a", "v1")));
    fn living<T>(all: &[Weak<T>]) -> usize {
        all.iter().filter(|one| one.strong_count() > 0).count()
    }
    assert_eq!((states.len(), living(&states), living(&lists)), (RELOADS as usize, 0, 0), "snapshots that live on");
    assert_eq!(engine.live_lists(), [list]);
}

#[test]
fn a_decision_waits_for_nobody_who_changes_rules_or_lists() {
    let (engine, list) = engine();
    let _publishing = engine.desk.lock();
    // If a decision needed the publishing lock, this would never end.
    let decided = std::thread::scope(|scope| {
        let reader = scope.spawn(|| (0..1_000).filter(|_| decided_now(&engine, list)).count());
        reader.join().expect("no decision panics")
    });
    assert_eq!(decided, 1_000);
}

fn decided_now(engine: &Engine, list: u64) -> bool {
    decided(engine, list, &mut Vec::new()) == Some(1)
}
