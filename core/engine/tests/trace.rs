//! A tag is found again by the trace id that it came with.

use std::sync::Arc;
use trilane_engine::{Counter, Engine, Kind, Options, TagId};

const FIRST: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SAME_TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00aaaaaaaaaaaaaa-00";
const OTHER: &str = "00-11111111111111111111111111111111-00f067aa0ba902b7-01";

fn engine(settings: &str) -> Arc<Engine> {
    let agent_option = format!("log=off,alicloud.service.tag=gray,{settings}");
    Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() })
}

/// Tag, source and flags of a request with these headers.
fn ask(engine: &Engine, trusted: bool, headers: &[(&str, &str)]) -> (Option<String>, u8) {
    let (snapshot, names) = engine.inbound_names(Kind::Http);
    let value = |name: &String| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_bytes());
    let values: Vec<Option<&[u8]>> = names.iter().map(value).collect();
    let answer = engine.inbound_from(trusted, Kind::Http, snapshot, &values);
    (engine.tag_name(TagId(answer as u16)).map(|name| name.to_string()), (answer >> 16) as u8)
}

#[test]
fn a_request_that_has_nothing_but_a_known_trace_id_gets_its_tag() {
    let engine = engine("trilane.trace.headers=X-Request-Id traceparent");
    assert_eq!(engine.trace_names(), ["x-request-id", "traceparent"]);
    let ask = |headers: &[(&str, &str)]| ask(&engine, false, headers);
    assert_eq!(ask(&[("traceparent", SAME_TRACE)]), (None, 0));
    assert_eq!(
        ask(&[("x-mse-tag", "gray"), ("traceparent", FIRST), ("x-request-id", "r-1")]),
        (Some("gray".into()), 1)
    );
    assert_eq!(ask(&[("traceparent", SAME_TRACE)]), (Some("gray".into()), 3));
    assert_eq!(ask(&[("x-request-id", "r-1"), ("traceparent", OTHER)]), (Some("gray".into()), 3));
    assert_eq!(ask(&[("traceparent", OTHER)]), (None, 0), "what the table gave is not noted again");
    assert_eq!(engine.tag_name(engine.trace_find(FIRST.as_bytes())).as_deref(), Some("gray"));
    assert_eq!(engine.trace_find(b"r-2"), TagId::NONE);
    assert_eq!(engine.counted(Counter::Traced), 3);
}

#[test]
fn it_is_off_unless_a_header_is_named() {
    let engine = engine("");
    assert!(
        engine.trace_names().is_empty() && !engine.inbound_names(Kind::Http).1.contains(&"traceparent".to_string())
    );
    assert_eq!(ask(&engine, false, &[("x-mse-tag", "gray"), ("traceparent", FIRST)]).1, 1);
    assert_eq!(
        (ask(&engine, false, &[("traceparent", FIRST)]), engine.trace_find(FIRST.as_bytes())),
        ((None, 0), TagId::NONE)
    );
}

#[test]
fn it_comes_before_this_copys_own_tag_and_an_edge_asks_it_for_nobody() {
    let own = engine("trilane.trace.headers=x-request-id,profiler.micro.service.tag.trace.enable=true");
    assert_eq!(ask(&own, false, &[("x-request-id", "a")]), (Some("gray".into()), 4));
    ask(&own, false, &[("x-mse-tag", "gray"), ("x-request-id", "a")]);
    assert_eq!(ask(&own, false, &[("x-request-id", "a")]), (Some("gray".into()), 3));
    let edge = engine("trilane.trace.headers=x-request-id,trilane.edge=true");
    ask(&edge, true, &[("x-mse-tag", "gray"), ("x-request-id", "a")]);
    assert_eq!(ask(&edge, false, &[("x-request-id", "a")]), (None, 0));
    assert_eq!(ask(&edge, true, &[("x-request-id", "a")]), (Some("gray".into()), 3));
}

#[test]
fn a_traffic_label_asks_it_too() {
    let label = "apiVersion: istio.alibabacloud.com/v1\nkind: TrafficLabel\nmetadata: {name: t, namespace: istio-system}\n\
        spec:\n  rules:\n    - labels: [{name: lane, valueFrom: [\"$getContext(x-request-id)\"]}]\n";
    let path = std::env::temp_dir().join(format!("trilane-trace-{}.yaml", std::process::id()));
    std::fs::write(&path, label).unwrap();
    let engine = engine(&format!("rules={}", path.display()));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(engine.trace_names(), ["x-request-id"]);
    assert_eq!(ask(&engine, false, &[("x-request-id", "a")]).0, None);
    assert_eq!(ask(&engine, false, &[("x-mse-tag", "gray"), ("x-request-id", "a")]).0.as_deref(), Some("gray"));
    assert_eq!(ask(&engine, false, &[("x-request-id", "a")]).0.as_deref(), Some("gray"));
}
