//! The model by hand-made rules: each test states one meaning.

use super::chain::Chain;
use super::decide::{Entropy, Facts, decide};
use super::plan::{Endpoint, Plan};
use super::share::shares;
use super::*;
use crate::route::Case;

struct Request(Vec<(Field, &'static str)>);

impl Facts for Request {
    fn value(&self, _: usize, field: &Field) -> Option<&str> {
        self.0.iter().find(|(f, _)| f == field).map(|(_, v)| *v)
    }
}

/// `address label=value … [down]`
fn endpoints(lines: &[&str]) -> Vec<Endpoint> {
    let one = |line: &&str| {
        let mut words = line.split(' ');
        let address = words.next().unwrap().into();
        let labels: Vec<(Arc<str>, Arc<str>)> =
            words.clone().filter_map(|w| w.split_once('=')).map(|(n, v)| (n.into(), v.into())).collect();
        let tag = labels.iter().find(|(n, _)| &**n == "tag").map(|(_, v)| v.clone());
        Endpoint { address, tag, labels: labels.into(), healthy: !line.ends_with(" down") }
    };
    lines.iter().map(one).collect()
}

fn label(name: &str, value: &str) -> Selector {
    Selector::Where(Condition::is(Field::Label(name.into()), Test::Exact(value.into())))
}

fn stage(routes: Vec<Route>) -> Arc<Stage> {
    Arc::new(Stage { title: "test".into(), routes, otherwise: Otherwise::Keep })
}

fn route(when: Condition, destinations: Vec<Destination>, if_nothing: IfNothing) -> Route {
    Route { name: "".into(), line: 1, when, destinations, draw: Draw::Written, if_nothing }
}

fn plan(stages: Vec<Arc<Stage>>, list: &[Endpoint]) -> Plan {
    let service = Service { names: vec![Name::Any], stages, line: 1 };
    Plan::new(Arc::new(Chain::new(&[&service], &Caller::default())), list)
}

fn parts(plan: &Plan, request: Request) -> Vec<(u32, f64)> {
    shares(plan, &request).parts.into_iter().map(|(at, part)| (at, (part * 1e6).round() / 1e6)).collect()
}

#[test]
fn weights_are_exact_and_zero_is_never_drawn() {
    let list = endpoints(&["a:1 v=1", "b:1 v=2", "c:1 v=2", "d:1 v=3"]);
    let to = |v: &str, weight| Destination::new(v, label("v", v), weight, 1);
    let routes = vec![route(Condition::ALWAYS, vec![to("3", 0), to("1", 80), to("2", 20)], IfNothing::Fail)];
    let plan = plan(vec![stage(routes)], &list);
    assert_eq!(parts(&plan, Request(vec![])), [(0, 0.8), (1, 0.1), (2, 0.1)]);
    for step in 0..1_000u64 {
        let decision = decide(&plan, &Request(vec![]), &mut Entropy(step << 54), &mut ());
        assert_ne!(decision.index, Some(3));
    }
}

#[test]
fn fallbacks_tell_absent_from_unhealthy_and_chain() {
    let list = endpoints(&["a:1 v=1 down", "b:1 v=2", "c:1 v=4"]);
    let mut chain = vec![
        Destination::new("1", label("v", "1"), 100, 1),
        Destination::new("2", label("v", "2"), 0, 1),
        Destination::new("3", label("v", "3"), 0, 1),
        Destination::new("4", label("v", "4"), 0, 1),
    ];
    chain[0].fallback = [Some(1), Some(2)];
    chain[2].fallback = [Some(3), None];
    let plan = plan(vec![stage(vec![route(Condition::ALWAYS, chain, IfNothing::Fail)])], &list);
    let decision = decide(&plan, &Request(vec![]), &mut Entropy(7), &mut ());
    assert_eq!((decision.index, decision.case), (Some(2), Case::NoneAvailable));
}

#[test]
fn stages_narrow_each_other() {
    let list = endpoints(&["a:1 v=1 z=x", "b:1 v=1 z=y", "c:1 v=2 z=x"]);
    let only = |name: &str, value: &str, if_nothing| {
        stage(vec![route(Condition::ALWAYS, vec![Destination::new("", label(name, value), 1, 1)], if_nothing)])
    };
    let both = plan(vec![only("v", "1", IfNothing::Keep), only("z", "x", IfNothing::Keep)], &list);
    assert_eq!(parts(&both, Request(vec![])), [(0, 1.0)]);
    let kept = plan(vec![only("v", "2", IfNothing::Keep), only("z", "y", IfNothing::Keep)], &list);
    assert_eq!(parts(&kept, Request(vec![])), [(2, 1.0)]);
    let failed = plan(vec![only("v", "2", IfNothing::Keep), only("z", "y", IfNothing::Fail)], &list);
    assert_eq!(parts(&failed, Request(vec![])), []);
}

#[test]
fn values_of_the_request_select() {
    let list = endpoints(&["a:1 env=x", "b:1 env=y tag=gray", "c:1"]);
    let env = Selector::Label { label: "env".into(), from: Field::Tag };
    let to = |select| stage(vec![route(Condition::ALWAYS, vec![Destination::new("", select, 1, 1)], IfNothing::Keep)]);
    let by_label = plan(vec![to(env)], &list);
    assert_eq!(parts(&by_label, Request(vec![(Field::Tag, "y")])), [(1, 1.0)]);
    assert_eq!(parts(&by_label, Request(vec![(Field::Tag, "no")])).len(), 3);
    let by_tag = plan(vec![to(Selector::TagOfRequest)], &list);
    assert_eq!(parts(&by_tag, Request(vec![(Field::Tag, "gray")])), [(1, 1.0)]);
    // What no index answers is evaluated at each decision.
    let same = Selector::Where(Condition::is(Field::Label("env".into()), Test::PatternOf(Field::Header("e".into()))));
    let rare = plan(vec![to(same)], &list);
    assert_eq!(parts(&rare, Request(vec![(Field::Header("e".into()), "x*")])), [(0, 1.0)]);
}

#[test]
fn the_callers_own_values_are_known_beforehand() {
    let list = endpoints(&["10.0.0.1:1", "10.0.0.2:1"]);
    let here = Selector::Where(Condition::is(Field::InstanceHost, Test::PatternOf(Field::CallerHost)));
    let when = Condition::is(Field::CallerService, Test::Exact("shop".into()));
    let rule = stage(vec![route(when, vec![Destination::new("", here, 1, 1)], IfNothing::Keep)]);
    let service = Service { names: vec![Name::Any], stages: vec![rule], line: 1 };
    let of = |name: &str| {
        let caller = Caller { service: Some(name.into()), host: Some("10.0.0.2".into()), labels: vec![] };
        Plan::new(Arc::new(Chain::new(&[&service], &caller)), &list)
    };
    assert_eq!(parts(&of("shop"), Request(vec![])), [(1, 1.0)]);
    assert_eq!(parts(&of("cart"), Request(vec![])).len(), 2);
    assert!(of("shop").chain().fields().is_empty());
}

#[test]
fn addresses_outside_the_list_serve_only_where_they_are_named() {
    let list = endpoints(&["a:1 v=1"]);
    let mock = Selector::Addresses(vec!["mock:9".into()]);
    let when = Condition::is(Field::Header("x".into()), Test::Present);
    let routes = vec![route(when, vec![Destination::new("mock", mock, 1, 1)], IfNothing::Fail)];
    let plan = plan(vec![stage(routes)], &list);
    assert_eq!(&*plan.endpoints()[1].address, "mock:9");
    assert_eq!(parts(&plan, Request(vec![])), [(0, 1.0)]);
    assert_eq!(parts(&plan, Request(vec![(Field::Header("x".into()), "")])), [(1, 1.0)]);
}

#[test]
fn the_most_specific_entry_of_a_layer_applies() {
    let service = |name: Name, line| Service { names: vec![name], stages: vec![], line };
    let services = vec![
        service(Name::Any, 1),
        service(Name::Suffix(".svc".into()), 2),
        service(Name::Suffix("b.svc".into()), 3),
        service(Name::Exact("a.svc".into()), 4),
        service(Name::Exact("a.svc".into()), 5),
    ];
    let model = Model { layers: vec![Layer { services }], ..Model::default() };
    let line = |name: &str| model.services_of(&[name])[0].line;
    assert_eq!((line("a.svc"), line("b.svc"), line("c.svc"), line("d")), (4, 3, 2, 1));
}

#[test]
fn circles_of_fallbacks_are_found_at_load() {
    let mut destinations = vec![Destination::new("x", Selector::All, 1, 7), Destination::new("y", Selector::All, 0, 8)];
    destinations[0].fallback[0] = Some(1);
    destinations[1].fallback[1] = Some(0);
    let rule = stage(vec![route(Condition::ALWAYS, destinations, IfNothing::Fail)]);
    let services = vec![Service { names: vec![Name::Any], stages: vec![rule], line: 1 }];
    let model = Model { layers: vec![Layer { services }], ..Model::default() };
    let broken = model.broken_fallbacks();
    assert_eq!(broken.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [7, 8]);
    assert!(broken[0].1.contains("circle"));
}

#[test]
fn chance_in_conditions_is_counted_exactly() {
    let list = endpoints(&["a:1 v=1", "b:1 v=2"]);
    let some = route(Condition::Chance(2_500), vec![Destination::new("", label("v", "2"), 1, 1)], IfNothing::Fail);
    let rest = route(Condition::ALWAYS, vec![Destination::new("", label("v", "1"), 1, 1)], IfNothing::Fail);
    let plan = plan(vec![stage(vec![some, rest])], &list);
    assert_eq!(parts(&plan, Request(vec![])), [(0, 0.75), (1, 0.25)]);
}

#[test]
fn many_routes_are_looked_up_and_the_first_still_wins() {
    let list = endpoints(&["a:1 v=0", "b:1 v=1"]);
    let header = |n: &str| Field::Header(n.into());
    let exact = |n: &str, v: &str| Condition::is(header(n), Test::Exact(v.into()));
    let prefix = |v: &str| Condition::is(Field::Path, Test::Prefix(v.into()));
    let not_x = || Condition::is(header("x"), Test::Absent);
    let mut routes: Vec<Route> = Vec::new();
    let mut add = |when: Condition, v: &str| {
        routes.push(route(when, vec![Destination::new("", label("v", v), 1, 1)], IfNothing::Fail));
    };
    for n in 0..100 {
        add(Condition::All(vec![exact("u", &n.to_string()), prefix("/a"), not_x()]), "0");
    }
    add(exact("u", "7"), "1");
    let long: &'static str = "y".repeat(300).leak();
    add(exact("u", long), "1");
    add(Condition::Any(vec![prefix("/long/way"), Condition::All(vec![exact("u", "500")])]), "1");
    add(Condition::ALWAYS, "0");
    let plan = plan(vec![stage(routes)], &list);
    let to = |values: Vec<(Field, &'static str)>| {
        let request = Request(values);
        let fast = decide(&plan, &request, &mut Entropy(1), &mut ()).index;
        let slow = decide(&plan, &request, &mut Entropy(1), &mut super::explain::Recorder::default()).index;
        assert_eq!(fast, slow);
        fast
    };
    assert_eq!(to(vec![(header("u"), "7"), (Field::Path, "/abc")]), Some(0));
    assert_eq!(to(vec![(header("u"), "7"), (Field::Path, "/abc"), (header("x"), "")]), Some(1));
    assert_eq!(to(vec![(header("u"), "7")]), Some(1));
    assert_eq!(to(vec![(header("u"), "500")]), Some(1));
    assert_eq!(to(vec![(Field::Path, "/long/way/home")]), Some(1));
    assert_eq!(to(vec![(Field::Path, "/long")]), Some(0));
    assert_eq!(to(vec![(header("u"), long)]), Some(1));
    assert_eq!(to(vec![(header("u"), &long[1..])]), Some(0));
}
