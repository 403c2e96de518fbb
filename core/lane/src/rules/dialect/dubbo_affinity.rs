//! Dubbo's affinity router: `….affinity-router`.
//!
//! `affinityAware: {key: region, ratio: 20}`: instances whose `region` is the caller's, if they are at least 20 per
//! cent of all.

use super::Context;
use super::dubbo_common::{Flavor, caller_field, head, instance_field, model};
use crate::model::{Condition, Destination, Draw, IfNothing, Model, Otherwise, Route, Selector, Service, Stage, Test};
use crate::rules::walk::Value;

/// Lowers documents of this dialect.
pub fn lower(documents: &[Value<'_>], context: &Context<'_>) -> Model {
    let flavor = Flavor::of(context, documents);
    model(documents, |document| one(document, flavor))
}

fn one(document: Value<'_>, flavor: Flavor) -> Option<Service> {
    let head = head(document, &["affinityAware"])?;
    if !head.version.starts_with("v3.1") && flavor == Flavor::Java {
        head.at_version().problem("an affinity rule is of configVersion v3.1", "configVersion: v3.1");
    }
    let aware = head.fields.need("affinityAware")?;
    let fields = aware.fields(&["key", "ratio"], &[])?;
    let key = fields.need("key")?.text()?.trim();
    let ratio = match fields.get("ratio") {
        Some(ratio) => ratio.number(0.0f64, 100.0)?,
        None => 0.0,
    };
    if !head.enabled {
        return Some(head.service(Vec::new()));
    }
    let same = Condition::is(instance_field(key), Test::PatternOf(caller_field(key)));
    let known = Condition::is(caller_field(key), Test::Present);
    let mut near = Destination::new(key, Selector::Where(same), 1, aware.line());
    near.least = (ratio * 10_000.0).round() as u32;
    if near.least == 0 {
        aware.note("with a ratio of 0 a call fails where no instance is near");
    }
    let route = Route {
        name: key.into(),
        line: aware.line(),
        // dubbo-java leaves the instances as they are when the caller has no such parameter.
        when: if flavor == Flavor::Java { known } else { Condition::ALWAYS },
        if_nothing: if near.least == 0 { IfNothing::Fail } else { IfNothing::Keep },
        destinations: vec![near],
        draw: Draw::Written,
    };
    let stage = Stage { title: "Dubbo affinity rule".into(), routes: vec![route], otherwise: Otherwise::Keep };
    Some(head.service(vec![stage]))
}
