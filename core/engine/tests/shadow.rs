//! `next.yaml` beside the rule file: decided by in shadow, counted, never acted on.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trilane_engine::inbound::Kind;
use trilane_engine::{Engine, Instance, Options, TagId};

const NOW: &str = "apiVersion: trilane/v1\nlanes: [{tag: gray}]\n";
const NEXT: &str = "\
apiVersion: trilane/v1
lanes: [{tag: gray}]
services: [{name: stock, fallback: {noinstances: none}}]
entry: [{service: shop, rules: [{when: {header: {x-tester: \"yes\"}}, lane: gray}]}]
";

struct Bed {
    folder: PathBuf,
    engine: Arc<Engine>,
}

impl Bed {
    fn new(name: &str) -> Bed {
        let folder = std::env::temp_dir().join(format!("trilane-shadow-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let bed = |engine| Bed { folder: folder.clone(), engine };
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("lanes.yaml", NOW);
        write("next.yaml", NEXT);
        // A directory, as a mounted ConfigMap is.
        let agent_option = format!("rules={},service=shop,log={}", folder.display(), folder.join("log").display());
        bed(Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() }))
    }

    /// The control thread looks once a second.
    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let status: Value = serde_json::from_str(&self.engine.status()).expect("JSON");
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < end, "never {what}: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn come(&self, tester: &[u8]) -> u64 {
        let (snapshot, names) = self.engine.inbound_names(Kind::Http);
        let value = |name: &String| (name == "x-tester").then_some(tester);
        self.engine.inbound(Kind::Http, snapshot, &names.iter().map(value).collect::<Vec<_>>())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn what_would_differ_is_counted_and_not_done() {
    let bed = Bed::new("differs");
    let instances = [Instance { address: "10.0.0.1:1", metadata: &[], healthy: true }];
    let list = bed.engine.list_new(&["stock"], &instances);
    bed.until("in shadow", |s| s["next"]["hash"].is_string());
    let route = |tag| bed.engine.route(list, tag, 0, 0, bed.engine.list_stamp(list)) as u32;
    for _ in 0..10 {
        // Gray falls back to the baseline now, and would fail next; untagged requests are served either way.
        assert_eq!([route(bed.engine.tag_find(b"gray")), route(TagId::NONE)], [0, 0]);
        assert_eq!([bed.come(b"yes") as u16, bed.come(b"no") as u16], [0, 0]);
    }
    let status = bed.until("counted", |s| s["services"][0]["next_compared"] == 20);
    assert_eq!(
        [&status["services"][0]["service"], &status["services"][0]["next_differed"]],
        [&json!("stock"), &json!(10)]
    );
    let counters = &status["counters"];
    assert_eq!([&counters["next_requests"], &counters["next_requests_differed"]], [20, 10]);
    assert_eq!(status["next"]["error"], Value::Null);

    std::fs::remove_file(bed.folder.join("next.yaml")).unwrap();
    let status = bed.until("gone", |s| s["next"].is_null());
    assert_eq!(status["services"][0]["next_compared"], 0);
    assert_eq!(route(TagId::NONE), 0);
    assert_eq!(bed.until("", |_| true)["services"][0]["next_compared"], 0, "nothing is compared any more");
}

#[test]
fn a_broken_next_file_is_said_and_changes_nothing() {
    let bed = Bed::new("broken");
    bed.until("in shadow", |s| s["next"]["hash"].is_string());
    // Moved into place: half of it would be refused in other words.
    std::fs::write(bed.folder.join("new"), "apiVersion: trilane/v1\nlane: []\n").unwrap();
    std::fs::rename(bed.folder.join("new"), bed.folder.join("next.yaml")).unwrap();
    let status = bed.until("refused", |s| s["next"]["error"]["code"] == "TRL-220");
    assert!(status["next"]["error"]["text"].as_str().unwrap().contains("next.yaml:2"), "{}", status["next"]);
    assert_eq!([&status["next"]["hash"], &status["rules"]["error"]], [&Value::Null, &Value::Null]);
    assert!(status["rules"]["hash"].is_string(), "the file in force stays");
    let log = std::fs::read_to_string(bed.folder.join("log")).unwrap();
    assert!(log.contains("TRL-221") && log.contains("TRL-220"), "{log}");
}
