//! A rule file of another dialect decides in a running engine.

use trilane_engine::{Engine, Instance, Options, TagId};

const ISTIO: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pricing, namespace: default}
spec:
  hosts: [pricing]
  http:
    - match: [{headers: {x-user: {exact: ann}}}]
      route: [{destination: {host: pricing, subset: v2}}]
    - route: [{destination: {host: pricing, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pricing, namespace: default}
spec:
  host: pricing
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
"#;

#[test]
fn istio_rules_decide_with_values_of_the_call() {
    let path = std::env::temp_dir().join(format!("trilane-dialect-{}.yaml", std::process::id()));
    std::fs::write(&path, ISTIO).unwrap();
    let agent_option = format!("rules={},log=off", path.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    std::fs::remove_file(&path).unwrap();
    assert!(engine.metadata_keys().contains(&"version".to_string()));
    let metadata = |v: &'static str| [("version", v)];
    let (one, two) = (metadata("v1"), metadata("v2"));
    let instances = [
        Instance { address: "10.0.0.1:80", metadata: &one, healthy: true },
        Instance { address: "10.0.0.2:80", metadata: &two, healthy: true },
    ];
    let list = engine.list_new(&["pricing"], &instances);
    let asked = engine.route_names(list);
    assert_eq!((&asked.names[..], asked.by_call, asked.policy), (&["x-user".to_string()][..], true, false));
    let stamp = asked.stamp;
    let index = |value: Option<&[u8]>| engine.route_with(list, TagId::NONE, 7, stamp, &[value]) as u32;
    assert_eq!((index(Some(b"ann")), index(Some(b"bob")), index(None)), (1, 0, 0));
    // Without values they count as absent; the subset of the answer names the same instances.
    let word = engine.route(list, TagId::NONE, 0, 7, stamp);
    let mut subset = Vec::new();
    assert_eq!(engine.subset(list, (word >> 32) as u16, &mut subset), stamp);
    assert_eq!(subset, [0]);
    assert!(engine.explain(list, b"", 0, 7).contains("header x-user = ann"));
    // A health bit moves the stamp and the answer.
    engine.list_health(list, 0, false);
    let stamp = engine.list_stamp(list);
    assert_eq!(engine.route_with(list, TagId::NONE, 7, stamp, &[None]) >> 48 & 0xff, 3);
}

const LABEL: &str = r#"
apiVersion: istio.alibabacloud.com/v1
kind: TrafficLabel
metadata: {name: all, namespace: istio-system}
spec:
  rules:
    - labels:
        - name: userlabel
          valueFrom: ["$getInboundRequestHeader(x-lane)"]
"#;

#[test]
fn a_traffic_label_says_where_the_tag_comes_from() {
    let path = std::env::temp_dir().join(format!("trilane-label-{}.yaml", std::process::id()));
    std::fs::write(&path, LABEL).unwrap();
    let agent_option = format!("rules={},log=off,alicloud.service.tag=gray", path.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    std::fs::remove_file(&path).unwrap();
    let (snapshot, names) = engine.inbound_names(trilane_engine::Kind::Http);
    let at = names.iter().position(|n| n == "x-lane").expect("the label's header is asked for");
    let ask = |value: &'static [u8]| {
        let mut values = vec![None; names.len()];
        values[at] = Some(value);
        engine.inbound(trilane_engine::Kind::Http, snapshot, &values)
    };
    assert_eq!(engine.tag_name(TagId(ask(b"gray") as u16)).as_deref(), Some("gray"));
    // A tag that nobody named is carried on as the bytes where they stand.
    let word = ask(b"blue");
    assert_eq!((TagId(word as u16), (word >> 32) as u8 as usize, word >> 56), (TagId::UNKNOWN, at, 4));
    assert_eq!(TagId(ask(b"no tag") as u16), TagId::NONE);
}

const CALLER: &str = r#"
configVersion: v3.0
key: pricing
force: true
conditions:
- application=shop & method=find => region=$region
- host=10.9.* & method=save =>
"#;

/// Rules that read who calls: by what settings tell of this process, and by the name that a hook learns.
#[test]
fn rules_know_the_process_that_they_are_in() {
    let start = |name: &str, more: &str| {
        let folder = std::env::temp_dir().join(format!("trilane-caller-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("rules.yaml"), CALLER).unwrap();
        let (rules, log) = (folder.join("rules.yaml"), folder.join("log"));
        let agent_option = format!("rules={},log={}{more}", rules.display(), log.display());
        let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
        let said = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        (engine, said)
    };
    // The case and the instance for calls of `find` and of `save`.
    let answers = |engine: &Engine| {
        let (hz, bj) = ([("region", "hz")], [("region", "bj")]);
        let instances = [
            Instance { address: "10.0.0.1:80", metadata: &hz, healthy: true },
            Instance { address: "10.0.0.2:80", metadata: &bj, healthy: true },
        ];
        let list = engine.list_new(&["pricing"], &instances);
        let asked = engine.route_names(list);
        assert_eq!(asked.names.len(), 1, "the method alone is asked of a call");
        ["find", "save"].map(|method| {
            let word = engine.route_with(list, TagId::NONE, 0, asked.stamp, &[Some(method.as_bytes())]);
            ((word >> 48) as u8, word as u32)
        })
    };
    let (told, said) = start("told", ",service=shop,caller.labels=region=bj,caller.host=10.9.0.1");
    assert_eq!(answers(&told), [(0, 1), (3, u32::MAX)]);
    assert!(!said.contains("TRL-213"), "{said}");
    let (learnt, said) = start("learnt", ",caller.labels=region=bj");
    assert_eq!(answers(&learnt), [(0, 0), (0, 0)], "no rule is for a process without a name");
    assert!(said.contains("the rules read the caller's host, which is not known here"), "{said}");
    assert!(said.contains("trilane.caller.host") && !said.contains("caller's region"), "{said}");
    learnt.learn_service("shop");
    assert_eq!(answers(&learnt)[0], (0, 1), "its name is learnt");
}

#[test]
fn a_setting_of_the_dialect_reaches_it() {
    let rules = "configVersion: v3.0\nkey: pricing\nconditions:\n- => region=bj\n- => zone=a\n";
    let path = std::env::temp_dir().join(format!("trilane-meaning-{}.yaml", std::process::id()));
    std::fs::write(&path, rules).unwrap();
    let left = |meaning: &str| {
        let agent_option = format!("rules={},log=off,dialect.dubbo.meaning={meaning}", path.display());
        let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
        let (a, b) = ([("region", "bj"), ("zone", "b")], [("region", "hz"), ("zone", "a")]);
        let instances = [
            Instance { address: "10.0.0.1:80", metadata: &a, healthy: true },
            Instance { address: "10.0.0.2:80", metadata: &b, healthy: true },
        ];
        let list = engine.list_new(&["pricing"], &instances);
        let stamp = engine.route_names(list).stamp;
        let word = engine.route_with(list, TagId::NONE, 0, stamp, &[]);
        let mut subset = Vec::new();
        engine.subset(list, (word >> 32) as u16, &mut subset);
        subset
    };
    assert_ne!(left("java"), left("go"));
    std::fs::remove_file(&path).unwrap();
}
