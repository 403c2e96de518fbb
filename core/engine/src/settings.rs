//! Settings: their names, the places they are read from, and the order of those places (design §3).

use crate::log::{Level, Log};
use std::collections::BTreeMap;
use trilane_lane::Mode;
use trilane_lane::peer::Network;
use trilane_lane::rules::dialect;
use trilane_lane::{pass, tag};

/// System properties with these prefixes are settings of ours.
pub const PROPERTY_PREFIXES: [&str; 5] =
    ["trilane.", "alicloud.service.", "profiler.micro.service.", "mse.", "micro.service."];
/// Further system properties that are read.
pub const PROPERTY_NAMES: [&str; 2] = ["spring.application.name", "dubbo.application.name"];
/// The rule file when no setting names one.
pub const DEFAULT_RULES: &str = "/etc/trilane/lanes.yaml";

const TAG: &str = "alicloud.service.tag";
const TRACE: &str = "profiler.micro.service.tag.trace.enable";
const ENABLE: &str = "mse.enable";
const PASS: &str = "alicloud.service.header";
const TRUST: &str = "trilane.edge.trust";
const TRACE_HEADERS: &str = "trilane.trace.headers";

/// Where the process's own tag and the rest come from; every value with the place that gave it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, (String, String)>,
    /// Own tag; empty for the baseline.
    pub tag: String,
    /// The place and spelling that gave the tag.
    pub tag_source: String,
    /// `trilane.mode`, lowered by `mse.enable=false`; `None` when neither is set.
    pub mode: Option<Mode>,
    /// `mse.enable=true`: takes part; not a mode, beside another routing agent we still only observe.
    pub enabled: bool,
    /// Whether the process's own tag colours requests that carry none.
    pub tag_trace: bool,
    /// `trilane.rules`.
    pub rules: Option<String>,
    /// `trilane.force`: takes part in a runtime that was never tested, too.
    pub force: bool,
    /// `trilane.edge`: carriers of incoming requests are not believed.
    pub edge: bool,
    /// `trilane.edge.trust`: whose carriers an edge believes.
    pub edge_trust: Vec<Network>,
    /// `alicloud.service.header`: headers that are passed through, lower-case.
    pub pass: Vec<String>,
    /// `trilane.carriers.read`, `.write`, `.to`, `trilane.metadata.read`.
    pub carriers_read: Vec<String>,
    /// Further carriers to write.
    pub carriers_write: Vec<String>,
    /// Patterns of hosts that carriers may be written towards.
    pub carriers_to: Vec<String>,
    /// Further metadata keys that hold an instance's tag.
    pub metadata_read: Vec<String>,
    /// Metadata keys that are not written.
    pub metadata_skip: Vec<String>,
    /// `trilane.service` or its substitutes, with the source.
    pub service: Option<(String, String)>,
    /// `trilane.trace.headers`: headers whose ids stand for the tag that came with them, lower-case.
    pub trace_headers: Vec<String>,
    /// `trilane.caller.host`: this process's address, for rules that read it.
    pub caller_host: Option<String>,
    /// `trilane.caller.labels`, then the pod's labels: what else rules may read of this process.
    pub caller_labels: Vec<(String, String)>,
    /// `trilane.dialect.<setting>`: settings of dialects of rules, by their names there.
    pub dialect: Vec<(String, String)>,
    /// `trilane.hook.<library>=off`.
    pub hooks: BTreeMap<String, bool>,
    /// `trilane.log`: `stderr`, `off` or a file.
    pub log: String,
}

/// One place that settings are read from.
struct Place {
    name: &'static str,
    values: Vec<(String, String)>,
}

impl Settings {
    /// Reads all places. `read_environment` is false in tests, where only the first two count.
    pub fn read(option: &str, properties: &[(String, String)], read_environment: bool, log: &Log) -> Settings {
        let mut places = vec![
            Place { name: "agent option", values: parse_option(option) },
            Place { name: "system property", values: properties.to_vec() },
        ];
        let mut pod = Vec::new();
        if read_environment {
            let ours = |pairs: &[(String, String)]| pairs.iter().filter(|(k, _)| is_ours(k)).cloned().collect();
            pod = downward(&std::fs::read_to_string("/etc/podinfo/labels").unwrap_or_default());
            places.push(Place { name: "/etc/podinfo/labels", values: ours(&pod) });
            let annotations = downward(&std::fs::read_to_string("/etc/podinfo/annotations").unwrap_or_default());
            places.push(Place { name: "/etc/podinfo/annotations", values: ours(&annotations) });
            let environment: Vec<(String, String)> =
                std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
            places.push(Place { name: "environment", values: dotted(&environment) });
            places.push(Place { name: "environment", values: upper(&environment) });
        }
        let mut settings = Settings::default();
        for place in places {
            for (name, value) in place.values {
                settings.offer(place.name, name, value, log);
            }
        }
        settings.interpret(log);
        settings.caller_labels.extend(pod);
        settings
    }

    /// First hit wins; disagreement is said.
    fn offer(&mut self, place: &str, name: String, value: String, log: &Log) {
        let value = value.trim().to_string();
        // The upper-case form of a name is told from the name itself by its source only.
        let (name, spelling) = match name.split_once('\u{0}') {
            Some((name, spelling)) => (name.to_string(), format!("{place} {spelling}")),
            None => (name.clone(), format!("{place} {name}")),
        };
        match self.values.get(&name) {
            Some((first, source)) if *first != value => {
                let why = format!("{name} is given by {source} and otherwise by {spelling}; the first one holds");
                log.write(Level::Warn, "TRL-101", &name, &why);
            }
            Some(_) => {}
            None => _ = self.values.insert(name, (value, spelling)),
        }
    }

    fn interpret(&mut self, log: &Log) {
        let values = std::mem::take(&mut self.values);
        let get = |name: &str| values.get(name).map(|(v, s)| (v.as_str(), s.as_str())).filter(|(v, _)| !v.is_empty());
        let list = |name: &str| -> Vec<String> {
            let items = get(name).map_or("", |(v, _)| v).split(|c: char| c == ',' || c.is_ascii_whitespace());
            items.filter(|i| !i.is_empty()).map(str::to_string).collect()
        };
        if let Some((value, source)) = get(TAG) {
            if tag::parse(value.as_bytes()).is_some() {
                (self.tag, self.tag_source) = (value.into(), source.into());
            } else {
                let why = "is no tag (1 to 63 of A-Z a-z 0-9 . _ -); this copy joins as baseline";
                log.write(Level::Error, "TRL-102", TAG, &format!("the value given by {source} {why}"));
            }
        }
        self.mode = get("trilane.mode").map(|(value, source)| {
            Mode::parse(&value.to_ascii_lowercase()).unwrap_or_else(|| {
                let why = format!("the mode given by {source} is none of off, observe, on; `off` is taken");
                log.write(Level::Error, "TRL-103", "trilane.mode", &why);
                Mode::Off
            })
        });
        match get(ENABLE).map(|(v, _)| v.to_ascii_lowercase()).as_deref() {
            Some("false") => self.mode = Some(Mode::Off),
            word => self.enabled = word == Some("true"),
        }
        self.tag_trace = get(TRACE).is_some_and(|(v, _)| v.eq_ignore_ascii_case("true"));
        self.log = get("trilane.log").map_or(String::new(), |(v, _)| v.to_string());
        self.rules = get("trilane.rules").map(|(v, _)| v.to_string());
        self.force = get("trilane.force").is_some_and(|(v, _)| v.eq_ignore_ascii_case("true"));
        self.edge = get("trilane.edge").is_some_and(|(v, _)| v.eq_ignore_ascii_case("true"));
        self.edge_trust = networks(&list(TRUST), log);
        self.pass = passed(&list(PASS), log);
        self.carriers_read = list("trilane.carriers.read");
        self.carriers_write = list("trilane.carriers.write");
        self.carriers_to = list("trilane.carriers.to");
        self.trace_headers = list(TRACE_HEADERS).iter().map(|name| name.to_ascii_lowercase()).collect();
        self.metadata_read = list("trilane.metadata.read");
        let skip = |k: &String| k.strip_prefix('-').map(str::to_string);
        self.metadata_skip = list("trilane.metadata.write").iter().filter_map(skip).collect();
        let names = ["trilane.service", "spring.application.name", "dubbo.application.name", "otel.service.name"];
        self.service = names.iter().find_map(|n| get(n)).map(|(v, s)| (v.to_string(), s.to_string()));
        self.caller_host = get("trilane.caller.host").map(|(v, _)| v.to_string());
        let pair = |item: &String| item.split_once('=').map(|(name, value)| (name.to_string(), value.to_string()));
        self.caller_labels = list("trilane.caller.labels").iter().filter_map(pair).collect();
        let of_dialect = |name: &&str| get(&dialect_setting(name)).map(|(v, _)| (name.to_string(), v.to_string()));
        self.dialect = dialect::SETTINGS.iter().filter_map(of_dialect).collect();
        for (name, (value, _)) in &values {
            if let Some(library) = name.strip_prefix("trilane.hook.") {
                self.hooks.insert(library.to_string(), !matches!(value.as_str(), "off" | "false"));
            }
        }
        self.values = values;
    }

    /// Settings of MSE that were given and do nothing here: name and source.
    pub fn unsupported(&self) -> impl Iterator<Item = (&str, &str)> {
        let theirs =
            |name: &str| ["mse.", "micro.service.", "profiler.micro.service."].iter().any(|p| name.starts_with(p));
        let given =
            self.values.iter().filter(move |(name, _)| theirs(name) && ![TRACE, ENABLE].contains(&name.as_str()));
        given.map(|(name, (_, source))| (name.as_str(), source.as_str()))
    }

    /// Whether anything was set that says this process wants to take part.
    pub fn asks_to_take_part(&self) -> bool {
        let rules = self.rules.as_deref().unwrap_or(DEFAULT_RULES);
        !self.tag.is_empty() || self.enabled || self.mode.is_some() || std::path::Path::new(rules).exists()
    }
}

/// What is no network trusts nobody, and is said.
fn networks(items: &[String], log: &Log) -> Vec<Network> {
    let read = |item: &String| {
        Network::parse(item).or_else(|| {
            let why = "is no address and no network (10.1.0.0/16, no bits set behind the prefix): it trusts nobody";
            log.write(Level::Error, "TRL-104", item, &format!("{TRUST}: {item:?} {why}"));
            None
        })
    };
    items.iter().filter_map(read).collect()
}

/// The headers to pass through; what cannot be one is said.
fn passed(items: &[String], log: &Log) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in items {
        let name = item.to_ascii_lowercase();
        let why = match () {
            () if names.contains(&name) => continue,
            () if !pass::may_pass(&name) => "is a carrier, describes the message itself, or is no header name",
            () if names.len() == pass::MAX_NAMES => "comes after 32 others",
            () => {
                names.push(name);
                continue;
            }
        };
        log.write(Level::Error, "TRL-105", item, &format!("{PASS}: {item:?} {why}: it is not passed through"));
    }
    names
}

/// `k=v,k=v`; ours may be written without `trilane.`.
fn parse_option(option: &str) -> Vec<(String, String)> {
    let pairs = option.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (full_name(name.trim()), value.to_string())).collect()
}

fn full_name(name: &str) -> String {
    let ours = !PROPERTY_PREFIXES.iter().any(|p| name.starts_with(p)) && !PROPERTY_NAMES.contains(&name);
    if ours { format!("trilane.{name}") } else { name.to_string() }
}

/// What a file of the Kubernetes downward API holds: `key="escaped value"` a line.
fn downward(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let value = |v: &str| serde_json::from_str::<String>(v).unwrap_or_else(|_| v.trim_matches('"').to_string());
    pairs.map(|(k, v)| (k.to_string(), value(v))).collect()
}

fn dialect_setting(name: &str) -> String {
    format!("trilane.dialect.{name}")
}

fn is_ours(name: &str) -> bool {
    PROPERTY_PREFIXES.iter().any(|p| name.starts_with(p)) || PROPERTY_NAMES.contains(&name)
}

fn dotted(environment: &[(String, String)]) -> Vec<(String, String)> {
    environment.iter().filter(|(k, _)| is_ours(k)).cloned().collect()
}

/// `MSE_ALICLOUD_SERVICE_TAG` first, then `ALICLOUD_SERVICE_TAG`, `TRILANE_MODE` and their like.
fn upper(environment: &[(String, String)]) -> Vec<(String, String)> {
    let find = |name: &str| environment.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
    let mut found = Vec::new();
    let mut take = |setting: &str, name: &str| {
        if let Some(value) = find(name) {
            found.push((format!("{setting}\u{0}{name}"), value));
        }
    };
    take(TAG, "MSE_ALICLOUD_SERVICE_TAG");
    let fixed = [TAG, TRACE, ENABLE, "trilane.mode", "trilane.rules", "trilane.log", "trilane.edge", "trilane.force"];
    let more = ["trilane.carriers.read", "trilane.carriers.write", "trilane.carriers.to", "trilane.metadata.read"];
    let rest = [PASS, TRUST, TRACE_HEADERS, "trilane.metadata.write", "trilane.service", "otel.service.name"];
    let caller = ["trilane.caller.host", "trilane.caller.labels"];
    let plain = fixed.iter().chain(&more).chain(&rest).chain(&caller).chain(&PROPERTY_NAMES).map(|n| n.to_string());
    for name in plain.chain(dialect::SETTINGS.map(dialect_setting)) {
        take(&name, &name.to_ascii_uppercase().replace(['.', '-'], "_"));
    }
    for (name, value) in environment {
        if let Some(library) = name.strip_prefix("TRILANE_HOOK_") {
            let library = library.to_ascii_lowercase().replace('_', "-");
            found.push((format!("trilane.hook.{library}\u{0}{name}"), value.clone()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(option: &str, properties: &[(&str, &str)]) -> Settings {
        let properties: Vec<_> = properties.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Settings::read(option, &properties, false, &Log::off())
    }

    #[test]
    fn the_first_place_wins_and_is_named() {
        let s = read("alicloud.service.tag=gray,mode=observe", &[("alicloud.service.tag", "blue")]);
        assert_eq!((s.tag.as_str(), s.tag_source.as_str()), ("gray", "agent option alicloud.service.tag"));
        assert_eq!(s.mode, Some(Mode::Observe));
    }

    #[test]
    fn what_cannot_be_trusted_or_passed_is_left_out() {
        let s = read(
            "",
            &[("trilane.edge.trust", "10.0.0.0/8, 10.1.0.1/16 ::1,host"), (PASS, "X-A, x-a,Host x-mse-tag,x-b")],
        );
        assert_eq!(s.edge_trust, ["10.0.0.0/8", "::1"].map(|n| Network::parse(n).unwrap()));
        assert_eq!(s.pass, ["x-a", "x-b"]);
    }

    #[test]
    fn the_cautious_word_holds() {
        assert_eq!(read("mode=on", &[("mse.enable", "false")]).mode, Some(Mode::Off));
        assert_eq!(read("mode=perhaps", &[]).mode, Some(Mode::Off));
        let enabled = read("", &[("mse.enable", "true")]);
        assert!(enabled.mode.is_none() && enabled.asks_to_take_part(), "it takes part, how is told elsewhere");
        assert_eq!(read("alicloud.service.tag=no/tag", &[]).tag, "");
    }

    #[test]
    fn rules_are_told_of_this_process_and_how_to_be_read() {
        let s =
            read("caller.labels=region=bj zone=a,caller.host=10.9.0.1,dialect.dubbo.meaning=go,dialect.other=x", &[]);
        let pair = |(n, v): (&str, &str)| (n.to_string(), v.to_string());
        assert_eq!(s.caller_labels, [("region", "bj"), ("zone", "a")].map(pair));
        assert_eq!(s.caller_host.as_deref(), Some("10.9.0.1"));
        assert_eq!(s.dialect, [("dubbo.meaning", "go")].map(pair));
        assert_eq!(downward("app=\"shop\"\nnote=\"a\\\"b\"\n"), [("app", "shop"), ("note", "a\"b")].map(pair));
        let upper = upper(&[pair(("TRILANE_DIALECT_POLARIS_BASELANEMODE", "X"))]);
        assert_eq!(upper[0].0.split('\0').next(), Some("trilane.dialect.polaris.baseLaneMode"));
    }

    #[test]
    fn upper_case_names_are_read_after_dotted_ones() {
        let environment =
            [("ALICLOUD_SERVICE_TAG", "b"), ("MSE_ALICLOUD_SERVICE_TAG", "a"), ("TRILANE_HOOK_JAVA_NET_HTTP", "off")];
        let environment: Vec<_> = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let mut settings = Settings::default();
        for (name, value) in upper(&environment) {
            settings.offer("environment", name, value, &Log::off());
        }
        settings.interpret(&Log::off());
        assert_eq!(
            (settings.tag.as_str(), settings.tag_source.as_str()),
            ("a", "environment MSE_ALICLOUD_SERVICE_TAG")
        );
        assert_eq!(settings.hooks.get("java-net-http"), Some(&false));
    }
}
