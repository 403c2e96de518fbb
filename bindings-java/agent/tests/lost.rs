//! Calls that lose their tag are found where they are made, and calls that have none to lose are not.

mod support;

use support::{Program, agentpath, eventually, fresh_dir, jdks_with_server};

#[test]
fn a_tag_that_is_lost_in_a_queue_of_the_applications_own_is_told_with_its_place() {
    for jdk in jdks_with_server() {
        let end = Program::start(&jdk, &[], &["Hop", "B", "end"]);
        let service = Program::start(&jdk, &[&agentpath("")], &["Loses", &end.url()]);
        let gray = [("x-mse-tag", "gray")];
        let said = |what: &str| service.stderr().lines().filter(|l| l.contains("TRL-323") && l.contains(what)).count();
        for _ in 0..3 {
            assert_eq!(service.get("/own", &gray), "B(gray)", "{jdk:?}");
            assert_eq!(service.get("/pool", &gray), "B(gray)", "{jdk:?}");
            assert_eq!(service.get("/pool", &[]), "B(null)", "{jdk:?}");
            assert_eq!(service.get("/own", &[]), "B(null)", "{jdk:?}");
        }
        assert_eq!(said(""), 0, "{jdk:?}: neither a request without a tag nor a task that was handed over is a loss");
        // At most one call a second is looked at.
        for (path, place) in
            [("/queue", "Loses.byConnection(Loses.java:"), ("/queue/client", "Loses.byClient(Loses.java:")]
        {
            eventually("the place is told", || {
                assert_eq!(service.get(path, &gray), "B(null)", "{jdk:?}");
                said(place) > 0
            });
        }
    }
}

#[test]
fn where_no_request_has_a_tag_none_is_lost() {
    let Some(jdk) = jdks_with_server().pop() else { return };
    let end = Program::start(&jdk, &[], &["Hop", "B", "end"]);
    let service = Program::start(&jdk, &[&agentpath("")], &["Loses", &end.url()]);
    for _ in 0..20 {
        assert_eq!(service.get("/queue", &[]), "B(null)");
    }
    assert!(!service.stderr().contains("TRL-323"), "{}", service.stderr());
}

#[test]
fn a_call_that_lost_its_tag_gets_that_of_its_trace_id_where_a_header_names_traces() {
    for jdk in jdks_with_server() {
        let end = Program::start(&jdk, &[], &["Hop", "B", "end"]);
        let rules = fresh_dir("traced").join("lanes.yaml");
        std::fs::write(&rules, "apiVersion: trilane/v1\nlanes: [{tag: gray}]\n").expect("a rule file");
        let option = agentpath(&format!("rules={},trace.headers=x-request-id b3", rules.display()));
        let service = Program::start(&jdk, &[&option], &["Loses", &end.url()]);
        for path in ["/queue", "/queue/client"] {
            let ask = |headers: &[(&str, &str)]| service.get(path, headers);
            assert_eq!(ask(&[("x-request-id", "r0")]), "B(null)", "{jdk:?} {path}");
            assert_eq!(ask(&[("x-mse-tag", "gray"), ("x-request-id", path)]), "B(gray)", "{jdk:?} {path}");
            assert_eq!(ask(&[("x-request-id", path)]), "B(gray)", "{jdk:?} {path}");
            assert_eq!(ask(&[("x-request-id", "r0")]), "B(null)", "{jdk:?} {path}");
            assert_eq!(ask(&[("x-mse-tag", "gray")]), "B(null)", "{jdk:?} {path}: a loss stays one without an id");
        }
        let said = service.finish();
        assert!(!said.contains("TRL-4"), "{said}");
    }
}
