//! The compiled engine against a slow and obvious one, written from `docs/rules.md` ("How the model decides") and from
//! `docs/operator.md`: sets are walked, nothing is indexed, chance is followed by recursion.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trilane_lane::Mode;
use trilane_lane::list::{Instance, List};
use trilane_lane::model::chain::Chain;
use trilane_lane::model::decide::{Entropy, Facts, decide};
use trilane_lane::model::explain::Recorder;
use trilane_lane::model::plan::{Endpoint, Plan};
use trilane_lane::model::share::shares;
use trilane_lane::model::*;
use trilane_lane::rules::{Snapshot, check};
use trilane_lane::tag::{TagId, Tags};

/// `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

/// Selector, weight, least share, and how many destinations ahead each fallback is.
type Drawn = (Selector, u32, u32, [Option<u16>; 2]);
type Labels = BTreeMap<String, String>;

/// A request: the values of headers `a`, `b`, `c` and its tag.
#[derive(Clone, Debug)]
struct Request {
    headers: Labels,
    tag: Option<String>,
}

impl Facts for Request {
    fn value(&self, _: usize, field: &Field) -> Option<&str> {
        match field {
            Field::Header(name) => self.headers.get(&**name).map(String::as_str),
            Field::Tag => self.tag.as_deref(),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Peer {
    labels: Labels,
    tag: Option<String>,
    healthy: bool,
}

// ---- the slow one ----

fn test_holds(test: &Test, value: Option<&str>) -> bool {
    match test {
        Test::Not(test) => !test_holds(test, value),
        Test::Absent => value.is_none(),
        Test::Present => value.is_some(),
        Test::Exact(wanted) => value == Some(wanted),
        Test::Prefix(wanted) => value.is_some_and(|v| v.len() >= wanted.len() && v[..wanted.len()] == **wanted),
        Test::OneOf(words) => value.is_some_and(|v| words.iter().any(|w| **w == *v)),
        other => panic!("{other} is not generated"),
    }
}

fn holds(condition: &Condition, value: &dyn Fn(&Field) -> Option<String>) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|c| holds(c, value)),
        Condition::Any(parts) => parts.iter().any(|c| holds(c, value)),
        Condition::Not(part) => !holds(part, value),
        Condition::Is(field, test) => test_holds(test, value(field).as_deref()),
        Condition::Chance(_) => panic!("not generated"),
    }
}

fn selected(select: &Selector, peer: &Peer, request: &Request) -> bool {
    match select {
        Selector::All => true,
        Selector::Nothing => false,
        Selector::Baseline => peer.tag.is_none(),
        Selector::Tag(tag) => peer.tag.as_deref() == Some(&**tag),
        Selector::TagOfRequest => request.tag.is_some() && peer.tag == request.tag,
        Selector::Label { label, .. } => {
            let wanted = request.headers.get("c");
            wanted.is_some() && peer.labels.get(&**label) == wanted
        }
        Selector::Where(condition) => holds(condition, &|field| match field {
            Field::Label(name) => peer.labels.get(&**name).cloned(),
            other => request.value(0, other).map(str::to_string),
        }),
        other => panic!("{other:?} is not generated"),
    }
}

type Shares = BTreeMap<usize, f64>;
type Positions = BTreeSet<usize>;

struct Slow<'a> {
    peers: &'a [Peer],
    request: &'a Request,
}

impl Slow<'_> {
    fn usable(&self, set: &Positions) -> usize {
        set.iter().filter(|at| self.peers[**at].healthy).count()
    }

    /// What a destination and its fallbacks leave, if anything usable.
    fn reach(&self, route: &Route, at: usize, set: &Positions) -> Option<Positions> {
        let destination = &route.destinations[at];
        let found: Positions =
            set.iter().copied().filter(|n| selected(&destination.select, &self.peers[*n], self.request)).collect();
        // Fewer usable ones than the least share of those before count as none.
        let enough = self.usable(&found) * 1_000_000 >= self.usable(set) * destination.least as usize;
        if self.usable(&found) > 0 && enough {
            return Some(found);
        }
        let case = usize::from(!found.is_empty() && self.usable(&found) == 0);
        self.reach(route, usize::from(destination.fallback[case]?), set)
    }

    /// Every outcome of a stage with its part; `None`: the decision fails.
    fn stage(&self, stage: &Stage, set: &Positions, from: usize) -> Vec<(Option<Positions>, f64)> {
        let value = |field: &Field| self.request.value(0, field).map(str::to_string);
        let Some(at) = (from..stage.routes.len()).find(|n| holds(&stage.routes[*n].when, &value)) else {
            return vec![((stage.otherwise == Otherwise::Keep).then(|| set.clone()), 1.0)];
        };
        let route = &stage.routes[at];
        let weight = |n: usize| {
            let drawn = route.draw == Draw::Written || self.reach(route, n, set).is_some();
            if drawn { f64::from(route.destinations[n].weight) } else { 0.0 }
        };
        let total: f64 = (0..route.destinations.len()).map(weight).sum();
        let nothing = |part: f64, out: &mut Vec<(Option<Positions>, f64)>| match route.if_nothing {
            IfNothing::Fail => out.push((None, part)),
            IfNothing::Keep => out.push((Some(set.clone()), part)),
            IfNothing::Next => out.extend(self.stage(stage, set, at + 1).into_iter().map(|(s, p)| (s, p * part))),
            other => panic!("{other:?} is not generated"),
        };
        let mut out = Vec::new();
        if total == 0.0 {
            nothing(1.0, &mut out);
        }
        for n in (0..route.destinations.len()).filter(|n| weight(*n) > 0.0) {
            match self.reach(route, n, set) {
                Some(found) => out.push((Some(found), weight(n) / total)),
                None => nothing(weight(n) / total, &mut out),
            }
        }
        out
    }

    fn shares(&self, stages: &[Arc<Stage>], set: &Positions, part: f64, out: &mut Shares) {
        let Some((stage, rest)) = stages.split_first() else {
            let usable = self.usable(set);
            for at in set.iter().filter(|at| self.peers[**at].healthy) {
                *out.entry(*at).or_default() += part / usable as f64;
            }
            return;
        };
        for (left, here) in self.stage(stage, set, 0) {
            if let Some(left) = left {
                self.shares(rest, &left, part * here, out);
            }
        }
    }
}

// ---- what is generated ----

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "xy", "xyz", "y", ""]).prop_map(str::to_string)
}

fn tag() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(vec!["gray", "blue", "dev"]).prop_map(str::to_string))
}

fn test() -> impl Strategy<Value = Test> {
    let plain = prop_oneof![
        4 => word().prop_map(|w| Test::Exact(w.into())),
        3 => word().prop_map(|w| Test::Prefix(w.into())),
        1 => Just(Test::Present),
        1 => Just(Test::Absent),
        1 => prop::collection::vec(word(), 1..3).prop_map(|w| Test::one_of(w.iter().map(String::as_str))),
    ];
    prop_oneof![5 => plain.clone(), 1 => plain.prop_map(|t| Test::Not(Box::new(t)))]
}

fn condition(field: impl Strategy<Value = Field> + Clone + 'static) -> impl Strategy<Value = Condition> {
    let leaf = (field, test()).prop_map(|(field, test)| Condition::Is(field, test));
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::All),
            2 => prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::Any),
            1 => inner.prop_map(|c| Condition::Not(Box::new(c))),
        ]
    })
}

fn header() -> impl Strategy<Value = Field> + Clone {
    prop_oneof![
        3 => prop::sample::select(vec!["a", "b"]).prop_map(|n| Field::Header(n.into())),
        1 => Just(Field::Tag),
    ]
}

fn selector() -> impl Strategy<Value = Selector> {
    let label = prop::sample::select(vec!["l", "m"]).prop_map(|n| Field::Label(n.into()));
    let of_both = prop_oneof![label.clone(), header()];
    prop_oneof![
        1 => Just(Selector::All),
        1 => Just(Selector::Nothing),
        1 => Just(Selector::Baseline),
        1 => tag().prop_map(|t| Selector::Tag(t.unwrap_or("gray".into()).into())),
        1 => Just(Selector::TagOfRequest),
        1 => Just(Selector::Label { label: "l".into(), from: Field::Header("c".into()) }),
        5 => condition(label).prop_map(Selector::Where),
        1 => condition(of_both).prop_map(Selector::Where),
    ]
}

fn route() -> impl Strategy<Value = Route> {
    let least = prop::sample::select(vec![0u32, 0, 0, 300_000, 600_000]);
    let destination = (selector(), 0u32..4, least, prop::array::uniform2(prop::option::weighted(0.4, 1u16..3)));
    let destinations = prop::collection::vec(destination, 1..4);
    let nothing = prop::sample::select(vec![IfNothing::Fail, IfNothing::Keep, IfNothing::Next]);
    let draw = prop::sample::select(vec![Draw::Written, Draw::Usable]);
    (condition(header()), destinations, nothing, draw).prop_map(|(when, drawn, if_nothing, draw)| {
        let length = drawn.len() as u16;
        let one = |(n, (select, weight, least, ahead)): (usize, Drawn)| {
            let mut destination = Destination::new("", select, weight, 1);
            destination.least = least;
            // Only forward: circles are refused when rules are loaded.
            destination.fallback = ahead.map(|step| step.map(|s| n as u16 + s).filter(|to| *to < length));
            destination
        };
        let destinations = drawn.into_iter().enumerate().map(one).collect();
        Route { name: "".into(), line: 1, when, destinations, draw, if_nothing }
    })
}

fn stages() -> impl Strategy<Value = Vec<Arc<Stage>>> {
    let otherwise = prop::sample::select(vec![Otherwise::Keep, Otherwise::Fail]);
    // More than eight routes are looked up by their values.
    let stage = (prop::collection::vec(route(), 0..14), otherwise)
        .prop_map(|(routes, otherwise)| Arc::new(Stage { title: "".into(), routes, otherwise }));
    prop::collection::vec(stage, 1..4)
}

fn peers() -> impl Strategy<Value = Vec<Peer>> {
    let labels = prop::collection::btree_map(prop::sample::select(vec!["l", "m"]).prop_map(String::from), word(), 0..3);
    let peer =
        (labels, tag(), prop::bool::weighted(0.7)).prop_map(|(labels, tag, healthy)| Peer { labels, tag, healthy });
    prop::collection::vec(peer, 0..9)
}

fn request() -> impl Strategy<Value = Request> {
    let headers =
        prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]).prop_map(String::from), word(), 0..4);
    (headers, tag()).prop_map(|(headers, tag)| Request { headers, tag })
}

fn endpoints(peers: &[Peer]) -> Vec<Endpoint> {
    let one = |(n, peer): (usize, &Peer)| Endpoint {
        address: format!("10.0.0.{n}:80").into(),
        tag: peer.tag.as_deref().map(Arc::from),
        labels: peer.labels.iter().map(|(n, v)| (Arc::from(n.as_str()), Arc::from(v.as_str()))).collect(),
        healthy: peer.healthy,
    };
    peers.iter().enumerate().map(one).collect()
}

fn rounded(shares: impl Iterator<Item = (usize, f64)>) -> Vec<(usize, i64)> {
    shares.map(|(at, part)| (at, (part * 1e9).round() as i64)).filter(|(_, part)| *part > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_model_agrees_with_the_slow_one(stages in stages(), peers in peers(), request in request()) {
        let service = Service { names: vec![Name::Any], stages: stages.clone(), line: 1 };
        let plan = Plan::new(Arc::new(Chain::new(&[&service], &Caller::default())), &endpoints(&peers));
        let mut expected = Shares::new();
        let slow = Slow { peers: &peers, request: &request };
        slow.shares(&stages, &(0..peers.len()).collect(), 1.0, &mut expected);
        let found = shares(&plan, &request);
        prop_assert!(!found.cut);
        let found = rounded(found.parts.into_iter().map(|(at, part)| (at as usize, part)));
        prop_assert_eq!(rounded(expected.into_iter()), found.clone());
        // One decision is one of them, and the same whether it is watched (routes walked) or not (routes looked up).
        for entropy in [0, u64::MAX / 3, u64::MAX] {
            let fast = decide(&plan, &request, &mut Entropy(entropy), &mut ());
            let watched = decide(&plan, &request, &mut Entropy(entropy), &mut Recorder::default());
            prop_assert_eq!((fast.index, fast.case), (watched.index, watched.case));
            prop_assert!(fast.index.is_none_or(|at| found.iter().any(|(n, _)| *n == at as usize)));
        }
        // A health bit that is set and set back gives the same plan.
        if !peers.is_empty() {
            let back = plan.with_health(0, !peers[0].healthy).with_health(0, peers[0].healthy);
            let again = rounded(shares(&back, &request).parts.into_iter().map(|(at, part)| (at as usize, part)));
            prop_assert_eq!(found, again);
        }
    }
}

// ---- lanes ----

/// Where a fallback leads, as the file spells it.
fn target() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "baseline",
        "none",
        "all",
        "gray",
        "blue",
        "[blue, gray]",
        "[dev, baseline]",
        "[gray, none]",
    ])
}

struct Lanes {
    lanes: BTreeMap<&'static str, &'static str>,
    service: [Option<&'static str>; 2],
}

impl Lanes {
    fn text(&self) -> String {
        let mut text = String::from("apiVersion: trilane/v1\nlanes:\n");
        for (tag, fallback) in &self.lanes {
            text += &format!("  - {{tag: {tag}, fallback: {fallback}}}\n");
        }
        text += "services:\n  - name: pricing\n    fallback: {";
        let cases = ["noinstances", "noavailabled"].iter().zip(self.service);
        let written: Vec<String> = cases.filter_map(|(case, to)| Some(format!("{case}: {}", to?))).collect();
        text + &written.join(", ") + "}\n"
    }

    /// The healthy instances that serve; empty: fails. Chains are walked in their order, a lane's own rule otherwise.
    fn serve(&self, peers: &[Peer], tag: Option<&str>) -> Positions {
        let of = |tag: Option<&str>| -> Vec<usize> {
            (0..peers.len()).filter(|n| peers[*n].tag.as_deref() == tag).collect()
        };
        let healthy = |set: &[usize]| -> Positions { set.iter().copied().filter(|n| peers[*n].healthy).collect() };
        let everyone = || healthy(&(0..peers.len()).collect::<Vec<_>>());
        let mut at = tag;
        for _ in 0..10 {
            let all = of(at);
            let usable = healthy(&all);
            if !usable.is_empty() {
                return usable;
            }
            let Some(lane) = at else { return Positions::new() };
            let case = usize::from(!all.is_empty());
            let to = self.service[case].or(self.lanes.get(lane).copied()).unwrap_or("baseline");
            match to {
                "baseline" => at = None,
                "none" => return Positions::new(),
                "all" => return everyone(),
                chain if chain.starts_with('[') => {
                    for step in chain.trim_matches(['[', ']']).split(", ") {
                        let found = match step {
                            "none" => return Positions::new(),
                            "baseline" => healthy(&of(None)),
                            tag => healthy(&of(Some(tag))),
                        };
                        if !found.is_empty() {
                            return found;
                        }
                    }
                    return Positions::new();
                }
                tag => at = Some(tag),
            }
        }
        // A circle fails.
        Positions::new()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lanes_agree_with_the_slow_ones(
        fallbacks in prop::array::uniform3(target()),
        service in prop::array::uniform2(prop::option::of(target())),
        peers in peers(),
        tag in prop::option::of(prop::sample::select(vec!["gray", "blue", "dev", "stranger"])),
    ) {
        let lanes = Lanes { lanes: ["gray", "blue", "dev"].into_iter().zip(fallbacks).collect(), service };
        // The loader refuses circles of lanes' own fallbacks.
        let Ok(rules) = check("f", &lanes.text()) else { return Ok(()) };
        let mut tags = Tags::new();
        let snapshot = Snapshot::compile(rules, 1, &mut tags);
        let instance = |(n, peer): (usize, &Peer)| Instance {
            address: format!("10.0.0.{n}:80").into(),
            registered: peer.tag.as_ref().map_or(TagId::NONE, |t| tags.find(t.as_bytes())),
            healthy: peer.healthy,
            labels: Arc::new([]),
        };
        let instances: Arc<[Instance]> = peers.iter().enumerate().map(instance).collect();
        let list = List::new([Arc::from("pricing")].into(), instances, &snapshot, Mode::On, 1);
        let id = tag.map_or(TagId::NONE, |t| tags.find(t.as_bytes()));
        let decision = trilane_lane::route::route(&list, id, 7);
        let found: Positions = decision
            .subset
            .and_then(|s| list.usable(s))
            .map(|usable| usable.iter().map(|n| *n as usize).collect())
            .unwrap_or_default();
        prop_assert_eq!(lanes.serve(&peers, tag), found);
    }
}
