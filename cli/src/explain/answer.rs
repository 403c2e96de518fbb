//! Answers a question: the same code that decides in a process, over the instances of the question.

use super::case::{Asked, Case};
use std::collections::BTreeMap;
use std::sync::Arc;
use trilane_lane::Mode;
use trilane_lane::entry::EntryPlan;
use trilane_lane::explain::{Explanation, explain};
use trilane_lane::list::{EVERYONE, Instance, List};
use trilane_lane::metadata::{self, Registered};
use trilane_lane::model::chain::Chain;
use trilane_lane::model::decide::{Entropy, decide};
use trilane_lane::model::explain::{Recorder, Told};
use trilane_lane::model::plan::{Endpoint, Plan};
use trilane_lane::model::share::{self, shares};
use trilane_lane::model::tags::TagPlan;
use trilane_lane::model::{Caller, Policy};
use trilane_lane::route::{Case as Why, Found};
use trilane_lane::rules::dialect::{self, Context, Dialect};
use trilane_lane::rules::{self, Problem, Rules, Snapshot};
use trilane_lane::tag::{TagId, Tags};

/// What the rules say to one question.
#[derive(Default)]
pub struct Answer {
    /// The request's tag.
    pub tag: Option<String>,
    /// What gave it.
    pub tag_from: String,
    /// Ids of the instances left before the pick.
    pub set: Vec<String>,
    /// The share of each over many requests.
    pub share: BTreeMap<String, f64>,
    /// What was tried for one request.
    pub steps: Vec<Told>,
    /// Why the instances left are those.
    pub case: String,
    /// The instance picked for one request.
    pub pick: Option<String>,
    /// What is to be done with the call, where the rules say so.
    pub policy: Option<Policy>,
    /// What the rules say that changes nothing.
    pub notes: Vec<Problem>,
}

/// Answers, or says what is wrong with the rules.
pub fn answer(name: &str, case: &mut Case, entropy: u64) -> Result<Answer, String> {
    case.request.prepare();
    let problems = |all: Vec<Problem>| all.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
    let named = case.dialect.as_deref().map(|name| Dialect::parse(name).ok_or_else(|| no_dialect(name))).transpose()?;
    if case.rules.trim().is_empty() {
        return native(case, Rules::default(), entropy);
    }
    let dialect = match named {
        Some(dialect) => dialect,
        None => {
            let documents = rules::tree::read(name, &case.rules).map_err(|p| p.to_string())?;
            dialect::detect(&documents)
                .ok_or_else(|| format!("nothing tells the dialect of the rules; expected one of {}", known()))?
        }
    };
    if dialect == Dialect::Native {
        let rules = rules::check(name, &case.rules).map_err(problems)?;
        return native(case, rules, entropy);
    }
    let settings = settings(case);
    let service = [case.service.clone()];
    let context = Context { settings: &settings, service: &service };
    let lowered = dialect::read(dialect, name, &case.rules, &context).map_err(problems)?;
    Ok(modelled(case, lowered, entropy))
}

fn no_dialect(name: &str) -> String {
    format!("`{name}` is no dialect; expected one of {}", known())
}

fn known() -> String {
    Dialect::ALL.map(|(name, _)| name).join(", ")
}

fn settings(case: &Case) -> Vec<(String, String)> {
    let text = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    case.settings.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn setting(case: &Case, name: &str) -> Option<String> {
    settings(case).into_iter().find(|(n, _)| n == name).map(|(_, value)| value).filter(|v| !v.is_empty())
}

fn words(case: &Case, name: &str) -> Vec<String> {
    let value = setting(case, name).unwrap_or_default();
    value.split(|c: char| c == ',' || c.is_whitespace()).filter(|w| !w.is_empty()).map(str::to_string).collect()
}

fn is_on(case: &Case, name: &str) -> bool {
    setting(case, name).is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

/// The tag that an instance registered with.
fn registered<'i>(case: &'i Case, at: usize, extra: &[String]) -> Registered<'i> {
    let labels: Vec<(&str, &str)> = case.instances[at].labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    metadata::tag_of(&labels, extra)
}

/// The tag that the request comes with, or that its caller gives to what has none.
fn carried(case: &Case) -> (Option<String>, &'static str) {
    let extra = words(case, "trilane.carriers.read");
    match case.request.carried(is_on(case, "trilane.edge"), &extra) {
        Some(tag) => (Some(tag), "the request"),
        None => (None, ""),
    }
}

fn own(case: &Case) -> Option<String> {
    let tag = setting(case, metadata::SERVICE_TAG)?;
    let trace = is_on(case, "profiler.micro.service.tag.trace.enable");
    (trace && trilane_lane::tag::parse(tag.as_bytes()).is_some()).then_some(tag)
}

/// By the native rules and the default lane policy.
fn native(case: &Case, rules: Rules, entropy: u64) -> Result<Answer, String> {
    let mut tags = Tags::new();
    let extra = words(case, "trilane.metadata.read");
    let tag_of = |tags: &mut Tags, at: usize| match registered(case, at, &extra) {
        Registered::Untagged => TagId::NONE,
        Registered::Tag(tag) => tags.intern(tag),
        Registered::Unreadable => TagId::UNKNOWN,
    };
    let instance = |tags: &mut Tags, at: usize| {
        let i = &case.instances[at];
        Instance { address: i.address().into(), registered: tag_of(tags, at), healthy: i.healthy, labels: Arc::new([]) }
    };
    let instances: Vec<Instance> = (0..case.instances.len()).map(|at| instance(&mut tags, at)).collect();
    let mode = setting(case, "trilane.mode").and_then(|m| Mode::parse(&m)).unwrap_or(Mode::On);
    let mode = rules.mode.map_or(mode, |m| m.min(mode));
    let snapshot = Snapshot::compile(rules, 1, &mut tags);
    let names: Arc<[Arc<str>]> = [Arc::from(case.service.as_str())].into();
    let list = List::new(names, instances.into(), &snapshot, mode, 1);
    let trusted = snapshot.rules().trust.as_ref().is_none_or(|when| {
        let plan = EntryPlan::of_condition(when);
        let passed = passed(case, &plan);
        plan.decide(value(&passed), 0).is_some()
    });
    let believed = if trusted || case.request.tag.is_some() { carried(case).0 } else { None };
    let scene = Scene { case, snapshot: &snapshot, tags: &tags };
    let plan = case.caller.service.as_deref().filter(|_| believed.is_none()).and_then(|s| snapshot.entry_of(s));
    let mut chance = Entropy(entropy);
    let coloured = plan.and_then(|plan| scene.colour(plan, &mut chance));
    let (tag, from) = scene.tag(&believed, coloured);
    let entropy = chance.0;
    let route =
        |tag: Option<&str>| explain(&list, &snapshot, tag.map_or(TagId::NONE, |t| tags.find(t.as_bytes())), entropy);
    let told = route(tag.as_deref());
    let mut answer = Answer { tag_from: if tag.is_some() { from } else { String::new() }, ..Answer::default() };
    for (coloured, of_all) in plan.map_or_else(|| vec![(None, 1.0)], |plan| scene.colours(plan)) {
        let subset = route(scene.tag(&believed, coloured).0.as_deref()).decision.subset;
        let subset = subset.and_then(|s| list.usable(s)).cloned().unwrap_or_default();
        let left = if list.mode() == Mode::On { subset } else { list.usable(EVERYONE).cloned().unwrap_or_default() };
        for at in left.iter() {
            answer.put(case.instances[*at as usize].id.clone(), of_all / left.len() as f64);
        }
    }
    answer.pick = told.decision.index.map(|at| case.instances[at as usize].id.clone());
    answer.case = case_word(told.decision.case).into();
    answer.steps = native_steps(&told, tag.as_deref(), &tags);
    answer.tag = tag;
    Ok(answer)
}

/// The values of the request that a plan reads.
fn passed(case: &Case, plan: &EntryPlan) -> Vec<Option<String>> {
    plan.names().iter().map(|name| case.request.passed(name)).collect()
}

fn value<'p>(passed: &'p [Option<String>]) -> impl Fn(usize) -> Option<&'p [u8]> {
    |at| passed[at].as_deref().map(str::as_bytes)
}

/// What colours a request.
struct Scene<'c> {
    case: &'c Case,
    snapshot: &'c Snapshot,
    tags: &'c Tags,
}

/// The entry rule that holds, by its position, and the tag it gives.
type Coloured = Option<(usize, TagId)>;

impl Scene<'_> {
    fn colour(&self, plan: &EntryPlan, chance: &mut Entropy) -> Coloured {
        plan.decide_by(value(&passed(self.case, plan)), chance)
    }

    /// Every way that chance can take, with its part.
    fn colours(&self, plan: &EntryPlan) -> Vec<(Coloured, f64)> {
        share::colours(plan, value(&passed(self.case, plan)))
    }

    /// The request's tag and what gave it: a carrier that is believed, an entry rule (which may say: none), the caller.
    fn tag(&self, believed: &Option<String>, coloured: Coloured) -> (Option<String>, String) {
        if believed.is_some() {
            return (believed.clone(), "the request".into());
        }
        let Some((at, id)) = coloured else { return (own(self.case), "the caller's own tag".into()) };
        let service = self.case.caller.service.as_deref().unwrap_or("");
        let entry = self.snapshot.rules().entries.iter().find(|e| e.service == service);
        let line = entry.and_then(|e| e.rules.get(at)).map_or(0, |r| r.line);
        (self.tags.name(id).map(|n| n.to_string()), format!("the entry rule in line {line}"))
    }
}

fn native_steps(told: &Explanation, tag: Option<&str>, tags: &Tags) -> Vec<Told> {
    let title = format!("lanes, service rule in line {}", told.rule_line.map_or("-".into(), |l| l.to_string()));
    let counts = Some((told.candidates, told.candidates));
    let stage = Told { depth: 0, kind: "stage", line: told.rule_line.unwrap_or(0), text: title, counts, holds: None };
    let step = |step: &trilane_lane::explain::Step| {
        let lane = match step.tag {
            TagId::NONE => "baseline".to_string(),
            id => tags.name(id).map_or_else(|| tag.unwrap_or("").to_string(), |n| n.to_string()),
        };
        let found = match step.found {
            Found::Usable => "usable",
            Found::NoInstances => "noinstances",
            Found::NoneAvailable => "noavailabled",
        };
        let counts = Some((step.instances, step.usable));
        Told { depth: 1, kind: "looked", line: 0, text: format!("{lane}: {found}"), counts, holds: None }
    };
    std::iter::once(stage).chain(told.steps.iter().map(step)).collect()
}

fn case_word(case: Why) -> &'static str {
    match case {
        Why::Own => "own",
        Why::NoInstances => "noinstances",
        Why::NoneAvailable => "noavailabled",
        Why::Fail => "fail",
        Why::BaselineMissing => "baseline_missing",
    }
}

/// By a model that another dialect lowered to.
fn modelled(case: &Case, lowered: dialect::Lowered, entropy: u64) -> Answer {
    let pair = |(name, value): (&String, &String)| (Arc::from(name.as_str()), Arc::from(value.as_str()));
    let caller = Caller {
        service: case.caller.service.as_deref().map(Arc::from),
        host: case.caller.host.as_deref().map(Arc::from),
        labels: case.caller.labels.iter().map(pair).collect(),
    };
    let extra = words(case, "trilane.metadata.read");
    let endpoint = |at: usize| {
        let i = &case.instances[at];
        let tag = match registered(case, at, &extra) {
            Registered::Tag(tag) => Some(tag.into()),
            _ => None,
        };
        Endpoint { address: i.address().into(), tag, labels: i.labels.iter().map(pair).collect(), healthy: i.healthy }
    };
    let endpoints: Vec<Endpoint> = (0..case.instances.len()).map(endpoint).collect();
    let carried = carried(case).0;
    let untagged = Asked { request: &case.request, service: &case.service, tag: carried.as_deref() };
    let tag_plan = TagPlan::new(&lowered.model, &caller);
    let mut chance = Entropy(entropy);
    let tagged = tag_plan.decide(&untagged, carried.as_deref(), &|_| None, &mut chance, &mut ());
    let mut names = vec![case.service.as_str()];
    names.extend(case.request.service.as_deref());
    names.extend(case.request.host.as_deref());
    let services = lowered.model.services_of(&names);
    let plan = Plan::new(Arc::new(Chain::new(&services, &caller)), &endpoints);
    let asked = Asked { tag: tagged.tag, ..untagged };
    let mut recorder = Recorder::default();
    let decision = decide(&plan, &asked, &mut chance, &mut recorder);
    let id = |at: u32| match case.instances.get(at as usize) {
        Some(instance) => instance.id.clone(),
        None => plan.endpoints()[at as usize].address.to_string(),
    };
    let mut answer = Answer { notes: lowered.notes, ..Answer::default() };
    for (way, of_all) in share::tags(&tag_plan, &untagged, carried.as_deref(), &|_| None) {
        let asked = Asked { tag: way.tag, ..untagged };
        for (at, part) in shares(&plan, &asked).parts {
            answer.put(id(at), part * of_all);
        }
    }
    answer.case = case_word(decision.case).into();
    answer.pick = decision.index.map(id);
    answer.policy = decision.policy().filter(|p| **p != Policy::default()).cloned();
    answer.steps = recorder.told;
    answer.tag_from = match (tagged.tag, tagged.line) {
        (None, _) => String::new(),
        (_, Some(line)) => format!("the rule in line {line}"),
        (_, None) => "the request".into(),
    };
    answer.tag = tagged.tag.map(str::to_string);
    answer
}

impl Answer {
    fn put(&mut self, id: String, part: f64) {
        if !self.set.contains(&id) {
            self.set.push(id.clone());
        }
        *self.share.entry(id).or_default() += part;
    }
}
