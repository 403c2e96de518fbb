//! A decision under load: no allocation, no torn answer, nothing left behind.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use trilane_engine::inbound::Kind;
use trilane_engine::{Change, Engine, Instance, Options, TagId};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system allocator; counting touches a const-initialised thread local only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn engine() -> std::sync::Arc<Engine> {
    let agent_option = "log=off,trilane.trace.headers=x-request-id".to_string();
    Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() })
}

fn allocations(body: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    body();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn deciding_neither_allocates_nor_frees() {
    let engine = engine();
    let gray = [("alicloud.service.tag", "gray")];
    let addresses: Vec<String> = (0..1000).map(|n| format!("10.0.0.1:{n}")).collect();
    let instances: Vec<Instance> = addresses
        .iter()
        .enumerate()
        .map(|(n, address)| Instance { address, metadata: if n % 10 == 0 { &gray } else { &[] }, healthy: true })
        .collect();
    let list = engine.list_new(&["stock"], &instances);
    let (stamp, tag) = (engine.list_stamp(list), engine.tag_find(b"gray"));
    let (names, values) =
        (engine.inbound_names(Kind::Http).0, [Some(&b"gray"[..]), Some(&b"a=b"[..]), Some(&b"r-1"[..])]);
    let all = |engine: &Engine| {
        assert_eq!(engine.route(list, tag, 0, u64::MAX, stamp) as u32, 990);
        assert_eq!(engine.route(list, TagId::NONE, 0, 0, stamp) as u32, 1);
        assert_eq!(engine.route(list, TagId::UNKNOWN, 0, 0, stamp) >> 48 & 0xff, 1);
        assert_eq!(engine.route(list, tag, 0, 0, stamp + 1) >> 56, 1);
        assert_eq!(engine.inbound(Kind::Http, names, &values) as u16, tag.0);
        assert_eq!(engine.inbound(Kind::Http, names, &[None, None, Some(b"r-1")]) as u16, tag.0);
        assert!(engine.known(b"10.0.0.1:7") && !engine.known(b"example.com:7"));
    };
    all(&engine); // The first reader on a thread gets its hazard slot.
    let counted = allocations(|| (0..1000).for_each(|_| all(&engine)));
    assert_eq!(counted, 0, "allocations or frees in 6,000 calls");
}

const ISTIO: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: stock, namespace: default}
spec:
  hosts: [stock]
  http:
    - match: [{headers: {x-user: {exact: ann}}}, {headers: {x-user: {regex: "b.*"}}}]
      route:
        - {destination: {host: stock, subset: v2}, weight: 30}
        - {destination: {host: stock, subset: v1}, weight: 70}
    - route: [{destination: {host: stock, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: stock, namespace: default}
spec:
  host: stock
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"#;

#[test]
fn deciding_by_another_dialect_neither_allocates_nor_frees() {
    let path = std::env::temp_dir().join(format!("trilane-decision-{}.yaml", std::process::id()));
    std::fs::write(&path, ISTIO).unwrap();
    let agent_option = format!("rules={},log=off", path.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    std::fs::remove_file(&path).unwrap();
    let (one, two) = ([("version", "v1")], [("version", "v2")]);
    let instances = [
        Instance { address: "a:1", metadata: &one, healthy: true },
        Instance { address: "b:1", metadata: &two, healthy: true },
    ];
    let list = engine.list_new(&["stock"], &instances);
    let stamp = engine.list_stamp(list);
    let all = |engine: &Engine| {
        let index =
            |user: &str, entropy| engine.route_with(list, TagId::NONE, entropy, stamp, &[Some(user.as_bytes())]);
        assert_eq!((index("ann", 0) as u32, index("ann", u64::MAX) as u32), (1, 0));
        assert_eq!((index("bob", 0) as u32, index("zoe", 0) as u32), (1, 0));
    };
    all(&engine);
    assert_eq!(allocations(|| (0..1000).for_each(|_| all(&engine))), 0, "allocations or frees in 4,000 calls");
}

#[test]
fn readers_see_whole_lists_while_writers_change_them() {
    let engine = engine();
    let gray = [("alicloud.service.tag", "gray")];
    let base = [
        Instance { address: "b:1", metadata: &[], healthy: true },
        Instance { address: "g:1", metadata: &gray, healthy: true },
    ];
    let list = engine.list_new(&["stock"], &base);
    let tag = engine.tag_find(b"gray");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..2u64 {
            let (engine, done) = (&engine, &done);
            scope.spawn(move || {
                let (mut answers, mut entropy) = (0u64, reader);
                while !done.load(Ordering::Relaxed) || answers == 0 {
                    entropy = entropy.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let answer = engine.route(list, tag, 0, entropy, engine.list_stamp(list));
                    if answer >> 56 & 1 == 1 {
                        continue;
                    }
                    answers += 1;
                    // Gray healthy: its instance, own case. Not healthy: the baseline, because none is available.
                    assert!(matches!((answer as u32, answer >> 48 & 0xff), (1, 0) | (0, 2)), "{answer:x}");
                }
            });
        }
        for round in 0..2000 {
            engine.list_health(list, 1, round % 2 == 1);
            let derived = engine.list_change(list, &Change { removed: &[0], added: &base });
            assert!(derived != 0 && engine.list_free(derived));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(engine.list_free(list) && !engine.list_free(list));
    assert_eq!(engine.live_lists(), [0u64; 0]);
    assert_eq!(engine.route(list, tag, 0, 0, 1) >> 56, 1, "a freed list is stale, not a crash");
    assert!(!engine.known(b"example.com:1") && !engine.known(b"g.example:1"));
}

/// Rules may read more values than a binding has room for: those count as absent, and that is said; tags are read as ever.
#[test]
fn what_is_read_beyond_the_room_for_values_is_absent() {
    let rule = |n: usize| format!("      - {{lane: gray, when: {{header: {{x-h{n}: \"1\"}}}}}}\n");
    let rules: String = (0..70).map(rule).collect();
    let text =
        format!("apiVersion: trilane/v1\nlanes: [{{tag: gray}}]\nentry:\n  - service: shop\n    rules:\n{rules}");
    let folder = std::env::temp_dir().join(format!("trilane-many-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rules.yaml"), text).unwrap();
    let (file, log) = (folder.join("rules.yaml"), folder.join("log"));
    let agent_option = format!("rules={},service=shop,log={}", file.display(), log.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    let said = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let (snapshot, names) = engine.inbound_names(Kind::Http);
    assert_eq!(names.len(), trilane_engine::inbound::MOST_VALUES);
    assert!(said.contains("TRL-214"), "{said}");
    let mut values: Vec<Option<&[u8]>> = vec![None; names.len()];
    let ask = |values: &[Option<&[u8]>]| engine.inbound(Kind::Http, snapshot, values) & 0xff_ffff;
    assert_eq!(ask(&values), 0);
    values[63] = Some(b"1");
    assert_eq!(ask(&values) >> 16, 2, "the last one that is read colours");
    values[0] = Some(b"gray");
    assert_eq!(ask(&values) >> 16, 1, "a tag that is carried");
}
