//! Dubbo's mesh rules: `<application>.MESHAPPRULE`, VirtualServices and DestinationRules of
//! `service.dubbo.apache.org`.

use super::Context;
use super::dubbo_common::{Flavor, caller_field, text_match};
use crate::model::{
    Condition, Destination, Draw, Field, IfNothing, Layer, Model, Name, Otherwise, Route, Selector, Service, Stage,
    Test,
};
use crate::rules::walk::{Fields, Value};
use std::collections::HashMap;
use std::sync::Arc;

const DOCUMENT: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "dialect"];
const POLICY: &str = "Dubbo reads it and applies none of it";

/// Lowers documents of this dialect.
pub fn lower(documents: &[Value<'_>], _: &Context<'_>) -> Model {
    let mut subsets = Subsets::default();
    let (mut services, mut unknown) = (Vec::new(), false);
    for document in documents {
        let Some(fields) = document.fields(&DOCUMENT, &[]) else { continue };
        let Some(kind) = fields.need("kind") else { continue };
        named(fields);
        let Some(spec) = fields.need("spec") else { continue };
        match kind.word("kind", &[("VirtualService", true), ("DestinationRule", false)]) {
            Some(true) => services.push(spec),
            Some(false) => subsets.read(spec),
            None => unknown = true,
        }
    }
    if let (Some(document), true) = (documents.first(), !unknown && (services.is_empty() || !subsets.written)) {
        document.problem("one of the two kinds is missing", "at least one VirtualService and one DestinationRule");
    }
    let mut all: Vec<Service> = Vec::new();
    for spec in services {
        for service in virtual_service(spec, &subsets).into_iter().flatten() {
            merge(&mut all, service);
        }
    }
    Model { layers: vec![Layer { services: all }], ..Model::default() }
}

/// Of several VirtualServices for one host, the first with a route for the called service counts.
fn merge(all: &mut Vec<Service>, service: Service) {
    let Some(first) = all.iter_mut().find(|s| s.names == service.names) else {
        all.push(service);
        return;
    };
    for (old, new) in first.stages.iter_mut().zip(&service.stages) {
        Arc::make_mut(old).routes.extend(new.routes.iter().cloned());
    }
}

fn named(fields: Fields<'_>) {
    let unused = [("labels", "they describe the document"), ("namespace", "a rule belongs to its application")];
    let Some(metadata) = fields.need("metadata").and_then(|m| m.fields(&["name"], &unused)) else { return };
    if let Some(name) = metadata.need("name").filter(|name| name.text().is_some_and(|n| n.contains('.'))) {
        name.problem("a name with a dot is for another router", "a name without a dot");
    }
}

/// Subsets by name; of one name in several DestinationRules each adds its instances.
#[derive(Default)]
struct Subsets {
    by_name: HashMap<Box<str>, Vec<Condition>>,
    written: bool,
}

impl Subsets {
    fn read(&mut self, spec: Value<'_>) {
        self.written = true;
        let Some(fields) = spec.fields(&["host", "subsets"], &[("trafficPolicy", POLICY)]) else { return };
        for subset in fields.list("subsets") {
            let Some(fields) = subset.fields(&["name", "labels"], &[("trafficPolicy", POLICY)]) else { continue };
            let Some(name) = fields.need("name").and_then(Value::text) else { continue };
            let labels = fields.get("labels").map_or_else(Vec::new, Value::entries);
            let equal = |(label, value): (&str, Value<'_>)| {
                Some(Condition::is(Field::Label(label.into()), Test::Exact(value.text()?.into())))
            };
            let labels: Vec<Condition> = labels.into_iter().filter_map(equal).collect();
            self.by_name.entry(name.into()).or_default().push(Condition::All(labels));
        }
    }

    fn selector(&self, name: &str) -> Option<Selector> {
        match self.by_name.get(name)?.as_slice() {
            [one] => Some(Selector::Where(one.clone())),
            several => Some(Selector::Where(Condition::Any(several.to_vec()))),
        }
    }
}

/// One entry a host.
fn virtual_service(spec: Value<'_>, subsets: &Subsets) -> Option<Vec<Service>> {
    let fields = spec.fields(&["hosts", "dubbo"], &[])?;
    let mut names = Vec::new();
    for host in fields.list("hosts") {
        names.push(match host.text()? {
            "*" => Name::Any,
            host => Name::Exact(host.into()),
        });
    }
    if names.is_empty() {
        spec.note("without `hosts` the rule is for every service");
        names.push(Name::Any);
    }
    let mut routes = Vec::new();
    for route in fields.need("dubbo")?.items() {
        routes.extend(dubbo_route(route, subsets).unwrap_or_default());
    }
    let stage = Arc::new(Stage { title: "Dubbo VirtualService".into(), routes, otherwise: Otherwise::Keep });
    let service = |name| Service { names: vec![name], stages: vec![stage.clone()], line: spec.line() };
    Some(names.into_iter().map(service).collect())
}

/// The first route for the called service counts: where none of its details holds, nothing is routed.
fn dubbo_route(route: Value<'_>, subsets: &Subsets) -> Option<Vec<Route>> {
    let fields = route.fields(&["name", "services", "routedetail"], &[])?;
    let services = fields.list("services");
    let called = services.iter().map(|s| text_match(*s, Field::Service, Flavor::Java));
    let called = called.collect::<Option<Vec<_>>>()?;
    let called = if called.is_empty() { Condition::ALWAYS } else { Condition::Any(called) };
    let mut routes = Vec::new();
    for detail in fields.list("routedetail") {
        routes.extend(route_detail(detail, &called, subsets));
    }
    routes.push(Route {
        name: "no detail".into(),
        line: route.line(),
        when: called,
        destinations: vec![Destination::new("all", Selector::All, 1, route.line())],
        draw: Draw::Written,
        if_nothing: IfNothing::Keep,
    });
    Some(routes)
}

fn route_detail(detail: Value<'_>, called: &Condition, subsets: &Subsets) -> Option<Route> {
    let fields = detail.fields(&["name", "match", "route"], &[])?;
    let mut when = vec![called.clone()];
    for item in fields.list("match") {
        when.extend(match_request(item)?);
    }
    let mut destinations = Vec::new();
    let mut open = Vec::new();
    for (n, written) in fields.need("route")?.items().into_iter().enumerate() {
        let inner = written.fields(&["destination", "weight"], &[])?;
        let weight = match inner.get("weight") {
            Some(weight) => weight.number(0u32, 1_000_000)?,
            None => 1,
        };
        let (destination, fallback) = destination(inner.need("destination")?, weight, subsets)?;
        destinations.push(destination);
        open.extend(fallback.map(|fallback| (n, fallback)));
    }
    // Fallbacks stand behind all that are drawn.
    while let Some((from, fallback)) = open.pop() {
        if fallback.node().field("destination").is_none() && fallback.node().field("subset").is_some() {
            fallback
                .problem("a fallback is a route destination again", "fallback: {destination: {host: …, subset: …}}");
            return None;
        }
        let inner = fallback.fields(&["destination"], &[("weight", "a fallback is not drawn")])?;
        let (destination, next) = destination(inner.need("destination")?, 0, subsets)?;
        let at = destinations.len();
        destinations[from].fallback = [Some(at as u16); 2];
        destinations.push(destination);
        open.extend(next.map(|next| (at, next)));
    }
    let (name, line) = (fields.text("name").unwrap_or("").into(), detail.line());
    let (draw, if_nothing) = (Draw::Written, IfNothing::OtherThenKeep);
    Some(Route { name, line, when: Condition::All(when), destinations, draw, if_nothing })
}

fn destination<'a>(at: Value<'a>, weight: u32, subsets: &Subsets) -> Option<(Destination, Option<Value<'a>>)> {
    let why = "the rules of an application are about its own instances";
    let fields = at.fields(&["subset", "fallback"], &[("host", why), ("port", why)])?;
    let (name, select) = match fields.get("subset") {
        Some(subset) => {
            let name = subset.text()?;
            let selector = subsets.selector(name);
            if selector.is_none() {
                let mut known: Vec<&str> = subsets.by_name.keys().map(|k| &**k).collect();
                known.sort_unstable();
                subset.unknown("subset of a DestinationRule", name, &known);
            }
            (name, selector?)
        }
        None => ("all", Selector::All),
    };
    Some((Destination::new(name, select, weight, at.line()), fields.get("fallback")))
}

/// Several items of `match` all have to hold.
fn match_request(item: Value<'_>) -> Option<Vec<Condition>> {
    let fields = item.fields(&["name", "method", "sourceLabels", "attachments", "headers"], &[])?;
    let mut all = Vec::new();
    if let Some(method) = fields.get("method") {
        method_match(method, &mut all)?;
    }
    for (label, value) in fields.get("sourceLabels").map_or_else(Vec::new, Value::entries) {
        all.push(Condition::is(caller_field(label), Test::Exact(value.text()?.into())));
    }
    if let Some(attachments) = fields.get("attachments") {
        let fields = attachments.fields(&["dubboContext", "tracingContext"], &[])?;
        for (name, value) in fields.get("dubboContext").map_or_else(Vec::new, Value::entries) {
            all.push(text_match(value, Field::Attachment(name.into()), Flavor::Java)?);
        }
        if let Some(tracing) = fields.get("tracingContext") {
            tracing.problem("nothing gives a tracing context here", "dubboContext, or headers");
        }
    }
    headers(fields, &mut all)?;
    Some(all)
}

fn headers(fields: Fields<'_>, all: &mut Vec<Condition>) -> Option<()> {
    for (name, value) in fields.get("headers").map_or_else(Vec::new, Value::entries) {
        all.push(text_match(value, Field::Header(name.to_ascii_lowercase().into()), Flavor::Java)?);
    }
    Some(())
}

fn method_match(method: Value<'_>, all: &mut Vec<Condition>) -> Option<()> {
    let fields = method.fields(&["name_match", "argc", "args", "argp", "headers"], &[])?;
    if let Some(name) = fields.get("name_match") {
        all.push(text_match(name, Field::Method, Flavor::Java)?);
    }
    if let Some(count) = fields.get("argc") {
        let count = count.number(0u16, 255)?;
        all.push(Condition::is(Field::Argument(count), Test::Absent));
        all.extend(count.checked_sub(1).map(|last| Condition::is(Field::Argument(last), Test::Present)));
    }
    if let Some(types) = fields.get("argp") {
        types.problem("the types of parameters are not known here", "argc, or args by value");
    }
    for argument in fields.list("args") {
        argument_match(argument, all)?;
    }
    headers(fields, all)
}

fn argument_match(argument: Value<'_>, all: &mut Vec<Condition>) -> Option<()> {
    let unused = [("type", "the value's text is asked")];
    let fields = argument.fields(&["index", "str_value", "num_value", "bool_value"], &unused)?;
    let index = fields.get("index").map_or(Some(0), |index| index.number(0u16, 255))?;
    let field = Field::Argument(index);
    let one_of = |value: Value<'_>, read: &dyn Fn(Value<'_>) -> Option<Condition>| {
        let items = value.fields(&["oneof"], &[])?.need("oneof")?.items();
        items.into_iter().map(read).collect::<Option<Vec<_>>>().map(Condition::Any)
    };
    let condition = if let Some(text) = fields.get("str_value") {
        one_of(text, &|item| text_match(item, field.clone(), Flavor::Java))?
    } else if let Some(number) = fields.get("num_value") {
        one_of(number, &|item| number_match(item, &field))?
    } else if let Some(truth) = fields.get("bool_value") {
        let exact = truth.fields(&["exact"], &[])?.need("exact")?.boolean()?;
        Condition::is(field, Test::Exact(if exact { "true" } else { "false" }.into()))
    } else {
        argument.problem("nothing is asked of the argument", "str_value, num_value or bool_value");
        return None;
    };
    // An argument that is not there is not an empty one.
    all.extend([Condition::is(Field::Argument(index), Test::Present), condition]);
    Some(())
}

/// `{exact: 7}`, `{range: {start: 1, end: 10}}` (the end is outside), `{exact: 1, mod: 2}`.
fn number_match(item: Value<'_>, field: &Field) -> Option<Condition> {
    let fields = item.fields(&["exact", "range", "mod"], &[])?;
    let number = |value: Value<'_>| {
        let text = value.text()?;
        let number = text.parse().ok().filter(|n: &f64| n.is_finite());
        if number.is_none() {
            value.problem(format!("`{text}` is no number"), "a number, such as 7 or 0.5");
        }
        number
    };
    let exact = fields.get("exact").map(number);
    let test = match (exact, fields.get("mod"), fields.get("range")) {
        (Some(exact), None, _) => Test::Range(exact?, exact?),
        (_, _, Some(range)) => {
            let ends = range.fields(&["start", "end"], &[])?;
            let start = ends.get("start").map_or(Some(f64::NEG_INFINITY), number)?;
            let end = ends.get("end").map_or(Some(f64::INFINITY), |end| number(end).map(f64::next_down))?;
            Test::Range(start, end)
        }
        (Some(exact), Some(divisor), None) => Test::Remainder(number(divisor).filter(|d| *d != 0.0)?, exact?),
        (None, ..) => {
            item.problem("nothing is asked of the number", "exact, range, or exact with mod");
            return None;
        }
    };
    Some(Condition::is(field.clone(), test))
}
