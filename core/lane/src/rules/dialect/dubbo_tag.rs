//! Dubbo's tag router: `<application>.tag-router`.
//!
//! A rule names tags and, for each, instances by address or by the parameters of their URL. They serve the requests
//! of that tag in place of the instances that are registered with it, and no request without a tag.

use super::Context;
use super::dubbo_common::{Flavor, Head, address, head, model, text_match};
use crate::model::{
    Condition, Destination, Draw, Field, IfNothing, Model, Otherwise, Route, Selector, Service, Stage, TagRule,
    TagSource, Test,
};
use crate::rules::walk::Value;
use std::collections::HashMap;

const TAG: &str = "dubbo.tag";
const FORCE: &str = "dubbo.force.tag";
/// Separates the levels of a tag: `gray|team1|partner1`.
const LEVEL: char = '|';

/// Lowers documents of this dialect. Without a document: the tags that instances are registered with.
pub fn lower(documents: &[Value<'_>], context: &Context<'_>) -> Model {
    let flavor = Flavor::of(context, documents);
    let mut model = model(documents, |document| one(document, flavor));
    // The tag that the request carries, else the one that the caller's own URL names.
    let sources = [Field::Tag, Field::Attachment(TAG.into()), Field::CallerLabel(TAG.into())];
    let rule = |field| TagRule { when: Condition::ALWAYS, from: TagSource::Field(field), line: 1 };
    model.tags = sources.into_iter().map(rule).collect();
    model
}

/// One tag of the rule.
struct Named {
    name: Box<str>,
    /// Which instances it has.
    members: Condition,
    /// Those of them that untagged requests do not meet.
    apart: Option<Condition>,
    /// The rule alone says which they are: the tag is there even when no instance is.
    alone: bool,
    line: u32,
}

fn one(document: Value<'_>, flavor: Flavor) -> Option<Service> {
    let head = head(document, &["tags"])?;
    let tags = head.fields.list("tags");
    if tags.is_empty() {
        document.note("a rule without tags leaves the tags that instances are registered with");
    }
    let mut seen = HashMap::new();
    let mut named = Vec::new();
    for tag in tags {
        let Some(found) = member(tag, &head, flavor) else { continue };
        if let Some(first) = seen.insert(found.name.clone(), found.line) {
            tag.problem(format!("the tag `{}` stands in line {first} already", found.name), "each tag once");
        }
        named.push(found);
    }
    if !head.enabled {
        named.clear();
    }
    let line = document.line();
    let by_name = named.iter().enumerate().map(|(n, tag)| (&*tag.name, n)).collect();
    let stage = Build { named: &named, by_name, force: head.force && !named.is_empty(), flavor, line }.stage();
    Some(head.service(vec![stage]))
}

fn member(tag: Value<'_>, head: &Head<'_>, flavor: Flavor) -> Option<Named> {
    let fields = tag.fields(&["name", "addresses", "match"], &[])?;
    let name = fields.need("name")?.text()?;
    let level = |part: &str| crate::tag::parse(part.as_bytes()).is_some();
    if !name.split(LEVEL).all(level) {
        tag.problem(format!("`{name}` is no tag"), "1 to 63 of A-Z a-z 0-9 . _ -, levels apart by `|`");
        return None;
    }
    let addresses = fields.list("addresses");
    let read = addresses.iter().map(|a| address(*a, flavor)).collect::<Vec<_>>();
    let params = fields.list("match").into_iter().map(|m| param(m, flavor)).collect::<Vec<_>>();
    let (addresses, params): (Option<Vec<_>>, Option<Vec<_>>) =
        (read.into_iter().collect(), params.into_iter().collect());
    let (addresses, params) = (addresses?, params?);
    let matched = fields.get("match").is_some();
    if matched && !head.version.starts_with("v3.0") && flavor == Flavor::Java {
        let at = fields.get("match").unwrap_or(tag);
        at.problem("`match` is read with configVersion v3.0 alone", "configVersion: v3.0");
    }
    let by_address = match flavor {
        Flavor::Java => !addresses.is_empty(),
        Flavor::Go => params.is_empty() && !addresses.is_empty(),
    };
    if !addresses.is_empty() && !params.is_empty() {
        let (read, left) = if by_address { ("addresses", "match") } else { ("match", "addresses") };
        tag.note(format!("a tag has one of the two: `{read}` is read, `{left}` is not"));
    }
    let has_params = !params.is_empty();
    // dubbo-go keeps addresses apart, also where it does not read them, and instances by parameters not.
    let by_text = (!addresses.is_empty()).then(|| Condition::Any(addresses.clone()));
    let members = match (by_address, matched && (flavor == Flavor::Java || has_params)) {
        (true, _) => Condition::Any(addresses),
        (false, true) => Condition::All(params),
        (false, false) => {
            tag.note(format!("`{name}` names no instance: those registered with it serve it"));
            Condition::Any(Vec::new())
        }
    };
    // To dubbo-java a tag by parameters that no instance has is not there.
    let alone = by_address || (flavor == Flavor::Go && has_params);
    let apart = if flavor == Flavor::Java { Some(members.clone()) } else { by_text };
    Some(Named { name: name.into(), members, apart, alone, line: tag.line() })
}

/// `{key: region, value: {exact: hangzhou}}`.
fn param(value: Value<'_>, flavor: Flavor) -> Option<Condition> {
    let fields = value.fields(&["key", "value"], &[])?;
    let key = fields.need("key")?.text()?;
    text_match(fields.need("value")?, Field::Label(key.into()), flavor)
}

struct Build<'n> {
    named: &'n [Named],
    by_name: HashMap<&'n str, usize>,
    force: bool,
    flavor: Flavor,
    line: u32,
}

impl Build<'_> {
    fn stage(&self) -> Stage {
        let mut routes = Vec::new();
        self.levels(&mut routes);
        for tag in self.named.iter().filter(|tag| !tag.name.contains(LEVEL)) {
            let when = Condition::is(Field::Tag, Test::Exact(tag.name.clone()));
            self.tagged(&mut routes, when, tag, Selector::TagOfRequest);
        }
        let other = Condition::is(Field::Tag, Test::NotEmpty);
        self.registered(&mut routes, other, Selector::TagOfRequest);
        let untagged = Destination::new("baseline", self.baseline(), 1, self.line);
        routes.push(self.route("baseline", Condition::ALWAYS, vec![untagged]));
        Stage { title: "Dubbo tag rule".into(), routes, otherwise: Otherwise::Fail }
    }

    /// Requests whose tag has levels: the longest one that the rule names and that has instances.
    fn levels(&self, routes: &mut Vec<Route>) {
        let asked = |test| Condition::is(Field::Attachment(TAG.into()), test);
        let own = Selector::Label { label: TAG.into(), from: Field::Attachment(TAG.into()) };
        let mut longest: Vec<&Named> = self.named.iter().collect();
        longest.sort_by_key(|tag| std::cmp::Reverse(tag.name.matches(LEVEL).count()));
        let several = asked(Test::Contains("|".into()));
        for tag in longest {
            let exact = asked(Test::Exact(tag.name.clone()));
            let below = asked(Test::Prefix(format!("{}{LEVEL}", tag.name).into()));
            let forced = Condition::All(vec![several.clone(), exact.clone(), self.forced()]);
            if tag.name.contains(LEVEL) {
                routes.push(self.forced_route(forced, tag, own.clone()));
            }
            // To dubbo-go it is a name like any other.
            let asked = match self.flavor {
                Flavor::Java => Condition::Any(vec![exact, below]),
                Flavor::Go => exact,
            };
            let when = Condition::All(vec![several.clone(), asked, Condition::Not(Box::new(self.forced()))]);
            routes.push(self.unforced_route(when, tag, own.clone()));
        }
        self.registered(routes, several, own);
    }

    /// The two routes of one tag: with the request's own force and without.
    fn tagged(&self, routes: &mut Vec<Route>, when: Condition, tag: &Named, own: Selector) {
        routes.push(self.forced_route(Condition::All(vec![when.clone(), self.forced()]), tag, own.clone()));
        routes.push(self.unforced_route(when, tag, own));
    }

    /// The request forces: the tag's instances or none.
    fn forced_route(&self, when: Condition, tag: &Named, own: Selector) -> Route {
        let mut destinations = self.members(tag);
        if !tag.alone {
            destinations.push(Destination::new("registered", own, 0, tag.line));
        }
        self.route(&format!("{}, forced by the request", tag.name), when, destinations)
    }

    fn unforced_route(&self, when: Condition, tag: &Named, own: Selector) -> Route {
        // A parameter of an URL that no instance has leaves no such tag: the next shorter level is asked.
        let (mut destinations, mut last) = (self.members(tag), tag);
        while let Some(shorter) = self.shorter(last).filter(|_| !last.alone && self.flavor == Flavor::Java) {
            destinations.extend(self.members(shorter));
            last = shorter;
        }
        if !last.alone {
            destinations.push(Destination::new("registered", own, 0, tag.line));
        }
        let stays = self.force && (last.alone || self.flavor == Flavor::Go);
        self.or_baseline(&tag.name, when, destinations, stays, Some(tag))
    }

    /// A route that goes on to the baseline, unless it `stays`.
    fn or_baseline(
        &self,
        name: &str,
        when: Condition,
        mut destinations: Vec<Destination>,
        stays: bool,
        tag: Option<&Named>,
    ) -> Route {
        match (stays, self.flavor) {
            (true, _) => self.route(name, when, destinations),
            // One baseline for all tags: the last route.
            (false, Flavor::Java) => Route { if_nothing: IfNothing::Last, ..self.route(name, when, destinations) },
            (false, Flavor::Go) => {
                let line = tag.map_or(self.line, |tag| tag.line);
                destinations.push(Destination::new("baseline", self.baseline_of(tag), 0, line));
                self.route(name, when, destinations)
            }
        }
    }

    fn shorter(&self, tag: &Named) -> Option<&Named> {
        let mut name = &*tag.name;
        while let Some((start, _)) = name.rsplit_once(LEVEL) {
            if let Some(found) = self.by_name.get(start) {
                return Some(&self.named[*found]);
            }
            name = start;
        }
        None
    }

    /// Requests of a tag that the rule does not name: the instances registered with it.
    fn registered(&self, routes: &mut Vec<Route>, when: Condition, own: Selector) {
        let mine = || vec![Destination::new("registered", own.clone(), 1, self.line)];
        let forced = Condition::All(vec![when.clone(), self.forced()]);
        routes.push(self.route("a tag that is not named, forced by the request", forced, mine()));
        // dubbo-go's `force` holds for every tag.
        let stays = self.force && self.flavor == Flavor::Go;
        routes.push(self.or_baseline("a tag that is not named", when, mine(), stays, None));
    }

    /// The instances of a tag; dubbo-go gives a tag without any to those that are registered with it.
    fn members(&self, tag: &Named) -> Vec<Destination> {
        vec![Destination::new(&tag.name, Selector::Where(tag.members.clone()), 1, tag.line)]
    }

    /// Where untagged requests go: instances that carry no tag and that no tag of the rule names.
    fn baseline(&self) -> Selector {
        self.without(self.named.iter())
    }

    /// dubbo-go's baseline of one tag leaves out its own addresses alone.
    fn baseline_of(&self, tag: Option<&Named>) -> Selector {
        self.without(tag.into_iter())
    }

    fn without<'t>(&self, tags: impl Iterator<Item = &'t Named>) -> Selector {
        let named: Vec<Condition> = tags.filter_map(|tag| tag.apart.clone()).collect();
        if named.is_empty() {
            return Selector::Baseline;
        }
        let untagged = Condition::is(Field::InstanceTag, Test::Absent);
        Selector::Where(Condition::All(vec![untagged, Condition::Not(Box::new(Condition::Any(named)))]))
    }

    /// Whether the request says `dubbo.force.tag`, or the caller's URL where the request does not.
    fn forced(&self) -> Condition {
        let asked = |test| Condition::is(Field::Attachment(FORCE.into()), test);
        let caller = |test| Condition::is(Field::CallerLabel(FORCE.into()), test);
        let (yes, silent) = match self.flavor {
            Flavor::Java => (Test::ExactNoCase("true".into()), Condition::Not(Box::new(asked(Test::NotEmpty)))),
            Flavor::Go => (Test::one_of(["1", "t", "T", "TRUE", "true", "True"]), asked(Test::Absent)),
        };
        Condition::Any(vec![asked(yes.clone()), Condition::All(vec![silent, caller(yes)])])
    }

    /// A route whose first destination is asked and whose others follow each other as fallbacks.
    fn route(&self, name: &str, when: Condition, mut destinations: Vec<Destination>) -> Route {
        let last = destinations.len().saturating_sub(1);
        for (n, destination) in destinations.iter_mut().enumerate() {
            destination.weight = u32::from(n == 0);
            destination.fallback = [(n < last).then_some(n as u16 + 1); 2];
        }
        let line = destinations.first().map_or(self.line, |d| d.line);
        Route { name: name.into(), line, when, destinations, draw: Draw::Written, if_nothing: IfNothing::Fail }
    }
}
