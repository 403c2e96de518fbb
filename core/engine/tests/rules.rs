//! The rule file in a running engine: watched, replaced whole, last good kept.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use trilane_engine::{Engine, Instance, Mode, Options, TagId};

const GOOD: &str =
    "apiVersion: trilane/v1\nlanes: [{tag: gray}]\nservices:\n  - name: stock\n    fallback: {noinstances: none}\n";

struct Bed {
    path: PathBuf,
    engine: std::sync::Arc<Engine>,
    changed: mpsc::Receiver<()>,
}

fn bed(name: &str, rules: Option<&str>) -> Bed {
    let path = std::env::temp_dir().join(format!("trilane-{name}-{}.yaml", std::process::id()));
    let _ = std::fs::remove_file(&path);
    if let Some(rules) = rules {
        std::fs::write(&path, rules).unwrap();
    }
    let log = path.with_extension("log");
    let _ = std::fs::remove_file(&log);
    let agent_option = format!("rules={},log={}", path.display(), log.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    let (tell, changed) = mpsc::channel();
    engine.on_change(Box::new(move |_| tell.send(()).unwrap_or(())));
    Bed { path, engine, changed }
}

impl Bed {
    fn rewrite(&self, text: &str) {
        // As careful operators and ConfigMaps do it: a new file is moved into place.
        let new = self.path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &self.path).unwrap();
    }

    fn wait(&self) {
        self.changed.recv_timeout(Duration::from_secs(120)).expect("the new rules are in force");
    }

    /// The log is written by the control thread: there is no event of it in this process but the file.
    fn wait_until_said(&self, code: &str) {
        let end = std::time::Instant::now() + Duration::from_secs(120);
        while !std::fs::read_to_string(self.path.with_extension("log")).unwrap_or_default().contains(code) {
            assert!(std::time::Instant::now() < end, "{code} was never said");
            std::thread::yield_now();
        }
    }

    fn case(&self, list: u64, tag: TagId) -> u64 {
        self.engine.route(list, tag, 0, 0, self.engine.list_stamp(list)) >> 48 & 0xff
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.path.with_extension("log"));
    }
}

#[test]
fn new_rules_reach_lists_that_live_and_old_stamps_are_stale() {
    let bed = bed("reach", None);
    let one = [Instance { address: "10.0.0.1:80", metadata: &[], healthy: true }];
    let list = bed.engine.list_new(&["stock"], &one);
    let before = bed.engine.list_stamp(list);
    let gray = |bed: &Bed| bed.engine.tag_find(b"gray");
    assert_eq!(bed.case(list, gray(&bed)), 1, "without rules a lane without instances falls back");
    bed.rewrite(GOOD);
    bed.wait();
    assert_eq!(bed.engine.route(list, gray(&bed), 0, 0, before) >> 56, 1, "the old stamp is stale");
    assert_eq!(bed.case(list, gray(&bed)), 3, "the rules say: stay and fail");
}

#[test]
fn a_bad_file_leaves_the_last_good_rules_in_force() {
    let bed = bed("bad", Some(GOOD));
    let list = bed.engine.list_new(&["stock"], &[Instance { address: "10.0.0.1:80", metadata: &[], healthy: true }]);
    let gray = bed.engine.tag_find(b"gray");
    assert_ne!(gray, TagId::UNKNOWN, "the rules name it");
    let stamp = bed.engine.list_stamp(list);
    bed.rewrite("apiVersion: trilane/v1\nlanes: [{tag: gra");
    bed.wait_until_said("TRL-204");
    assert!(bed.changed.try_recv().is_err(), "a half-written file is no new snapshot");
    assert_eq!((bed.engine.list_stamp(list), bed.case(list, gray)), (stamp, 3));
    bed.rewrite("apiVersion: trilane/v1\nmode: observe\nlanes: [{tag: gray}]\n");
    bed.wait();
    assert_eq!(bed.engine.mode(), Mode::Observe);
    assert_eq!(bed.engine.route(list, gray, 0, 0, bed.engine.list_stamp(list)) >> 56, 4 | 8);
}

#[test]
fn the_more_cautious_of_setting_and_file_holds() {
    let bed = bed("cautious", Some("apiVersion: trilane/v1\nmode: on\n"));
    assert_eq!(bed.engine.mode(), Mode::On);
    let off = Engine::start(Options {
        agent_option: format!("mode=off,log=off,rules={}", bed.path.display()),
        explicit: true,
        ..Options::default()
    });
    assert_eq!((off.mode(), off.may_act()), (Mode::Off, false));
    let unasked = Engine::start(Options { agent_option: "log=off".into(), ..Options::default() });
    assert_eq!(unasked.mode(), Mode::Off, "linking alone takes no part");
}

#[test]
fn a_dialled_authority_is_routed_by_the_instances_that_the_rules_give() {
    let rules = |gray: &str| {
        format!(
            "apiVersion: trilane/v1\nlanes: [{{tag: gray}}]\nservices:\n  - name: order\n    authorities: [\"Order:80\"]\n    \
             instances: [{{address: \"10.0.0.1:80\"}}, {{address: \"{gray}\", tag: gray}}]\n"
        )
    };
    let bed = bed("authority", Some(&rules("10.0.0.2:80")));
    let gray = bed.engine.tag_find(b"gray");
    let pick = |tag| {
        let list = bed.engine.authority(b"ORDER:80").expect("named, in any case");
        let answer = bed.engine.route(list, tag, 0, 0, bed.engine.list_stamp(list));
        (list, bed.engine.address(list, answer as u32).unwrap().to_string())
    };
    let (old, address) = pick(gray);
    assert_eq!(address, "10.0.0.2:80");
    assert_eq!(pick(TagId::NONE).1, "10.0.0.1:80");
    assert!(bed.engine.known(b"order:80") && bed.engine.known(b"10.0.0.2:80"));
    assert!(!bed.engine.known(b"other:80"), "the rules name authorities, so a bare name is not enough");
    bed.rewrite(&rules("10.0.0.3:80"));
    bed.wait();
    assert_eq!(pick(gray).1, "10.0.0.3:80");
    assert_eq!(bed.engine.list_stamp(old), 0, "the old list is gone");
    assert!(!bed.engine.known(b"10.0.0.2:80"));
    assert_eq!(bed.engine.live_lists().len(), 1, "nothing is left behind");
}

#[test]
fn a_file_that_needs_a_newer_library_is_refused_whole() {
    let bed = bed("needs", Some(&format!("needs: \"{}\"\n{GOOD}", env!("CARGO_PKG_VERSION"))));
    let list = bed.engine.list_new(&["stock"], &[Instance { address: "10.0.0.1:1", metadata: &[], healthy: true }]);
    let gray = bed.engine.tag_find(b"gray");
    assert_eq!(bed.case(list, gray), 3, "its words hold: no fallback");
    bed.rewrite("apiVersion: trilane/v1\nneeds: \"99.1\"\nmode: off\n");
    bed.wait_until_said("needs trilane 99.1");
    assert_eq!((bed.engine.mode(), bed.case(list, gray)), (Mode::On, 3), "nothing of the new one holds");
}

#[test]
fn a_copy_registers_the_keys_that_the_setting_leaves() {
    let registered = |option: &str| {
        let agent_option = format!("alicloud.service.tag=gray,log=off{option}");
        let engine = Engine::start(Options { agent_option, explicit: true, ..Options::default() });
        engine.metadata_write("dubbo").into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(registered(""), ["alicloud.service.tag", "dubbo.tag"]);
    assert_eq!(registered(",trilane.metadata.write=-dubbo.tag"), ["alicloud.service.tag"]);
}
