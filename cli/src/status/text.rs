//! Status for people: some lines a process.

use super::{Answer, word};
use serde_json::Value;
use std::fmt::Write;

/// The lines about one process.
pub fn show(pid: u32, answer: &Answer, verdict: u8, why: &[String]) -> String {
    let s = &answer.state;
    let mut out = String::new();
    let at = s["at"].as_u64().unwrap_or(0);
    let since = |value: &Value| value.as_u64().map_or(String::new(), |then| span(at.saturating_sub(then)));
    let mut line = |head: &str, text: &str| _ = writeln!(out, "{head:<8} {text}");
    let service = s["service"]["name"].as_str().unwrap_or("(no name yet)");
    let head = ["ok", "degraded", "inert"][verdict as usize];
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    let (binding, version, up) = (word(&s["binding"]), word(&s["version"]), since(&s["started"]));
    line("process", &format!("{service}, pid {pid}, {binding}, trilane {version}, up {up}: {head}{why}"));
    line("mode", &mode(s));
    let tag = match word(&s["tag"]) {
        "" => "baseline".to_string(),
        tag => format!("{tag}, by {}", word(&s["tag_source"])),
    };
    line("tag", &tag);
    let rules = &s["rules"];
    match (rules["file"].as_str(), rules["watched"].as_str()) {
        (Some(file), _) => line("rules", &format!("{file}, {}, for {}", word(&rules["hash"]), since(&rules["since"]))),
        (None, Some(file)) => line("rules", &format!("none in force; looks for {file}")),
        (None, None) => line("rules", "none"),
    }
    if let Some(error) = rules["error"]["text"].as_str() {
        line(
            "",
            &format!("{} {} ago: {}", word(&rules["error"]["code"]), since(&rules["error"]["at"]), error.trim_end()),
        );
    }
    let next = &s["next"];
    if let Some(file) = next["file"].as_str() {
        match next["error"]["text"].as_str() {
            Some(error) => line("next", &format!("{} {}", word(&next["error"]["code"]), error.trim_end())),
            None => line("next", &format!("{file}, {}, in shadow for {}", word(&next["hash"]), since(&next["since"]))),
        }
    }
    line("hooks", &hooks(s));
    for service in s["services"].as_array().into_iter().flatten() {
        line("service", &one_service(service));
    }
    let counted = s["counters"].as_object().into_iter().flatten();
    let counted: Vec<String> =
        counted.filter(|(_, n)| n.as_u64() != Some(0)).map(|(name, n)| format!("{name} {n}")).collect();
    let untagged = s["untagged_from"].as_array().into_iter().flatten();
    let untagged: Vec<String> =
        untagged.map(|p| format!("{} {}", p["peer"].as_str().unwrap_or("(others)"), p["requests"])).collect();
    if !untagged.is_empty() {
        line("untagged", &format!("requests from {}", untagged.join(", ")));
    }
    for site in s["lost_at"].as_array().into_iter().flatten() {
        line("lost", &format!("a tag may be lost at {} (seen {})", word(&site["site"]), site["seen"]));
    }
    line("counted", if counted.is_empty() { "nothing yet".into() } else { counted.join(", ") }.as_str());
    out
}

fn mode(s: &Value) -> String {
    let (mode, setting, rules) = (word(&s["mode"]), word(&s["mode_setting"]), s["mode_rules"].as_str());
    match rules {
        Some(rules) if rules != setting => format!("{mode} (setting {setting}, rule file {rules})"),
        _ => mode.to_string(),
    }
}

fn hooks(s: &Value) -> String {
    let hooks = s["hooks"].as_array().map_or(&[][..], |hooks| hooks);
    if hooks.is_empty() {
        let said = word(&s["hooks_said"]);
        return if said.is_empty() { "none".into() } else { said.into() };
    }
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for hook in hooks {
        let state = word(&hook["state"]);
        match groups.iter_mut().find(|(name, _)| name == state) {
            Some((_, names)) => names.push(word(&hook["name"])),
            None => groups.push((state.to_string(), vec![word(&hook["name"])])),
        }
    }
    groups.sort_by_key(|(state, _)| ["waiting", "off", "active"].iter().position(|s| s == state).map(|at| 3 - at));
    groups.iter().map(|(state, names)| format!("{} {state}", names.join(", "))).collect::<Vec<_>>().join("; ")
}

fn one_service(service: &Value) -> String {
    let mut text = word(&service["service"]).to_string();
    let tags = service["tags"].as_object().into_iter().flatten();
    let tags: Vec<String> = tags.map(|(tag, n)| format!("{tag} {}/{} usable", n["usable"], n["instances"])).collect();
    if !tags.is_empty() {
        _ = write!(text, ": {}", tags.join(", "));
    }
    let decisions = service["decisions"].as_object().into_iter().flatten();
    let decisions: Vec<String> =
        decisions.filter(|(_, n)| n.as_u64() != Some(0)).map(|(case, n)| format!("{case} {n}")).collect();
    if !decisions.is_empty() {
        _ = write!(text, "; {}", decisions.join(", "));
    }
    if service["observed"].as_u64() != Some(0) {
        _ = write!(text, "; would have differed: {} of {}", service["would_have_differed"], service["observed"]);
    }
    if service["next_compared"].as_u64().is_some_and(|n| n > 0) {
        _ = write!(text, "; next.yaml differs: {} of {}", service["next_differed"], service["next_compared"]);
    }
    text
}

/// Milliseconds in words.
pub fn span(millis: u64) -> String {
    match millis / 1000 {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min {} s", s / 60, s % 60),
        s @ 3600..172_800 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn ages_have_two_units_at_most() {
        assert_eq!(
            [span(999), span(61_000), span(7_260_000), span(864_000_000)],
            ["0 s", "1 min 1 s", "2 h 1 min", "10 days"]
        );
    }
}
