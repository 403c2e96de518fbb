//! Every problem of a rule file that is valid YAML.

use super::file::{RawEntry, RawEntryRule, RawFile, RawInstance, RawService, place};
use super::problem::did_you_mean;
use super::*;
use crate::tag;
use serde_saphyr::Spanned;

type Text = Spanned<String>;

struct Check<'a> {
    file: &'a str,
    text: &'a str,
    lanes: Vec<String>,
    problems: Vec<Problem>,
}

pub(super) fn check(file: &str, text: &str, raw: RawFile) -> Result<Rules, Vec<Problem>> {
    let lanes = raw.lanes.iter().map(|l| l.tag.value.clone()).collect();
    let mut c = Check { file, text, lanes, problems: Vec::new() };
    match &raw.api_version {
        Some(version) if version.value == "trilane/v1" => {}
        Some(version) => c.add(version, "apiVersion", format!("`{}` is not known here", version.value), "trilane/v1"),
        None => c.add_at((1, 1), "apiVersion", "the field is missing".into(), "apiVersion: trilane/v1"),
    }
    let mode = raw.mode.as_ref().and_then(|m| c.mode(m, "mode"));
    let hooks = c.hooks(&raw);
    let lanes = c.lanes(&raw);
    let services = raw.services.iter().enumerate().map(|(n, s)| c.service(n, s)).collect::<Vec<_>>();
    c.unique(raw.services.iter().enumerate().map(|(n, s)| (format!("services[{n}].name"), &s.name)));
    c.unique_authorities(&raw.services);
    let entries = raw.entry.iter().enumerate().map(|(n, e)| c.entry(n, e)).collect();
    c.unique(raw.entry.iter().enumerate().map(|(n, e)| (format!("entry[{n}].service"), &e.service)));
    if c.problems.is_empty() { Ok(Rules { mode, hooks, lanes, services, entries }) } else { Err(c.problems) }
}

impl Check<'_> {
    fn add_at(&mut self, at: (u32, u32), field: &str, message: String, expected: &str) {
        self.problems.push(Problem::at(self.file, self.text, at, field, message, expected.to_string()));
    }

    fn add<T>(&mut self, value: &Spanned<T>, field: &str, message: String, expected: &str) {
        self.add_at(place(value), field, message, expected);
    }

    fn mode(&mut self, value: &Text, field: &str) -> Option<Mode> {
        let mode = Mode::parse(&value.value);
        if mode.is_none() {
            self.add(value, field, format!("`{}` is no mode", value.value), "off, observe or on");
        }
        mode
    }

    fn hooks(&mut self, raw: &RawFile) -> Vec<(String, bool)> {
        let mut hooks = Vec::new();
        for (library, switch) in &raw.hooks {
            match switch.value.as_str() {
                "on" | "true" => hooks.push((library.clone(), true)),
                "off" | "false" => hooks.push((library.clone(), false)),
                other => self.add(switch, &format!("hooks.{library}"), format!("`{other}` is no switch"), "on or off"),
            }
        }
        hooks
    }

    fn lanes(&mut self, raw: &RawFile) -> Vec<Lane> {
        let mut lanes = Vec::new();
        for (n, lane) in raw.lanes.iter().enumerate() {
            let field = format!("lanes[{n}].tag");
            self.tag(&lane.tag, &field);
            if matches!(lane.tag.value.as_str(), "baseline" | "none") {
                self.add(&lane.tag, &field, format!("`{}` is a reserved word", lane.tag.value), "another tag");
            }
            let fallback = lane.fallback.as_ref().map(|f| self.target(f, &format!("lanes[{n}].fallback")));
            let line = place(&lane.tag).0;
            lanes.push(Lane { tag: lane.tag.value.clone(), fallback: fallback.unwrap_or(Target::Baseline), line });
        }
        self.unique(raw.lanes.iter().enumerate().map(|(n, l)| (format!("lanes[{n}].tag"), &l.tag)));
        self.loops(raw, &lanes);
        lanes
    }

    /// A circle of lane fallbacks; told once, at its first lane in file order.
    fn loops(&mut self, raw: &RawFile, lanes: &[Lane]) {
        let next = |at: usize| match &lanes[at].fallback {
            Target::Tag(tag) => lanes.iter().position(|l| l.tag == *tag),
            _ => None,
        };
        let mut told = vec![false; lanes.len()];
        for start in 0..lanes.len() {
            let mut way = vec![start];
            while let Some(at) = next(way[way.len() - 1]) {
                if at == start && !told[start] {
                    way.iter().for_each(|&w| told[w] = true);
                    let names: Vec<&str> = way.iter().chain([&start]).map(|&w| lanes[w].tag.as_str()).collect();
                    let message = format!("the fallbacks run in a circle: {}", names.join(" -> "));
                    if let Some(fallback) = &raw.lanes[start].fallback {
                        self.add(fallback, &format!("lanes[{start}].fallback"), message, "a way that ends");
                    }
                }
                if way.contains(&at) {
                    break;
                }
                way.push(at);
            }
        }
    }

    fn service(&mut self, n: usize, raw: &RawService) -> Service {
        let field = |name: &str| format!("services[{n}].{name}");
        if raw.name.value.trim().is_empty() {
            self.add(&raw.name, &field("name"), "the name is empty".into(), "the service's name in its registry");
        }
        let authorities = raw.authorities.iter().enumerate();
        let authorities = authorities.map(|(i, a)| self.address(a, &field(&format!("authorities[{i}]")))).collect();
        let instances = raw.instances.iter().enumerate().map(|(i, x)| self.instance(n, i, x)).collect();
        self.unique(
            raw.instances.iter().enumerate().map(|(i, x)| (format!("services[{n}].instances[{i}]"), &x.address)),
        );
        let mut target = |value: &Option<Text>, name: &str| value.as_ref().map(|v| self.target(v, &field(name)));
        let on_no_instances = target(&raw.fallback.noinstances, "fallback.noinstances");
        let on_none_available = target(&raw.fallback.noavailabled, "fallback.noavailabled");
        let baseline_missing = match raw.baseline_missing.as_ref().map(|b| (b, b.value.as_str())) {
            None | Some((_, "reject")) => BaselineMissing::Reject,
            Some((_, "all")) => BaselineMissing::All,
            Some((value, other)) => {
                self.add(value, &field("baseline_missing"), format!("`{other}` is not known"), "reject or all");
                BaselineMissing::Reject
            }
        };
        let mode = raw.mode.as_ref().and_then(|m| self.mode(m, &field("mode")));
        let (name, line) = (raw.name.value.clone(), place(&raw.name).0);
        Service { name, mode, authorities, instances, on_no_instances, on_none_available, baseline_missing, line }
    }

    fn instance(&mut self, n: usize, i: usize, raw: &RawInstance) -> Address {
        let address = self.address(&raw.address, &format!("services[{n}].instances[{i}].address"));
        if let Some(tag) = &raw.tag {
            self.lane(tag, &format!("services[{n}].instances[{i}].tag"));
        }
        Address { address, tag: raw.tag.as_ref().map(|t| t.value.clone()) }
    }

    fn entry(&mut self, n: usize, raw: &RawEntry) -> Entry {
        if raw.rules.is_empty() {
            self.add(&raw.service, &format!("entry[{n}].rules"), "the entry has no rule".into(), "at least one rule");
        }
        let rules = raw.rules.iter().enumerate().map(|(r, rule)| self.entry_rule(n, r, rule)).collect::<Vec<_>>();
        self.overlaps(n, raw, &rules);
        Entry { service: raw.service.value.clone(), rules }
    }

    fn entry_rule(&mut self, n: usize, r: usize, spanned: &Spanned<RawEntryRule>) -> EntryRule {
        let raw = &spanned.value;
        let field = |name: &str| format!("entry[{n}].rules[{r}].{name}");
        self.lane(&raw.lane, &field("lane"));
        let mut headers = Vec::new();
        for (name, value) in raw.when.iter().flat_map(|w| &w.header) {
            self.header(name, value, &field("when.header"));
            headers.push((name.to_ascii_lowercase(), value.value.clone()));
        }
        let share = match (&raw.percent, &raw.key) {
            (Some(percent), Some(key)) => {
                self.header(&key.header.value, &key.header, &field("key.header"));
                let from = raw.from.as_ref().and_then(|f| self.hundredths(f, &field("from"))).unwrap_or(0);
                let width = self.hundredths(percent, &field("percent")).unwrap_or(0);
                if from + width > 10_000 {
                    let message = format!("from + percent is {}", shown(from + width));
                    self.add(percent, &field("percent"), message, "at most 100");
                }
                let (header, salt) = (key.header.value.to_ascii_lowercase(), raw.salt.clone().unwrap_or_default());
                Some(Share { from, to: (from + width).min(10_000), header, salt })
            }
            (Some(percent), None) => {
                self.add(percent, &field("key"), "`percent` needs a key".into(), "key: {header: x-user-id}");
                None
            }
            (None, _) => {
                let orphan = raw.from.is_some() || raw.key.is_some() || raw.salt.is_some();
                if orphan || headers.is_empty() {
                    let message = "the rule colours by nothing".into();
                    self.add(&raw.lane, &field("percent"), message, "`when: {header: …}`, or `percent` with `key`");
                }
                None
            }
        };
        EntryRule { lane: raw.lane.value.clone(), headers, share, line: place(&raw.lane).0 }
    }

    /// Shares of one key and salt: each says where it begins, and none meets another (design §6.7).
    fn overlaps(&mut self, n: usize, raw: &RawEntry, rules: &[EntryRule]) {
        let shares: Vec<(usize, &Share)> =
            rules.iter().enumerate().filter_map(|(r, rule)| Some((r, rule.share.as_ref()?))).collect();
        for (i, (r, share)) in shares.iter().enumerate() {
            let Some(percent) = &raw.rules[*r].value.percent else { continue };
            let mut same =
                shares.iter().enumerate().filter(|(_, (_, s))| s.header == share.header && s.salt == share.salt);
            let line_of = |r: usize| rules[r].line;
            if let Some((_, (other, _))) = same.clone().find(|(j, _)| *j != i)
                && raw.rules[*r].value.from.is_none()
            {
                let message = format!("another rule, line {}, has the same key and salt", line_of(*other));
                self.add(percent, &format!("entry[{n}].rules[{r}].from"), message, "`from` in both, or another salt");
            } else if let Some((_, (other, s))) =
                same.find(|(j, (_, s))| *j < i && s.from.max(share.from) < s.to.min(share.to))
            {
                let (a, b) = (shown(s.from.max(share.from)), shown(s.to.min(share.to)));
                let message = format!("overlaps the rule in line {} from {a} to {b} %", line_of(*other));
                self.add(percent, &format!("entry[{n}].rules[{r}].percent"), message, "shares that do not meet");
            }
        }
    }

    fn tag(&mut self, value: &Text, field: &str) {
        if tag::parse(value.value.as_bytes()).is_none() {
            let message = format!("`{}` is no tag", value.value.chars().take(80).collect::<String>());
            self.add(value, field, message, "1 to 63 of A-Z a-z 0-9 . _ -");
        }
    }

    fn lane(&mut self, value: &Text, field: &str) {
        if !self.lanes.contains(&value.value) {
            let hint = did_you_mean(&value.value, self.lanes.iter().map(String::as_str));
            let hint = hint.map_or(String::new(), |h| format!("; did you mean `{h}`?"));
            let expected = format!("a tag from `lanes` ({}){hint}", self.lanes.join(", "));
            self.add(value, field, format!("no lane is called `{}`", value.value), &expected);
        }
    }

    fn target(&mut self, value: &Text, field: &str) -> Target {
        match value.value.as_str() {
            "baseline" => Target::Baseline,
            "none" => Target::None,
            other => {
                self.lane(value, field);
                Target::Tag(other.to_string())
            }
        }
    }

    fn address(&mut self, value: &Text, field: &str) -> String {
        let good = value.value.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b'@' | b'?' | b'#');
            !bare.is_empty() && bare.bytes().all(legal) && port.parse::<u16>().is_ok_and(|p| p > 0)
        });
        if !good {
            self.add(value, field, format!("`{}` is no address", value.value), "host:port, such as 10.0.0.7:9001");
        }
        value.value.clone()
    }

    fn header(&mut self, name: &str, value: &Text, field: &str) {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            self.add(value, field, format!("`{name}` is no header name"), "a token of RFC 9110 5.6.2");
        }
    }

    /// Per cent with at most two decimals → hundredths, 0..=10,000.
    fn hundredths(&mut self, value: &Text, field: &str) -> Option<u16> {
        let parsed = parse_hundredths(&value.value);
        if parsed.is_none() {
            let message = format!("`{}` is no share", value.value);
            self.add(value, field, message, "0 to 100, in steps of 0.01");
        }
        parsed
    }

    fn unique<'t>(&mut self, values: impl Iterator<Item = (String, &'t Text)>) {
        let mut seen = std::collections::HashMap::new();
        for (field, value) in values {
            if let Some(first) = seen.insert(value.value.clone(), place(value).0) {
                let message = format!("`{}` stands in line {first} already", value.value);
                self.add(value, &field, message, "each one once");
            }
        }
    }

    fn unique_authorities(&mut self, services: &[RawService]) {
        let all = services.iter().enumerate().flat_map(|(n, s)| {
            s.authorities.iter().enumerate().map(move |(i, a)| (format!("services[{n}].authorities[{i}]"), a))
        });
        self.unique(all.collect::<Vec<_>>().into_iter());
    }
}

fn parse_hundredths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let exact = whole.len() <= 3 && digits(whole) && !whole.is_empty() && digits(fraction);
    // Trailing zeros add nothing: 10.500 is 10.5.
    let fraction = fraction.trim_end_matches('0');
    if !exact || fraction.len() > 2 || text.ends_with('.') {
        return None;
    }
    let hundredths = format!("{fraction:0<2}").parse::<u16>().ok()?;
    let value = whole.parse::<u16>().ok()? * 100 + hundredths;
    (value <= 10_000).then_some(value)
}

fn shown(hundredths: u16) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
