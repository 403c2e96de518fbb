//! What the imports share: lanes of joylive, Polaris and OpenSergo, lowered to the model or written as a native file.

use crate::model::{
    Condition, Destination, Draw, Field, IfNothing, Layer, Model, Name, Otherwise, Route, Selector, Service, Stage,
    TagRule, TagSource, Test,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Lanes as those systems write them.
#[derive(Debug, Default)]
pub(super) struct Import {
    /// The label of instances that holds their lane; several lanes may stand in it, with commas between.
    pub label: String,
    /// The name of the lane that is the baseline; empty: instances without the label only.
    pub baseline: String,
    /// Instances of lanes that are not in force belong to the baseline, too.
    pub strangers_serve: bool,
    /// Where a request carries its lane, before any rule.
    pub carried: Vec<TagRule>,
    /// Lanes in the order of the text.
    pub lanes: Vec<Lane>,
    /// The first that holds colours.
    pub rules: Vec<Rule>,
}

/// One lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub tag: String,
    pub next: Next,
    /// The services that it runs through; empty: all.
    pub services: Vec<String>,
    pub line: u32,
}

/// Where requests go that a lane cannot serve.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    Baseline,
    Fail,
    /// This lane, and no further.
    Lane(String),
}

/// One entry rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub lane: String,
    /// Services that colour; empty: not said.
    pub services: Vec<String>,
    pub when: Condition,
    /// Of 10,000 requests, by chance.
    pub share: u16,
    pub line: u32,
}

impl Import {
    /// As it decides.
    pub fn model(&self) -> Model {
        let mut tags = self.carried.clone();
        for rule in &self.rules {
            let callers = rule.services.iter().map(String::as_str);
            let mut all = vec![rule.when.clone()];
            if !rule.services.is_empty() {
                all.push(Condition::Is(Field::CallerService, Test::one_of(callers)));
            }
            if rule.share < 10_000 {
                all.push(Condition::Chance(rule.share));
            }
            let from = TagSource::Fixed(rule.lane.as_str().into());
            tags.push(TagRule { when: Condition::All(all), from, line: rule.line });
        }
        let mut layer = Layer::default();
        let mut by_service: BTreeMap<&str, Vec<&Lane>> = BTreeMap::new();
        for lane in &self.lanes {
            for service in &lane.services {
                by_service.entry(service).or_default().push(lane);
            }
        }
        for (service, mut lanes) in by_service {
            lanes.extend(self.lanes.iter().filter(|l| l.services.is_empty()));
            layer.services.push(self.service(Name::Exact(service.into()), &lanes));
        }
        let everywhere: Vec<&Lane> = self.lanes.iter().filter(|l| l.services.is_empty()).collect();
        layer.services.push(self.service(Name::Any, &everywhere));
        Model { tags, layers: vec![layer] }
    }

    fn service(&self, name: Name, lanes: &[&Lane]) -> Service {
        let mut routes = Vec::new();
        for lane in lanes.iter().filter(|l| l.tag != self.baseline) {
            let mut own = Destination::new(&lane.tag, self.instances(&lane.tag), 1, lane.line);
            let next = match &lane.next {
                Next::Fail => None,
                Next::Baseline => Some(self.baseline_of(lanes)),
                Next::Lane(tag) if *tag == self.baseline => Some(self.baseline_of(lanes)),
                Next::Lane(tag) => Some(Destination::new(tag, self.instances(tag), 0, lane.line)),
            };
            own.fallback = [next.is_some().then_some(1); 2];
            let when = Condition::Is(Field::Tag, Test::Exact(lane.tag.as_str().into()));
            routes.push(route(&lane.tag, lane.line, when, [own].into_iter().chain(next).collect()));
        }
        let mut baseline = self.baseline_of(lanes);
        baseline.weight = 1;
        routes.push(route("baseline", 0, Condition::ALWAYS, vec![baseline]));
        let stage = Stage { title: "lanes".into(), routes, otherwise: Otherwise::Fail };
        Service { names: vec![name], stages: vec![Arc::new(stage)], line: 0 }
    }

    fn instances(&self, tag: &str) -> Selector {
        Selector::Where(holds_lane(&self.label, tag))
    }

    fn baseline_of(&self, lanes: &[&Lane]) -> Destination {
        let unlabelled = Condition::Is(Field::Label(self.label.as_str().into()), Test::Not(Box::new(Test::NotEmpty)));
        let mut any = vec![unlabelled];
        if !self.baseline.is_empty() {
            any.push(holds_lane(&self.label, &self.baseline));
        }
        if self.strangers_serve {
            let of_lanes = lanes.iter().map(|lane| holds_lane(&self.label, &lane.tag)).collect();
            any.push(Condition::Not(Box::new(Condition::Any(of_lanes))));
        }
        Destination::new("baseline", Selector::Where(Condition::Any(any)), 0, 0)
    }

    /// As a native file. What cannot be said there is told in its place, in a comment, and in the list beside.
    pub fn native(&self, entry: &str) -> (String, Vec<String>) {
        let mut text = String::from("apiVersion: trilane/v1\n");
        let mut lost = Vec::new();
        let mut groups: Vec<&[String]> = Vec::new();
        let lanes: Vec<&Lane> = self.lanes.iter().filter(|l| l.tag != self.baseline).collect();
        for lane in lanes.iter().filter(|l| !l.services.is_empty()) {
            if !groups.contains(&&lane.services[..]) {
                groups.push(&lane.services);
            }
        }
        if !groups.is_empty() {
            text += "groups:\n";
            for (n, services) in groups.iter().enumerate() {
                let _ = writeln!(text, "  - {{name: group-{}, services: {}}}", n + 1, list(services));
            }
        }
        text += "lanes:\n";
        for lane in &lanes {
            let fallback = match &lane.next {
                Next::Baseline => String::new(),
                Next::Fail => ", fallback: none".into(),
                Next::Lane(tag) if *tag == self.baseline => String::new(),
                Next::Lane(tag) => format!(", fallback: [{}, reject]", quoted(tag)),
            };
            let group = groups.iter().position(|g| **g == lane.services[..]);
            let group = group.map_or(String::new(), |n| format!(", group: group-{}", n + 1));
            let _ = writeln!(text, "  - {{tag: {}{group}{fallback}}}", quoted(&lane.tag));
        }
        let mut entries: BTreeMap<&str, String> = BTreeMap::new();
        for rule in &self.rules {
            let callers = if rule.services.is_empty() { vec![entry] } else { strings(&rule.services) };
            let told = rule_lines(rule, &self.baseline);
            if let Err(why) = &told {
                lost.push(format!("line {}: {why}", rule.line));
            }
            for caller in callers {
                let lines = entries.entry(caller).or_default();
                match &told {
                    Ok(all) => all.iter().for_each(|line| lines.push_str(line)),
                    Err(why) => *lines += &format!("      # line {} is not here: {why}\n", rule.line),
                }
            }
        }
        entries.retain(|_, lines| lines.contains("- {"));
        if !entries.is_empty() {
            text += "entry:\n";
        }
        for (service, lines) in entries {
            let _ = write!(text, "  - service: {}\n    rules:\n{lines}", quoted(service));
        }
        (text, lost)
    }
}

fn strings(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn route(name: &str, line: u32, when: Condition, destinations: Vec<Destination>) -> Route {
    Route { name: name.into(), line, when, destinations, draw: Draw::Written, if_nothing: IfNothing::Fail }
}

/// Whether the label is the lane, or a list with it in.
fn holds_lane(label: &str, tag: &str) -> Condition {
    let field = Field::Label(label.into());
    let tests = [
        Test::Exact(tag.into()),
        Test::Prefix(format!("{tag},").into()),
        Test::Suffix(format!(",{tag}").into()),
        Test::Contains(format!(",{tag},").into()),
    ];
    Condition::Any(tests.map(|test| Condition::Is(field.clone(), test)).to_vec())
}

/// A rule's lines: one for each way in which its condition holds.
fn rule_lines(rule: &Rule, baseline: &str) -> Result<Vec<String>, String> {
    let lane = if rule.lane == baseline { "baseline".to_string() } else { quoted(&rule.lane) };
    let share = match rule.share {
        10_000 => String::new(),
        share => format!(", percent: {}.{:02}, random: true", share / 100, share % 100),
    };
    let mut ways = Vec::new();
    for tests in ways_of(&rule.when)? {
        let mut by_place: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for (field, test) in tests {
            let (place, name) = place_of(field).ok_or_else(|| format!("a native rule does not ask for {field}"))?;
            let test = native_test(test).ok_or_else(|| format!("a native rule has no test `{test}`"))?;
            let part = name.map_or_else(|| test.clone(), |name| format!("{}: {test}", quoted(name)));
            let parts = by_place.entry(place).or_default();
            if name.is_none() && !parts.is_empty() {
                return Err(format!("a native rule tests {field} once"));
            }
            parts.push(part);
        }
        let written = |(place, parts): (&&str, &Vec<String>)| match *place {
            "path" | "method" | "caller" => format!("{place}: {}", parts.join(", ")),
            _ => format!("{place}: {{{}}}", parts.join(", ")),
        };
        let when: Vec<String> = by_place.iter().map(written).collect();
        let when = if when.is_empty() { String::new() } else { format!("when: {{{}}}, ", when.join(", ")) };
        ways.push(format!("      - {{{when}lane: {lane}{share}}}\n"));
    }
    Ok(ways)
}

type Tests<'c> = Vec<(&'c Field, &'c Test)>;

/// The condition as alternatives of which each is a list of tests.
fn ways_of(condition: &Condition) -> Result<Vec<Tests<'_>>, String> {
    match condition {
        Condition::Is(field, test) => Ok(vec![vec![(field, test)]]),
        Condition::Any(parts) => Ok(parts.iter().map(ways_of).collect::<Result<Vec<_>, _>>()?.concat()),
        Condition::All(parts) => {
            let mut ways: Vec<Tests<'_>> = vec![Vec::new()];
            for part in parts {
                let more = ways_of(part)?;
                ways = ways.iter().flat_map(|way| more.iter().map(|m| [&way[..], m].concat())).collect();
                if ways.len() > 100 {
                    return Err("the condition has more than 100 alternatives".into());
                }
            }
            Ok(ways)
        }
        _ => Err("its condition has no native form".into()),
    }
}

fn place_of(field: &Field) -> Option<(&'static str, Option<&str>)> {
    Some(match field {
        Field::Header(name) => ("header", Some(name)),
        Field::Query(name) => ("query", Some(name)),
        Field::Cookie(name) => ("cookie", Some(name)),
        Field::Attachment(name) => ("attachment", Some(name)),
        Field::Path => ("path", None),
        Field::Method => ("method", None),
        Field::CallerService => ("caller", None),
        _ => return None,
    })
}

fn native_test(test: &Test) -> Option<String> {
    Some(match test {
        Test::Exact(word) => quoted(word),
        Test::Prefix(word) => format!("{{prefix: {}}}", quoted(word)),
        Test::Suffix(word) => format!("{{suffix: {}}}", quoted(word)),
        Test::Contains(word) => format!("{{contains: {}}}", quoted(word)),
        Test::Regex(regex) => format!("{{regex: {}}}", quoted(regex.text())),
        Test::OneOf(words) => format!("{{in: [{}]}}", words.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(", ")),
        Test::Present => "{present: true}".into(),
        Test::Not(inner) => format!("{{not: {}}}", native_test(inner)?),
        _ => return None,
    })
}

/// A text as YAML and JSON write it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", "))
}
