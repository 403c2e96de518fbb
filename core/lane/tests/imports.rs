//! `trilane convert`: lanes of other systems as a native file that is accepted and says the same.

use trilane_lane::rules::check;
use trilane_lane::rules::dialect::{Context, Converted, Dialect, convert};

fn converted(dialect: Dialect, text: &str) -> Converted {
    let made = convert(dialect, "rules", text, "gateway", &Context::default());
    let made = made.unwrap_or_else(|problems| panic!("{}", problems[0]));
    if let Err(problems) = check("converted", &made.text) {
        panic!("{}\n{}", problems[0], made.text);
    }
    made
}

#[test]
fn joylive_becomes_lanes_and_entry_rules() {
    let text = r#"[{"id": "1", "defaultSpace": true,
      "lanes": [{"code": "production", "defaultLane": true}, {"code": "beta"},
                {"code": "test", "fallbackType": "CUSTOM", "fallbackLane": "beta"}, {"code": "hard", "fallbackType": "REJECT"}],
      "rules": [{"id": "1", "laneCode": "beta", "relationType": "OR", "order": 2, "ratio": 12.5, "conditions": [
                  {"type": "query", "opType": "EQUAL", "key": "a", "values": ["true"]},
                  {"type": "header", "opType": "NOT_IN", "key": "X-U", "values": ["1", "2"]}]},
                {"id": "2", "laneCode": "test", "order": 1, "conditions": [
                  {"type": "cookie", "opType": "REGULAR", "key": "who", "values": ["v\\d+"]}]},
                {"id": "3", "laneCode": "beta", "host": "shop.example.com", "order": 3, "conditions": []}]}]"#;
    let made = converted(Dialect::Joylive, text);
    let expected = r#"apiVersion: trilane/v1
lanes:
  - {tag: "beta"}
  - {tag: "test", fallback: ["beta", reject]}
  - {tag: "hard", fallback: none}
entry:
  - service: "gateway"
    rules:
      - {when: {cookie: {"who": {regex: "v\\d+"}}}, lane: "test"}
      - {when: {query: {"a": "true"}}, lane: "beta", percent: 12.50, random: true}
      - {when: {header: {"x-u": {not: {in: ["1", "2"]}}}}, lane: "beta", percent: 12.50, random: true}
      # line 9 is not here: a native rule does not ask for host
"#;
    assert_eq!(made.text, expected);
    assert_eq!(made.lost, ["line 9: a native rule does not ask for host"]);
}

#[test]
fn polaris_becomes_groups_and_entry_rules() {
    let text = "
name: shop
entries: [{type: polarismesh.cn/service, selector: {service: front}}]
destinations: [{service: order}, {service: stock}]
rules:
- name: r1
  enable: true
  matchMode: STRICT
  defaultLabelValue: gray
  trafficMatchRule: {arguments: [{type: HEADER, key: x-user, value: {type: IN, value: \"1,2\"}}]}
";
    let made = converted(Dialect::Polaris, text);
    let expected = r#"apiVersion: trilane/v1
groups:
  - {name: group-1, services: ["order", "stock"]}
lanes:
  - {tag: "gray", group: group-1, fallback: none}
entry:
  - service: "front"
    rules:
      - {when: {header: {"x-user": {in: ["1", "2"]}}}, lane: "gray"}
"#;
    assert_eq!(made.text, expected);
    assert!(made.lost.is_empty());
}

#[test]
fn opensergo_becomes_a_lane_and_its_rule() {
    let text = "
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLane
metadata: {name: tag-traffic-lane-rule}
spec:
  selector: {app: spring-cloud-a}
  rules:
    traffic:
      http:
        headers:
        - X-User-Id:
          exact: 12345
        uri: {exact: /index}
    lane: {name: Gray}
    traceIdBaggage: x-opensergo-traffic
";
    let made = converted(Dialect::OpenSergo, text);
    let expected = r#"apiVersion: trilane/v1
lanes:
  - {tag: "Gray"}
entry:
  - service: "spring-cloud-a"
    rules:
      - {when: {header: {"x-user-id": "12345"}, path: "/index"}, lane: "Gray"}
"#;
    assert_eq!(made.text, expected);
    let told = convert(Dialect::Istio, "rules", text, "gateway", &Context::default()).expect_err("refused");
    assert!(told[0].to_string().contains("joylive, polaris or opensergo"), "{}", told[0]);
}
