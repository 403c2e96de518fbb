//! Sampled decisions and stray requests, as `trilane explain --pid` and `trilane status` read them.

use serde_json::{Value, json};
use trilane_engine::inbound::Kind;
use trilane_engine::{Counter, Engine, Instance, Options, TagId};

const RULES: &str = "\
apiVersion: trilane/v1
lanes: [{tag: gray}, {tag: dev, fallback: gray}]
services:
  - name: stock
    fallback: {noinstances: none}
entry:
  - service: shop
    rules:
      - {when: {header: {x-user-id: {in: [\"user-4711\"]}}}, lane: gray}
";

fn engine(name: &str, rules: &str, option: &str) -> std::sync::Arc<Engine> {
    let path = std::env::temp_dir().join(format!("trilane-samples-{name}-{}.yaml", std::process::id()));
    std::fs::write(&path, rules).unwrap();
    let agent_option = format!("rules={},service=shop,log=off{option}", path.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    std::fs::remove_file(&path).unwrap();
    engine
}

fn instance<'a>(address: &'a str, metadata: &'a [(&'a str, &'a str)]) -> Instance<'a> {
    Instance { address, metadata, healthy: true }
}

const GRAY: &[(&str, &str)] = &[("alicloud.service.tag", "gray")];

fn explained(engine: &Engine) -> Vec<Value> {
    let status: Value = serde_json::from_str(&engine.status()).expect("JSON");
    status["explained"].as_array().expect("there is a list").clone()
}

fn come(engine: &Engine, values: &[(&str, &str)]) -> u64 {
    let (snapshot, names) = engine.inbound_names(Kind::Http);
    let value = |name: &String| values.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_bytes());
    engine.inbound(Kind::Http, snapshot, &names.iter().map(value).collect::<Vec<_>>())
}

#[test]
fn a_call_is_kept_with_what_was_tried() {
    let engine = engine("call", RULES, "");
    let list = engine.list_new(&["stock"], &[instance("10.0.0.1:1", &[]), instance("10.0.0.2:1", GRAY)]);
    let route = |tag: TagId| engine.route(list, tag, 0, 0, engine.list_stamp(list));
    route(engine.tag_find(b"gray"));
    route(engine.tag_find(b"dev"));
    let all = explained(&engine);
    let own = all.iter().find(|d| d["case"] == "own").expect("the call that stayed in its lane");
    assert_eq!([&own["service"], &own["tag"], &own["pick"], &own["mode"]], ["stock", "gray", "10.0.0.2:1", "on"]);
    assert_eq!([&own["rule_line"], &own["candidates"]], [4, 2]);
    assert_eq!(own["steps"], json!([{"lane": "gray", "instances": 1, "usable": 1, "found": "usable"}]));
    let failed = all.iter().find(|d| d["case"] == "fail").expect("the call that may not fall back");
    assert_eq!([&failed["tag"], &failed["pick"]], [&json!("dev"), &Value::Null]);
    assert_eq!(failed["steps"], json!([{"lane": "dev", "instances": 0, "usable": 0, "found": "noinstances"}]));
    // What is told of a list that lives is what the engine explains anew.
    let anew: Value = serde_json::from_str(&engine.explain(list, b"gray", 0, 0)).unwrap();
    assert_eq!([&anew["steps"], &anew["pick"]], [&own["steps"], &own["pick"]]);
    engine.list_free(list);
    assert_eq!(explained(&engine), all, "it is told also when the list is gone");
}

#[test]
fn a_request_is_kept_without_its_values() {
    let engine = engine("request", RULES, "");
    engine.list_new(&["stock"], &[]);
    come(&engine, &[("x-user-id", "user-4711")]);
    come(&engine, &[("x-mse-tag", "never-named")]);
    let all = explained(&engine);
    let coloured = all.iter().find(|d| d["source"] == "entry rule").expect("the coloured one");
    assert_eq!([&coloured["kind"], &coloured["service"], &coloured["tag"]], ["in", "shop", "gray"]);
    assert_eq!(coloured["rule_line"], 9);
    assert_eq!([&coloured["values"][0]["name"], &coloured["values"][0]["length"]], [&json!("x-user-id"), &json!(9)]);
    let carried = all.iter().find(|d| d["source"] == "carried").expect("the one with a tag");
    assert_eq!([&carried["tag"], &carried["carrier"]], ["never-named", "x-mse-tag"]);
    assert!(!engine.status().contains("user-4711"), "no value of a header is told");
}

#[test]
fn a_listed_header_is_shown_while_its_file_holds() {
    let path = std::env::temp_dir().join(format!("trilane-samples-show-{}.yaml", std::process::id()));
    let when = "x-user-id: {in: [\"user-4711\"]}, x-note: {present: true}";
    let rules = RULES.replace("x-user-id: {in: [\"user-4711\"]}", when) + "show: [X-User-Id]\n";
    std::fs::write(&path, &rules).unwrap();
    let agent_option = format!("rules={},service=shop,log=off", path.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    engine.list_new(&["stock"], &[]);
    come(&engine, &[("x-user-id", "user-4711"), ("x-note", "secret")]);
    let values = |told: &[Value]| {
        let coloured = told.iter().find(|d| d["source"] == "entry rule").expect("the coloured one");
        let of = |name: &str| coloured["values"].as_array().unwrap().iter().find(|v| v["name"] == name).cloned();
        (of("x-user-id"), of("x-note"))
    };
    let (user, note) = values(&explained(&engine));
    let (user, note) = (user.expect("it was read"), note.expect("it was read"));
    assert_eq!([&user["value"], &user["length"]], [&json!("user-4711"), &json!(9)]);
    assert_eq!([&note["value"], &note["length"]], [&Value::Null, &json!(6)]);
    assert!(!engine.status().contains("secret"), "it is not listed");
    // A file that lists it no longer: what was kept is not told either.
    let (tell, changed) = std::sync::mpsc::channel();
    engine.on_change(Box::new(move |_| tell.send(()).unwrap_or(())));
    let new = path.with_extension("new");
    std::fs::write(&new, rules.replace("show: [X-User-Id]\n", "")).unwrap();
    std::fs::rename(&new, &path).unwrap();
    changed.recv_timeout(std::time::Duration::from_secs(120)).expect("the file is taken");
    assert!(!engine.status().contains("user-4711"), "{}", engine.status());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_request_of_a_lane_with_copies_here_is_a_stray() {
    let engine = engine("stray", RULES, "");
    let escaped = || engine.counted(Counter::TagEscaped);
    come(&engine, &[("x-mse-tag", "gray")]);
    assert_eq!(escaped(), 0, "the process knows no list of its own service");
    let list = engine.list_new(&["shop"], &[instance("10.0.0.1:1", &[]), instance("10.0.0.2:1", GRAY)]);
    come(&engine, &[("x-user-id", "user-4711")]);
    come(&engine, &[("x-mse-tag", "dev")]);
    assert_eq!(escaped(), 0, "coloured here, and a lane that falls back");
    come(&engine, &[("x-mse-tag", "gray")]);
    assert_eq!(escaped(), 1);
    let all = explained(&engine);
    let stray = all.iter().find(|d| d["kind"] == "escape").expect("the stray");
    assert_eq!([&stray["tag"], &stray["own_tag"], &stray["usable_in_lane"]], [&json!("gray"), &Value::Null, &json!(1)]);
    engine.list_health(list, 1, false);
    come(&engine, &[("x-mse-tag", "gray")]);
    engine.list_health(list, 1, true);
    engine.list_free(list);
    come(&engine, &[("x-mse-tag", "gray")]);
    assert_eq!(escaped(), 1, "no usable one, and no list");
    assert_eq!(self::engine("home", RULES, ",alicloud.service.tag=gray").counted(Counter::TagEscaped), 0);
}

#[test]
fn a_copy_of_the_lane_itself_has_no_strays_of_it() {
    let engine = engine("own", RULES, ",alicloud.service.tag=gray");
    engine.list_new(&["shop"], &[instance("10.0.0.2:1", GRAY)]);
    come(&engine, &[("x-mse-tag", "gray")]);
    assert_eq!(engine.counted(Counter::TagEscaped), 0);
}

#[test]
fn rules_of_another_dialect_are_told_by_their_lines() {
    let rules = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: stock, namespace: default}
spec:
  hosts: [stock]
  http:
    - match: [{headers: {x-user: {exact: ann}}}]
      route: [{destination: {host: stock, subset: v2}}]
    - route: [{destination: {host: stock, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: stock, namespace: default}
spec: {host: stock, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
";
    let engine = engine("istio", rules, "");
    let list =
        engine.list_new(&["stock"], &[instance("a:1", &[("version", "v1")]), instance("b:1", &[("version", "v2")])]);
    let stamp = engine.list_stamp(list);
    assert_eq!(engine.route_with(list, TagId::NONE, 0, stamp, &[Some(b"zoe-4711")]) as u32, 0);
    let all = explained(&engine);
    assert_eq!(all.len(), 1, "{all:?}");
    let steps = all[0]["steps"].as_array().unwrap();
    let of = |step: &'static str| {
        steps.iter().filter(move |s| s["step"] == step).map(|s| (s["line"].clone(), s["holds"].clone()))
    };
    assert_eq!(of("route").collect::<Vec<_>>(), [(json!(7), json!(false)), (json!(9), json!(true))]);
    assert_eq!(of("test").collect::<Vec<_>>(), [(Value::Null, json!(false))]);
    assert_eq!([&all[0]["pick"], &all[0]["values"][0]["length"]], [&json!("a:1"), &json!(8)]);
    assert!(!engine.status().contains("zoe-4711"));
}

#[test]
fn sites_of_lost_tags_are_bounded() {
    let engine = engine("lost", RULES, "");
    engine.tag_lost("com.example.Caller.call");
    assert_eq!(engine.counted(Counter::TagLost), 0, "no request with a tag came in");
    come(&engine, &[("x-mse-tag", "gray")]);
    for n in 0..100 {
        engine.tag_lost(&format!("com.example.Caller{n}.call"));
    }
    assert_eq!(engine.counted(Counter::TagLost), 100);
    let sites = engine.lost_sites();
    assert_eq!((sites.len(), sites[0].clone()), (33, (String::new(), 68)));
}
