//! Status as Prometheus text (exposition format 0.0.4). Every label has a bound that the engine keeps.

use super::word;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One family: name, kind, help, and its lines.
struct Family(&'static str, &'static str, &'static str, Vec<(Vec<(&'static str, String)>, u64)>);

/// All processes, by pid.
pub fn show(states: &BTreeMap<u32, Value>) -> String {
    let mut families = [
        Family("trilane_info", "gauge", "What runs; always 1.", Vec::new()),
        Family("trilane_mode", "gauge", "0 off, 1 observe, 2 on.", Vec::new()),
        Family("trilane_rules_error", "gauge", "1 while the newest rule file is not in force.", Vec::new()),
        Family("trilane_hook_active", "gauge", "1 for a hook that works, 0 for one that does not.", Vec::new()),
        Family("trilane_instances", "gauge", "Instances of a service by tag.", Vec::new()),
        Family("trilane_usable", "gauge", "Healthy instances of a service by tag.", Vec::new()),
        Family("trilane_decisions_total", "counter", "Decisions by service and case.", Vec::new()),
        Family("trilane_observed_total", "counter", "Decisions in mode observe.", Vec::new()),
        Family("trilane_would_have_differed_total", "counter", "Those an even pick would send elsewhere.", Vec::new()),
        Family("trilane_next_compared_total", "counter", "Decisions made by next.yaml too.", Vec::new()),
        Family("trilane_next_differed_total", "counter", "Those that next.yaml makes otherwise.", Vec::new()),
        Family("trilane_next_error", "gauge", "1 while next.yaml is refused.", Vec::new()),
        Family("trilane_untagged_requests_total", "counter", "Untagged requests by caller, 65 at most.", Vec::new()),
        Family("trilane_events_total", "counter", "Everything else that is counted.", Vec::new()),
    ];
    for (pid, state) in states {
        one(&mut families, pid.to_string(), state);
    }
    let mut out = String::new();
    for Family(name, kind, help, lines) in families.iter().filter(|f| !f.3.is_empty()) {
        _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in lines {
            let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
            _ = writeln!(out, "{name}{{{}}} {value}", labels.join(","));
        }
    }
    out
}

fn one(families: &mut [Family; 14], pid: String, s: &Value) {
    let number = |v: &Value| v.as_u64().unwrap_or(0);
    let mut put = |at: usize, mut labels: Vec<(&'static str, String)>, value: u64| {
        labels.insert(0, ("pid", pid.clone()));
        families[at].3.push((labels, value));
    };
    let text = |key: &str| word(&s[key]).to_string();
    let info = vec![
        ("version", text("version")),
        ("binding", text("binding")),
        ("tag", text("tag")),
        ("service", word(&s["service"]["name"]).to_string()),
        ("rules", word(&s["rules"]["hash"]).to_string()),
    ];
    put(0, info, 1);
    put(1, vec![], ["off", "observe", "on"].iter().position(|m| *m == word(&s["mode"])).unwrap_or(0) as u64);
    put(2, vec![], u64::from(!s["rules"]["error"].is_null()));
    for hook in s["hooks"].as_array().into_iter().flatten() {
        put(
            3,
            vec![("library", word(&hook["name"]).into())],
            u64::from(matches!(word(&hook["state"]), "active" | "waiting")),
        );
    }
    for service in s["services"].as_array().into_iter().flatten() {
        let name = || ("service", word(&service["service"]).to_string());
        for (tag, n) in service["tags"].as_object().into_iter().flatten() {
            put(4, vec![name(), ("tag", tag.clone())], number(&n["instances"]));
            put(5, vec![name(), ("tag", tag.clone())], number(&n["usable"]));
        }
        for (case, n) in service["decisions"].as_object().into_iter().flatten() {
            put(6, vec![name(), ("case", case.clone())], number(n));
        }
        put(7, vec![name()], number(&service["observed"]));
        put(8, vec![name()], number(&service["would_have_differed"]));
        if !s["next"].is_null() {
            put(9, vec![name()], number(&service["next_compared"]));
            put(10, vec![name()], number(&service["next_differed"]));
        }
    }
    if !s["next"].is_null() {
        put(11, vec![], u64::from(!s["next"]["error"].is_null()));
    }
    for peer in s["untagged_from"].as_array().into_iter().flatten() {
        put(12, vec![("peer", peer["peer"].as_str().unwrap_or("(others)").into())], number(&peer["requests"]));
    }
    let cases = ["own", "fallback_noinstances", "fallback_noavailabled", "fail", "baseline_missing"];
    for (event, n) in s["counters"].as_object().into_iter().flatten().filter(|(e, _)| !cases.contains(&e.as_str())) {
        put(13, vec![("event", event.clone())], number(n));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_families_are_headed_once() {
        let state = serde_json::json!({"mode": "on", "tag": "a\"b", "counters": {"tagged": 3, "own": 4}});
        let text = show(&BTreeMap::from([(1, state.clone()), (2, state)]));
        assert_eq!(text.matches("# TYPE trilane_mode gauge").count(), 1);
        assert!(text.contains("trilane_mode{pid=\"1\"} 2\ntrilane_mode{pid=\"2\"} 2\n"), "{text}");
        assert!(text.contains(r#"tag="a\"b""#), "{text}");
        assert!(
            text.contains("trilane_events_total{pid=\"1\",event=\"tagged\"} 3") && !text.contains("\"own\""),
            "{text}"
        );
    }
}
