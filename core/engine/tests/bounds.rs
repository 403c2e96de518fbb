//! What status tells has an end, however many names there are.

use serde_json::Value;
use trilane_engine::{Engine, Instance, Options};

#[test]
fn services_and_tags_beyond_the_bound_have_no_name_of_their_own() {
    let engine = Engine::start(Options { agent_option: "log=off".into(), explicit: true, ..Options::default() });
    let instance = |address, metadata| Instance { address, metadata, healthy: true };
    let tags: Vec<[(&str, String); 1]> = (0..70).map(|n| [("alicloud.service.tag", format!("lane-{n}"))]).collect();
    let tags: Vec<[(&str, &str); 1]> = tags.iter().map(|[(key, tag)]| [(*key, tag.as_str())]).collect();
    let all: Vec<Instance<'_>> = tags.iter().map(|tag| instance("10.0.0.1:1", &tag[..])).collect();
    engine.list_new(&["a-first"], &all);
    let services: Vec<String> = (0..1010).map(|n| format!("service-{n}")).collect();
    for name in &services {
        engine.list_new(&[name], &[instance("10.0.0.2:1", &[])]);
    }
    let status: Value = serde_json::from_str(&engine.status()).expect("JSON");
    let told = status["services"].as_array().expect("services");
    assert_eq!(told.len(), 1001);
    assert!(told.iter().any(|one| one["service"] == "(other)"));
    let first = told.iter().find(|one| one["service"] == "a-first").expect("it came first");
    // 70 lanes and the baseline.
    assert_eq!((first["tags"].as_object().map(|tags| tags.len()), &first["more_tags"]), (Some(64), &Value::from(7)));
}
