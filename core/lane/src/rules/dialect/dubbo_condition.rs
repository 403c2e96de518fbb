//! Dubbo's condition router: `<application or service>.condition-router`, 2.x, v3.0 and v3.1.
//!
//! `method=find* & host=10.0.* => region=$region`: requests and callers on the left, instances on the right. The
//! conditions of a rule follow each other, each narrows what the one before left.

use super::Context;
use super::dubbo_common::{Flavor, caller_field, head, instance_field, model};
use crate::model::{
    Condition, Destination, Draw, Field, IfNothing, Model, Otherwise, Route, Selector, Service, Stage, Test,
};
use crate::rules::walk::Value;

/// What a destination of v3.1 weighs that has no `weight`.
const WEIGHT: u32 = 100;

/// Lowers documents of this dialect.
pub fn lower(documents: &[Value<'_>], context: &Context<'_>) -> Model {
    let flavor = Flavor::of(context, documents);
    model(documents, |document| one(document, flavor))
}

fn one(document: Value<'_>, flavor: Flavor) -> Option<Service> {
    let head = head(document, &["conditions"])?;
    let weighted = head.version.starts_with("v3.1");
    if !weighted && &*head.version > "v3.1" {
        head.at_version().problem(format!("`{}` is not known", head.version), "v3.1, v3.0 or none");
    }
    let conditions = head.fields.list("conditions");
    if conditions.is_empty() {
        document.note("a rule without conditions changes nothing");
    }
    let rule = Rule { force: head.force, flavor };
    let mut stages = Vec::new();
    for condition in conditions {
        stages.extend(if weighted { rule.weighted(condition) } else { rule.written(condition) });
    }
    if flavor == Flavor::Go {
        // Disabled traffic is asked first.
        stages.sort_by_key(|stage| stage.routes.iter().all(|route| !disables(route)));
    }
    if !head.enabled {
        stages.clear();
    }
    Some(head.service(stages))
}

fn disables(route: &Route) -> bool {
    route.destinations.iter().all(|d| d.select == Selector::Nothing)
}

struct Rule {
    force: bool,
    flavor: Flavor,
}

impl Rule {
    /// What a condition does that leaves nothing.
    fn if_nothing(&self) -> IfNothing {
        match (self.force, self.flavor) {
            (true, _) => IfNothing::Fail,
            (false, Flavor::Java) => IfNothing::Keep,
            (false, Flavor::Go) => IfNothing::Reset,
        }
    }

    fn stage(&self, at: Value<'_>, when: Condition, destinations: Vec<Destination>, if_nothing: IfNothing) -> Stage {
        let (line, draw) = (at.line(), Draw::Usable);
        let route = Route { name: "".into(), line, when, destinations, draw, if_nothing };
        Stage { title: "Dubbo condition".into(), routes: vec![route], otherwise: Otherwise::Keep }
    }

    /// `when => then`, one line.
    fn written(&self, condition: Value<'_>) -> Option<Stage> {
        if !condition.is_text() {
            condition.problem(
                "fields where a line is expected",
                "`when => then`, or `configVersion: v3.1` for `from` and `to`",
            );
            return None;
        }
        let text = condition.text()?.replace("consumer.", "").replace("provider.", "");
        let (when, then) = match text.split_once("=>") {
            Some((when, then)) => (when.trim(), then.trim()),
            None => ("", text.trim()),
        };
        if text.trim().is_empty() {
            condition.problem("the condition is empty", "what is asked => which instances");
            return None;
        }
        let when = if matches!(when, "" | "true") {
            Condition::ALWAYS
        } else {
            terms(condition, when, Side::Request, self.flavor)?
        };
        let line = condition.line();
        if matches!(then, "" | "false") {
            let none = Destination::new("none", Selector::Nothing, 1, line);
            // dubbo-go gives back every instance where a rule without `force` leaves none.
            let if_nothing = if self.flavor == Flavor::Go { self.if_nothing() } else { IfNothing::Fail };
            return Some(self.stage(condition, when, vec![none], if_nothing));
        }
        let chosen = Selector::Where(terms(condition, then, Side::Instance, self.flavor)?);
        Some(self.stage(condition, when, vec![Destination::new(then, chosen, 1, line)], self.if_nothing()))
    }

    /// `from: {match: …}`, `to: [{match: …, weight: 20}, …]`.
    fn weighted(&self, condition: Value<'_>) -> Option<Stage> {
        if condition.is_text() {
            condition.problem(
                "a line where fields are expected",
                "from: {match: …}, to: [{match: …}]; lines `when => then` are of configVersion v3.0 and before",
            );
            return None;
        }
        const DISABLE: &str = "leave `to` out to let no such request through";
        let unused = [("trafficDisable", DISABLE), ("disable", DISABLE)];
        let fields = condition.fields(&["from", "to"], &unused)?;
        let when = match fields.get("from") {
            Some(from) => match from.fields(&["match"], &[])?.text("match").map(str::trim).unwrap_or("") {
                "" | "true" => Condition::ALWAYS,
                text => terms(from, &unprefixed(text), Side::Request, self.flavor)?,
            },
            None => Condition::ALWAYS,
        };
        let read: Vec<_> = fields.list("to").into_iter().map(|to| self.destination(to)).collect();
        let destinations = read.into_iter().collect::<Option<Vec<_>>>()?;
        if destinations.is_empty() && when == Condition::ALWAYS && self.flavor == Flavor::Go {
            condition.note("dubbo-go leaves out a condition that asks nothing and sends nowhere");
            return None;
        }
        if destinations.is_empty() {
            let none = Destination::new("none", Selector::Nothing, 1, condition.line());
            return Some(self.stage(condition, when, vec![none], IfNothing::Fail));
        }
        Some(self.stage(condition, when, destinations, self.if_nothing()))
    }

    fn destination(&self, to: Value<'_>) -> Option<Destination> {
        let fields = to.fields(&["match", "weight"], &[])?;
        let weight = match fields.get("weight") {
            Some(weight) => weight.number(0u32, 1_000_000)?,
            None => WEIGHT,
        };
        let text = fields.text("match").map(str::trim).unwrap_or("");
        let chosen = match text {
            "" => Selector::All,
            "false" => Selector::Nothing,
            text => Selector::Where(terms(to, &unprefixed(text), Side::Instance, self.flavor)?),
        };
        Some(Destination::new(text, chosen, weight, to.line()))
    }
}

/// Older texts name the side of a key.
fn unprefixed(text: &str) -> String {
    text.replace("consumer.", "").replace("provider.", "")
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Request,
    Instance,
}

/// One key, with the values that it must and those that it must not have.
#[derive(Default)]
struct Term<'t> {
    key: &'t str,
    matches: Vec<&'t str>,
    mismatches: Vec<&'t str>,
}

/// `key=a,b & other!=c*`.
fn terms(at: Value<'_>, text: &str, side: Side, flavor: Flavor) -> Option<Condition> {
    let wrong = |message: String| {
        at.problem(message, "key=value & key=value,value & key!=value");
        None
    };
    let mut terms: Vec<Term> = Vec::new();
    let (mut current, mut negated) = (0, None);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let signs = rest.find(|c| !"&!=,".contains(c)).unwrap_or(rest.len());
        let (sign, after) = rest.split_at(signs);
        let after = after.trim_start();
        let end = after.find(|c: char| "&!=,".contains(c) || c.is_whitespace()).unwrap_or(after.len());
        let (word, behind) = after.split_at(end);
        rest = behind.trim_start();
        if word.is_empty() {
            return wrong(format!("`{text}`: nothing stands behind `{sign}`"));
        }
        match (sign, negated) {
            ("" | "&", _) => {
                current = terms.iter().position(|term| term.key == word).unwrap_or(terms.len());
                if current == terms.len() {
                    terms.push(Term { key: word, ..Term::default() });
                }
                negated = None;
            }
            ("=" | "!=", _) if !terms.is_empty() => negated = Some(sign == "!="),
            (",", Some(_)) => {}
            _ => return wrong(format!("`{text}`: `{sign}` cannot stand before `{word}`")),
        }
        match negated {
            Some(true) => terms[current].mismatches.push(word),
            Some(false) => terms[current].matches.push(word),
            None => {}
        }
    }
    let conditions = terms.iter().map(|term| asked(at, term, side, flavor)).collect::<Option<Vec<_>>>()?;
    Some(Condition::All(conditions))
}

/// A key that is not there fulfils nothing, `!=` neither.
fn asked(at: Value<'_>, term: &Term, side: Side, flavor: Flavor) -> Option<Condition> {
    if term.matches.is_empty() && term.mismatches.is_empty() {
        at.problem(format!("`{}` has no value", term.key), format!("{}=value", term.key));
        return None;
    }
    let field = match side {
        Side::Request => request_field(at, term.key)?,
        Side::Instance => instance_key(at, term.key)?,
    };
    let any = |words: &[&str]| {
        let tests = words.iter().map(|word| Some(Condition::is(field.clone(), pattern(at, word, side)?)));
        tests.collect::<Option<Vec<_>>>().map(Condition::Any)
    };
    // To dubbo-go an empty value is one that is not there.
    let there = if flavor == Flavor::Go { Test::NotEmpty } else { Test::Present };
    let mut parts = vec![Condition::is(field.clone(), there)];
    if !term.mismatches.is_empty() {
        parts.push(Condition::Not(Box::new(any(&term.mismatches)?)));
    }
    if !term.matches.is_empty() {
        parts.push(any(&term.matches)?);
    }
    Some(Condition::All(parts))
}

fn request_field(at: Value<'_>, key: &str) -> Option<Field> {
    let inside = |name: &str| key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']');
    if key.starts_with("arguments") {
        let index = inside("arguments").and_then(|index| index.parse::<u16>().ok());
        if index.is_none() {
            at.problem(format!("`{key}` is no argument"), "arguments[0], arguments[1] …");
        }
        return index.map(Field::Argument);
    }
    if key.starts_with("attachments") {
        let name = inside("attachments").filter(|name| !name.is_empty());
        if name.is_none() {
            at.problem(format!("`{key}` is no attachment"), "attachments[name]");
        }
        return name.map(|name| Field::Attachment(name.into()));
    }
    Some(match key {
        "method" | "methods" => Field::Method,
        key => caller_field(key),
    })
}

fn instance_key(at: Value<'_>, key: &str) -> Option<Field> {
    if key.starts_with("arguments") || key.starts_with("attachments") || matches!(key, "method" | "methods") {
        at.problem(format!("`{key}` belongs to the request"), "it stands left of `=>` (in `from`)");
        return None;
    }
    Some(instance_field(key))
}

fn pattern(at: Value<'_>, word: &str, side: Side) -> Option<Test> {
    if let Some(name) = word.strip_prefix('$') {
        if side == Side::Request || name.is_empty() {
            at.problem(format!("`{word}` is no value here"), "a reference to the caller, right of `=>` (in `to`)");
            return None;
        }
        return Some(Test::PatternOf(caller_field(name)));
    }
    if let Some((from, to)) = word.split_once('~') {
        let bound = |text: &str, open: f64| match text {
            "" => Some(open),
            text => text.parse::<i32>().ok().map(f64::from),
        };
        let range = bound(from, f64::NEG_INFINITY).zip(bound(to, f64::INFINITY)).filter(|(a, b)| a <= b);
        if range.is_none() || word == "~" {
            at.problem(format!("`{word}` is no range"), "1~100, 1~ or ~100, in whole numbers");
            return None;
        }
        return range.map(|(from, to)| Test::Range(from, to));
    }
    Some(if word.contains('*') { Test::Wildcard(word.into()) } else { Test::Exact(word.into()) })
}
